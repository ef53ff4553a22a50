"""Who takes part, what became of it round by round, and the search that finds it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from node.chain.chain import Chain
from node.chain.index import EventPlace
from node.federation import calls
from node.rpc import participant_ledger
from node.rpc.errors import NodeAnswerError, NotFoundError, UnavailableError
from node.rpc.participant_index import ParticipantIndex
from node.rpc.round_history import RoundIndex
from node.rpc.texts import account_text
from node.storage.state_view import StateView
from primitives.ids import Address, Height
from tests.chain.founded import address_of
from tests.fl import cast
from tests.rpc.offers import DOCUMENT, FIRST_MODEL, create_task
from tests.rpc.played import HARMFUL, HONEST, VALIDATORS, Played
from tests.rpc.stage import Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALICE, BOB, CAROL = (account_text(address_of(name)) for name in ("alice", "bob", "carol"))
LIAR = account_text(address_of("validator-2"))


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Yield a node after a round with a harmful and a silent trainer, and a lying validator."""
    async with open_stage(tmp_path_factory.mktemp("node")) as stage:
        played = Played(stage)
        await played.register()
        await stage.send(create_task(rounds=4), sender="alice")
        await stage.send(calls.publish(0, title="Cells of the BLOOD"), sender="alice")
        await played.train(silent=["carol"])
        await played.hold(0b011)
        await played.score([HONEST, HARMFUL, HONEST])
        await played.vote(liars=["validator-2"])
        await played.report()
        await played.end()
        yield stage


async def test_everybody_is_listed_once_in_the_order_of_addresses(stage: Stage) -> None:
    page = await stage.client.participants()
    assert (page.count, page.is_complete) == (7, True)
    everybody = sorted(address_of(name) for name in ("alice", "bob", "carol", *VALIDATORS))
    assert [one.address for one in page.participants] == list(map(account_text, everybody))
    first = await stage.client.participants(limit=3)
    assert not first.is_complete
    rest = await stage.client.participants(after=first.participants[-1].address)
    assert (*first.participants, *rest.participants) == page.participants


async def test_participant_has_name_tasks_and_counts(stage: Stage) -> None:
    alice = await stage.client.participant(ALICE)
    assert (alice.name, alice.organisation, alice.role) == ("alice", "lab-alice", "client")
    assert (alice.tasks, alice.updates, alice.accepted, alice.faults) == ((0,), 1, 1, 0)
    assert alice.validator is None
    assert (await stage.client.participant(CAROL)).faults == 1


async def test_validator_has_standing_and_attendance(stage: Stage) -> None:
    liar = await stage.client.participant(LIAR)
    assert liar.validator is not None
    assert (liar.validator.standing, liar.validator.absences) == ("good", 0)
    assert 0 < liar.validator.rounds_attended <= liar.validator.rounds_most
    assert (liar.registered_at, liar.name, liar.faults) == (0, "", 1)


async def test_history_of_a_trainer_follows_its_reputation_and_pay(stage: Stage) -> None:
    history = await stage.client.participant_history(ALICE, task=0)
    (part,) = history.rounds
    assert (part.round, part.outcome, part.verdict) == (0, "committed", "accepted")
    assert (part.score, part.weight) == ("100", "65536")
    standing = stage.context.federation.standing(0, address_of("alice"))
    assert part.reputation == str(standing.reputation)
    vesting = stage.context.federation.vesting(0, address_of("alice"))
    assert part.earned == str(sum(vesting.amounts))
    assert [one.purpose for one in history.rewards] == ["bond"]
    assert history.is_complete


async def test_refused_trainer_sees_why_and_what_it_cost(stage: Stage) -> None:
    bob = await stage.client.participant_history(BOB, task=0)
    assert (bob.rounds[0].verdict, bob.rounds[0].score) == ("low_quality", "-900")
    assert (bob.rounds[0].earned, bob.faults) == ("0", ())
    assert int(bob.rounds[0].reputation or 0) < int(bob.initial_reputation)
    carol = await stage.client.participant_history(CAROL, task=0)
    assert (carol.rounds[0].verdict, carol.rounds[0].score) == ("withheld", None)
    (fault,) = carol.faults
    assert (fault.code, fault.basis_points, fault.dispute) == ("withheld_update", 0, None)


async def test_fault_leads_to_its_evidence_and_its_dispute(stage: Stage) -> None:
    history = await stage.client.participant_history(LIAR, task=0)
    (fault,) = history.faults
    assert (fault.code, fault.round, fault.basis_points) == ("wrong_aggregate", 0, 3_000)
    commit = await stage.client.commit(fault.height)
    event = commit.receipts[fault.receipt_index].events[fault.event_index]
    assert (event.name, event.fields["who"]) == ("SlashRequested", LIAR)
    assert fault.dispute is not None
    assert (fault.dispute.number, fault.dispute.state) == (0, "waiting")
    assert int(history.rounds[0].paid) > 0
    assert {one.purpose for one in history.rewards} == {"validation"}


async def test_question_reads_a_few_pages_and_the_next_one_goes_on(stage: Stage) -> None:
    index, refusals = ParticipantIndex(stage.context, pages_max=2, page_events=5), 0
    answer = None
    while answer is None:
        try:
            answer = index.page(after=None, limit=50)
        except UnavailableError:
            refusals += 1
    assert refusals >= 3
    whole = ParticipantIndex(stage.context)
    assert answer == whole.page(after=None, limit=50)
    for name, who in (("alice", ALICE), ("bob", BOB), ("carol", CAROL), ("validator-2", LIAR)):
        shown = index.history(address_of(name), 0, federation=stage.context.federation)
        assert shown == await stage.client.participant_history(who, task=0)


async def test_no_state_stays_open_from_page_to_page(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, seen = 0, list[int]()
    view, close, events = Chain.view, StateView.close, Chain.events

    def opening(chain: Chain, height: Height | None = None) -> StateView:
        nonlocal opened
        opened += 1
        return view(chain, height)

    def closing(state: StateView) -> None:
        nonlocal opened
        opened -= 1
        close(state)

    def reading(chain: Chain, contract: Address, **asked: Any) -> tuple[EventPlace, ...]:  # noqa: ANN401 - passed on
        seen.append(opened)
        return events(chain, contract, **asked)

    monkeypatch.setattr(Chain, "view", opening)
    monkeypatch.setattr(StateView, "close", closing)
    monkeypatch.setattr(Chain, "events", reading)
    ParticipantIndex(stage.context, page_events=5).page(after=None, limit=50)
    of_participants = len(seen)
    RoundIndex(stage.chain, page_events=5).history(0, 0, federation=stage.context.federation)
    assert of_participants > 5
    assert len(seen) > of_participants + 5
    assert set(seen) == {0}


async def test_index_of_rounds_reads_a_few_pages_and_the_next_question_goes_on(
    stage: Stage,
) -> None:
    index, refusals = RoundIndex(stage.chain, pages_max=2, page_events=3), 0
    history = None
    while history is None:
        try:
            history = index.history(0, 0, federation=stage.context.federation)
        except UnavailableError:
            refusals += 1
    assert refusals >= 2
    assert history == await stage.client.round_history(0, 0)


async def test_full_index_says_that_it_leaves_some_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(participant_ledger, "PEOPLE_MAX", 1)
    index = ParticipantIndex(stage.context)
    assert not index.page(after=None, limit=50).is_complete
    with pytest.raises(NotFoundError, match="full"):
        index.one(address_of("nobody"))
    with pytest.raises(NotFoundError, match="full"):
        index.history(address_of("nobody"), 0, federation=stage.context.federation)


async def test_who_revokes_an_identity_keeps_its_history(stage: Stage) -> None:
    await stage.send(calls.revoke(address_of("carol")), sender="carol")
    carol = await stage.client.participant(CAROL)
    assert (carol.name, carol.registered_at, carol.updates) == ("", 0, 1)
    await stage.send(calls.register("carol-2"), sender="carol")
    assert (await stage.client.participant(CAROL)).name == "carol-2"


async def test_strangers_and_other_tasks_are_not_found(stage: Stage) -> None:
    nobody = account_text(address_of("nobody"))
    for question in (
        stage.client.participant(nobody),
        stage.client.participant_history(nobody, task=0),
        stage.client.participant_history(ALICE, task=3),
    ):
        with pytest.raises(NodeAnswerError) as caught:
            await question
        assert caught.value.status == 404


async def paths(stage: Stage, text: str) -> list[str]:
    return [hit.path for hit in await stage.client.search(text)]


async def test_search_finds_names_titles_and_numbers(stage: Stage) -> None:
    assert await paths(stage, "Lab-Ali") == [f"#/participant/{ALICE}"]
    assert await paths(stage, " blood ") == ["#/task/0"]
    assert await paths(stage, "0") == ["#/task/0"]
    assert await paths(stage, "1") == ["#/commit/1"]
    assert await paths(stage, ALICE) == [f"#/participant/{ALICE}", f"#/account/{ALICE}"]
    assert await paths(stage, address_of("alice").hex()) == await paths(stage, ALICE)


async def test_search_finds_every_kind_of_hash(stage: Stage) -> None:
    head = await stage.client.head()
    commit = await stage.client.commit(head.height)
    assert commit.checkpoint is not None
    here = f"#/commit/{head.height}"
    for name in (commit.digest, commit.checkpoint.digest, head.state_root):
        assert here in await paths(stage, name)
    transaction = commit.receipts[-1].transaction_id
    assert await paths(stage, f"0x{transaction.upper()}") == [f"#/tx/{transaction}"]
    model = (await stage.client.versions(0)).versions[0].model
    assert await paths(stage, model) == ["#/model/0/1"]
    assert await paths(stage, FIRST_MODEL.hex()) == ["#/model/0/0"]
    assert await paths(stage, cast.root_of("alice").hex()) == ["#/round/0/0"]
    rounds = (await stage.client.contract("rounds")).address
    assert await paths(stage, rounds) == [f"#/contract/{rounds}"]


@pytest.mark.parametrize(
    "text", [DOCUMENT.hex(), "<script>", "no such thing", "did:key:z6Mk", "9" * 15, "\u202e", "a b"]
)
async def test_search_without_a_hit_is_an_empty_answer(stage: Stage, text: str) -> None:
    assert await paths(stage, text) == []


@pytest.mark.parametrize("text", ["", "x" * 201])
async def test_search_refuses_nothing_and_too_much(stage: Stage, text: str) -> None:
    with pytest.raises(NodeAnswerError) as caught:
        await stage.client.search(text)
    assert caught.value.status == 400


async def test_search_shows_twenty_hits_at_most(stage: Stage) -> None:
    assert len(await stage.client.search("a")) <= 20
