"""The DAG is shown as consensus has it, once for everybody; commits in rows, each read once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from consensus.dag import Dag
from consensus.events import StoreBlocks, StoreCommit
from consensus.parameters import Parameters
from node.ledger.transaction import Transfer
from node.rpc import commit_row, dag_schemas
from node.rpc.commit_row import CommitRow
from node.rpc.dag_board import DagBoard
from node.rpc.dag_drawing import CoreDrawing, Ordered, Sketch, draw_commits
from node.rpc.dag_history import LeaderCommit
from node.rpc.errors import NodeAnswerError
from node.rpc.texts import account_text
from node.storage.block_store import LmdbBlockStore
from primitives.ids import AuthorityIndex, CommitIndex, Grain, Height
from tests.chain.founded import address_of
from tests.consensus.lockstep import Network, Seat
from tests.dsl.committee import context_of
from tests.dsl.dag import Drawing, draw
from tests.rpc.stage import Stage, open_stage
from tests.sync.village import RealClock
from tests.validator.founders import Founder, founders, until

on_a_node = pytest.mark.asyncio(loop_scope="module")
CONTEXT = context_of((1,) * 4, parameters=Parameters(gc_depth=20, schedule_window=4))
COMMITS = 12


def as_ordered(seat: Seat) -> Ordered:
    """Return what a node would have read of a seat's commits, but for the last two executed."""
    commits = [
        LeaderCommit(one.index, one.commit.leader, one.digest, one.commit.blocks)
        for one in reversed(seat.delivered)
    ]
    context = seat.network.context
    return Ordered(context=context, commits=commits, executed=COMMITS - 2, height=COMMITS + 8)


def drawn(network: Network, seat: Seat, *, rounds: int = 40) -> Sketch:
    """Look at a seat each time that it commits, as an open page does, and return the last look."""
    drawing = CoreDrawing()
    for index in range(1, COMMITS + 1):
        network.run_until_commit(index)
        drawing.draw(seat.core, as_ordered(seat), rounds=rounds)
    return drawing.draw(seat.core, as_ordered(seat), rounds=rounds)


def test_every_commit_shows_at_its_leader_with_its_height() -> None:
    network = Network(CONTEXT)
    seat = network.seats[1]
    sketch = drawn(network, seat)
    shown = {one.commit_index: one for one in sketch.leaders if one.commit_index is not None}
    assert set(shown) == set(range(1, len(seat.delivered) + 1))
    for sub_dag in seat.delivered:
        slot = shown[sub_dag.index]
        assert slot.digest == sub_dag.commit.leader.digest.hex()
        assert (slot.verdict, slot.seat) == ("direct", sub_dag.commit.leader.author)
    assert shown[COMMITS - 2].height == COMMITS + 8
    assert shown[COMMITS].height is None
    assert sketch.committed == seat.delivered[-1].commit.leader.round
    assert {one.verdict for one in sketch.leaders if one.round > sketch.committed} == {"undecided"}


def test_every_block_in_memory_is_drawn_with_its_ancestors() -> None:
    network = Network(CONTEXT)
    sketch = drawn(network, network.seats[0])
    dag = network.seats[0].core.dag
    assert len(sketch.blocks) == sum(
        len(dag.round(number).arrivals) for number in range(sketch.first, sketch.last + 1)
    )
    for block in sketch.blocks:
        if block.round > sketch.first:
            below = {one.bit for one in sketch.blocks if one.round == block.round - 1}
            assert set(block.parents) <= below
            assert len(block.parents) >= 3
    committed = {
        ref.digest.hex() for one in network.seats[0].delivered for ref in one.commit.blocks
    }
    assert {one.digest for one in sketch.blocks if one.is_committed} <= committed


def test_silent_leader_is_skipped_also_before_a_change_of_the_schedule() -> None:
    context = context_of((1,) * 4, parameters=Parameters(gc_depth=40, schedule_window=8), chain=3)
    network = Network(context, silent=(3,))
    seat = network.seats[0]
    sketch = drawn(network, seat)
    committed = {
        (int(one.commit.leader.round), int(one.commit.leader.author)) for one in seat.delivered
    }
    skipped = [one for one in sketch.leaders if one.verdict == "skipped"]
    assert {one.seat for one in skipped} == {3}
    assert not committed & {(one.round, one.seat) for one in skipped}
    assert all(one.digest is None and one.round < sketch.committed for one in skipped)
    rounds = [one.round for one in sketch.leaders]
    assert rounds == sorted(set(rounds))


def test_small_picture_takes_nothing_from_a_large_one() -> None:
    context = context_of((1,) * 4, parameters=Parameters(gc_depth=40, schedule_window=8), chain=3)
    network, drawing = Network(context, silent=(3,)), CoreDrawing()
    seat = network.seats[0]
    network.run_until_commit(7)
    drawing.draw(seat.core, as_ordered(seat), rounds=40)
    network.run_until_commit(COMMITS)
    large = drawing.draw(seat.core, as_ordered(seat), rounds=40)
    drawing.draw(seat.core, as_ordered(seat), rounds=5)
    again = drawing.draw(seat.core, as_ordered(seat), rounds=40)
    assert again == large
    assert all(one is other for one, other in zip(again.blocks, large.blocks, strict=True))
    boundary = seat.delivered[7].commit.leader.round
    assert any(one.verdict == "skipped" and one.round < boundary for one in again.leaders)


def test_page_that_comes_late_shows_no_slot_that_it_cannot_know() -> None:
    network = Network(CONTEXT, silent=(3,))
    network.run_until_commit(COMMITS)
    seat = network.seats[0]
    sketch = CoreDrawing().draw(seat.core, as_ordered(seat), rounds=40)
    boundary = seat.delivered[COMMITS - COMMITS % 4 - 1].commit.leader.round
    early = [one for one in sketch.leaders if one.round <= boundary]
    assert {one.verdict for one in early} <= {"direct", "indirect"}


@pytest.mark.parametrize("looks", [(3, 11), (2, 12), (4, 9), (1, 5, 12)])
@pytest.mark.parametrize("slots", [1, 2])
def test_page_that_looks_seldom_shows_every_commit_under_the_schedule_that_made_it(
    looks: tuple[int, ...], slots: int
) -> None:
    parameters = Parameters(gc_depth=60, schedule_window=4, leaders_per_round=slots)
    network = Network(context_of((1,) * 4, parameters=parameters, chain=3), silent=(3,))
    seat, drawing = network.seats[0], CoreDrawing()
    sketch = None
    for index in looks:
        network.run_until_commit(index)
        sketch = drawing.draw(seat.core, as_ordered(seat), rounds=40)
    assert sketch is not None
    shown = {one.commit_index for one in sketch.leaders if one.commit_index is not None}
    assert shown == {one.index for one in seat.delivered}
    taken = [(one.round, one.offset) for one in sketch.leaders]
    assert taken == sorted(set(taken))
    assert {one.seat for one in sketch.leaders if one.verdict == "skipped"} <= {3}


def test_slot_behind_a_change_of_the_schedule_in_its_round_is_void() -> None:
    parameters = Parameters(gc_depth=60, schedule_window=3, leaders_per_round=2)
    network = Network(context_of((1,) * 4, parameters=parameters))
    sketch = drawn(network, network.seats[0])
    commits = {int(one.index): one.commit.leader for one in network.seats[0].delivered}
    slots = {(one.round, one.offset): one.commit_index for one in sketch.leaders}
    # Commits 1 and 2 fill round 1; the change comes with the first slot of round 2.
    assert (commits[3].round, commits[4].round) == (2, 3)
    assert slots[2, 0] == 3
    assert (2, 1) not in slots


def test_commit_that_only_others_could_decide_does_not_say_how() -> None:
    drawing = draw("r1: all / r2: all / r3: A B <- all", powers=(1,) * 4)
    (first, *_) = look(drawing, "D1").leaders
    assert (first.round, first.verdict) == (1, "committed")


@dataclass
class Drawn:
    """A drawing as a core would hold it."""

    dag: Dag
    commit_index: int

    def leaders(self, number: int) -> tuple[AuthorityIndex, ...]:
        return (AuthorityIndex(3 if number == 1 else 0),)


def look(drawing: Drawing, *leaders: str) -> Sketch:
    commits = [
        LeaderCommit(CommitIndex(place + 1), drawing[name].ref, b"", (drawing[name].ref,))
        for place, name in enumerate(leaders)
    ]
    ordered = Ordered(
        context=drawing.context, commits=commits[::-1], executed=len(commits), height=9
    )
    return CoreDrawing().draw(Drawn(drawing.dag(), len(commits)), ordered, rounds=40)


def test_leader_without_a_quorum_of_certificates_was_committed_through_an_anchor() -> None:
    text = """
        r1: all
        r2: quorum <- all; rest <- all -D
        r3: D <- all; all -D -edge <- all -edge; edge <- all -D
        r4: all / r5: all / r6: all
    """
    sketch = look(draw(text, powers=(1,) * 4), "D1", "A4")
    verdicts = {one.round: one.verdict for one in sketch.leaders}
    assert (verdicts[1], verdicts[4]) == ("indirect", "direct")
    assert (verdicts[2], verdicts[3]) == ("skipped", "skipped")
    assert verdicts[5] == "undecided"


def test_twins_are_shown_with_a_place_of_their_own() -> None:
    sketch = look(draw("r1: all; B' / r2: A B C <- all; D <- A B' C D", powers=(1,) * 4))
    (twins,) = sketch.twins
    assert (twins.round, twins.seat, len(twins.digests)) == (1, 1, 2)
    places = {one.digest: one.bit for one in sketch.blocks if (one.round, one.seat) == (1, 1)}
    assert sorted(places.values()) == [1, 4]
    (dissenter,) = [one for one in sketch.blocks if (one.round, one.seat) == (2, 3)]
    assert 4 in dissenter.parents
    assert 1 not in dissenter.parents


def test_follower_draws_what_was_committed_alike() -> None:
    network = Network(CONTEXT)
    seat = network.seats[0]
    sketch = drawn(network, seat)
    headers = {
        block.ref.digest: block.header for sub_dag in seat.delivered for block in sub_dag.blocks
    }
    followed = draw_commits(as_ordered(seat), headers, rounds=40)
    committed = tuple(one for one in sketch.blocks if one.is_committed)
    assert [one for one in followed.blocks if one.round >= sketch.first] == list(committed)
    assert {one.verdict for one in followed.leaders} == {"committed"}
    assert followed.committed == followed.last == sketch.committed


def board_of(founder: Founder, consensus: object) -> DagBoard:
    return DagBoard(
        founder.chain,
        consensus=consensus,  # type: ignore[arg-type]
        name_of=lambda _: "somebody",
        clock=RealClock(),
    )


def test_running_validators_show_their_dag(tmp_path: Path) -> None:
    async def pictures(four: Sequence[Founder]) -> tuple[dag_schemas.Dag, dag_schemas.Dag]:
        async with AsyncExitStack() as ruling:
            validators = [await ruling.enter_async_context(one.ruling()) for one in four]
            await until(lambda: four[0].chain.head.height >= 20)
            driver = validators[0].driver
            assert driver is not None
            readers = ruling.enter_context(ThreadPoolExecutor(1))
            seated = board_of(four[0], lambda: driver.cores[-1])
            following = board_of(four[0], lambda: None)
            raw = await seated.picture(30, readers=readers)
            assert await seated.picture(30, readers=readers) is raw
            other = await following.picture(30, readers=readers)
        return (
            msgspec.json.decode(raw, type=dag_schemas.Dag),
            msgspec.json.decode(other, type=dag_schemas.Dag),
        )

    async def play() -> tuple[dag_schemas.Dag, dag_schemas.Dag]:
        async with founders(tmp_path) as four:
            return await pictures(four)

    seated, following = asyncio.run(play())
    assert (seated.source, following.source) == ("consensus", "commits")
    assert [lane.name for lane in seated.lanes] == ["somebody"] * 4
    direct = {one.digest for one in seated.leaders if one.verdict == "direct"}
    assert direct
    assert direct & {one.digest for one in following.leaders}
    assert seated.last_round >= following.last_round - 10
    heights = [one.height for one in following.leaders if one.height is not None]
    assert heights == sorted(heights)


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Yield a node without a seat that stored and executed some commits, as a follower does."""
    async with open_stage(tmp_path_factory.mktemp("node")) as stage:
        context = stage.chain.context()
        store = LmdbBlockStore.open(stage.chain.environment, stage.chain.writer, context)
        for number in range(8):
            action = Transfer(address_of("bob"), Grain(1 + number))
            sub_dag = stage.proposer.order(stage.proposer.sign(action, sender="alice"))
            store.append(StoreBlocks(sub_dag.blocks))
            store.append(StoreCommit(sub_dag.commit, sub_dag.digest, None))
            store.sync()
            await stage.chain.execute(sub_dag)
        checkpoint = stage.chain.checkpoint_at(stage.chain.head.height)
        await stage.chain.add_certificate(stage.proposer.certify(checkpoint))
        yield stage


@on_a_node
async def test_node_without_a_seat_says_that_it_shows_commits(stage: Stage) -> None:
    dag = await stage.client.dag(rounds=5)
    assert (dag.source, dag.last_round, dag.committed_round) == ("commits", 8, 8)
    assert [one.round for one in dag.blocks] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [one.transactions for one in dag.blocks] == [1] * 8
    assert [one.commit_index for one in dag.leaders] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert dag.leaders[-1].height == stage.chain.head.height
    assert [lane.operator for lane in dag.lanes] == [
        account_text(one.operator) for one in stage.chain.members()
    ]


@on_a_node
async def test_pictures_come_in_few_sizes_so_that_asking_for_all_draws_few(stage: Stage) -> None:
    board = DagBoard(stage.chain, consensus=lambda: None, name_of=lambda _: "", clock=stage.clock)
    with ThreadPoolExecutor(1) as readers:
        drawn = [await board.picture(rounds, readers=readers) for rounds in range(1, 61)]
    assert len({id(one) for one in drawn}) == 3


@on_a_node
async def test_commits_come_the_newest_first_and_page_by_page(stage: Stage) -> None:
    whole = await stage.client.commits()
    assert [one.height for one in whole.commits] == list(range(8, 0, -1))
    assert (whole.head, whole.certified_height, whole.is_complete) == (8, 8, True)
    assert all(one.is_final for one in whole.commits)
    first = await stage.client.commits(limit=3)
    rest = await stage.client.commits(before=first.commits[-1].height)
    assert (*first.commits, *rest.commits) == whole.commits
    assert not first.is_complete
    commit = await stage.client.commit(5)
    line = whole.commits[3]
    assert (line.digest, line.receipts) == (commit.digest, len(commit.receipts))
    assert int(line.gas_used) == sum(int(one.gas_used) for one in commit.receipts)
    assert int(line.fees) == sum(int(one.fee) for one in commit.receipts)


@on_a_node
@pytest.mark.parametrize("before", [0, 1, 2**53 - 1])
async def test_row_of_commits_ends_where_there_are_none(stage: Stage, before: int) -> None:
    row = await stage.client.commits(before=before)
    assert len(row.commits) == (8 if before > 8 else 0)
    assert row.is_complete


@on_a_node
@pytest.mark.parametrize("rounds", [0, 61, -1])
async def test_dag_has_a_bound(stage: Stage, rounds: int) -> None:
    with pytest.raises(NodeAnswerError) as caught:
        await stage.client.dag(rounds=rounds)
    assert caught.value.status == 400


@on_a_node
async def test_row_of_commits_has_a_bound(stage: Stage) -> None:
    for limit in (0, 101):
        with pytest.raises(NodeAnswerError) as caught:
            await stage.client.commits(limit=limit)
        assert caught.value.status == 400


@on_a_node
async def test_who_pages_through_the_past_has_no_newer_commit_forgotten(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = CommitRow(stage.chain, lines_max=4)
    newest = row.page(before=None, limit=4)
    assert [one.height for one in row.page(before=5, limit=4).commits] == [4, 3, 2, 1]
    # A row that reads nothing has one line more than it remembers.
    monkeypatch.setattr(commit_row, "RECEIPTS_READ_MAX", 0)
    assert row.page(before=None, limit=4) == newest
    assert len(row.page(before=None, limit=8).commits) == 5


@on_a_node
async def test_row_ends_early_where_receipts_are_many_and_goes_on_later(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_row, "RECEIPTS_READ_MAX", 2)
    row = CommitRow(stage.chain)
    first = row.page(before=None, limit=8)
    assert (len(first.commits), first.is_complete) == (3, False)
    assert len(row.page(before=None, limit=8).commits) == 6


@on_a_node
async def test_root_that_commits_share_names_the_newest_whichever_was_read_first(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with open_stage(tmp_path_factory.mktemp("idle")) as stage:
        for _ in range(4):
            await stage.proposer.commit(pause_ms=2_000)
        checkpoints = [stage.chain.checkpoint_at(Height(number)) for number in range(1, 5)]
        roots = {one.receipts_root.hex() for one in checkpoints if one is not None}
        (shared,) = roots
        row = CommitRow(stage.chain)
        row.page(before=3, limit=2)
        heights = [number for number, one in enumerate(checkpoints, 1) if one is not None]
        assert min(heights) < 3 < max(heights)
        assert row.find(shared) == max(heights)
