"""Rounds are judged by what was seen of them, also when the next one opens in the same commit."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest
import pytest_asyncio

from node.chain.feed import CommitExecuted
from node.chain.proofs import FIRST_EPOCH
from node.federation import calls
from node.federation.calls import ROUNDS
from node.ledger.receipt import Event
from node.rpc.judgement_desk import JudgementDesk
from node.rpc.round_history import RoundIndex
from node.rpc.round_shelf import RoundShelf
from node.rpc.round_watch import RoundWatch
from primitives.ids import CommitIndex, Digest, Grain, Height, TimestampMs
from tests.fl import cast
from tests.rpc.offers import create_task
from tests.rpc.played import HONEST, PAUSE_MS, VALIDATORS, Played
from tests.rpc.stage import Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Yield a node after a round whose guard, settlement and successor came in one commit."""
    async with open_stage(tmp_path_factory.mktemp("node")) as stage:
        played = Played(stage, trainers=("alice",))
        await played.register()
        await stage.send(create_task(rounds=4), sender="alice")
        await stage.send(create_task(rounds=1), sender="alice")
        await played.train()
        for _ in range(4):
            await stage.send(calls.top_up(1, amount=Grain(1)), sender="bob")
        await played.hold(0b1)
        await played.score([HONEST])
        await played.vote()
        await played.report(by=VALIDATORS[:3])
        proposer = stage.proposer
        proposer.now_ms = TimestampMs(proposer.now_ms + PAUSE_MS)
        steps = (calls.advance(0, steps=16), calls.open_round(0))
        await stage.commit(*(proposer.sign(step, sender="bob") for step in steps))
        assert played.running.number == 1
        yield stage


async def test_round_that_ends_as_the_next_one_opens_is_explained(stage: Stage) -> None:
    judged = await stage.client.judgement(0, 0)
    assert (judged.outcome, judged.source, judged.version) == ("committed", "seen", 1)
    (update,) = judged.updates
    assert (update.verdict, update.score) == ("accepted", "100")
    vesting = stage.context.federation.vesting(0, cast.address("alice"))
    assert update.earned == str(vesting.amounts[0])
    (rung,) = judged.rungs
    assert (len(rung.votes), len(rung.reports), rung.result) == (4, 3, "committed")
    assert rung.medians == tuple(map(str, cast.OK_REPORT))


async def test_shares_that_nobody_saw_are_unknown(stage: Stage) -> None:
    judged = await stage.client.judgement(0, 0)
    assert {(one.paid, one.paid_storage) for one in judged.seats} == {(None, None)}
    assert judged.money.storage is None
    assert int(judged.money.validators or 0) > 0


async def test_the_next_round_starts_with_an_empty_record(stage: Stage) -> None:
    judged = await stage.client.judgement(0, 1)
    assert (judged.outcome, judged.phase, judged.rungs) == ("running", "commit", ())


async def test_round_that_has_ended_stays_as_it_was_when_history_comes_again(stage: Stage) -> None:
    shelf = RoundShelf(stage.folder / "rounds", chain_id=stage.chain.chain_id)
    kept = shelf.get(0, 0)
    assert kept is not None
    history = await stage.client.round_history(0, 0)
    again = RoundWatch(stage.chain, shelf)
    for phase in history.phases:
        again.take(executed(stage, Height(phase.height)))
        assert shelf.get(0, 0) == kept


async def test_commit_that_cannot_be_read_does_not_end_the_watch(stage: Stage) -> None:
    shelf, feed = RoundShelf(), stage.chain.feed
    history = await stage.client.round_history(0, 0)
    good = executed(stage, Height(history.phases[-1].height))
    event = Event(ROUNDS, "RoundEnded", b"no fields")
    receipt = msgspec.structs.replace(good.receipts[0], events=(event,))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(RoundWatch(stage.chain, shelf).run())
        await asyncio.sleep(0)
        for commit in (msgspec.structs.replace(good, receipts=(receipt,)), good):
            feed.publish(commit)
        for _ in range(1_000):
            if shelf.get(0, 0) is not None:
                break
            await asyncio.sleep(0.01)
        running.cancel()
    assert shelf.get(0, 0) is not None


async def test_payments_are_found_between_events_of_other_tasks(stage: Stage) -> None:
    federation = stage.context.federation
    whole = await stage.client.judgement(0, 0)
    for page in (1, 3):
        desk = JudgementDesk(stage.context, RoundIndex(stage.chain), page_events=page)
        assert desk.judgement(0, 0, federation=federation).money == whole.money


async def test_sums_are_unknown_where_payments_were_not_all_read(stage: Stage) -> None:
    desk = JudgementDesk(stage.context, RoundIndex(stage.chain), page_events=3, pages_max=3)
    money = desk.judgement(0, 0, federation=stage.context.federation).money
    assert (money.validators, money.burned, money.bonds, money.returned) == (None,) * 4
    assert money.trainers is not None


async def test_what_was_earned_is_unknown_without_the_numbers_of_the_round(stage: Stage) -> None:
    record = stage.watch.find(0, 0)
    assert record is not None
    shelf = RoundShelf()
    shelf.put(msgspec.structs.replace(record, numbers=None))
    context = replace(stage.context, rounds=RoundWatch(stage.chain, shelf))
    desk = JudgementDesk(context, RoundIndex(stage.chain))
    judged = desk.judgement(0, 0, federation=context.federation)
    assert (judged.updates[0].verdict, judged.updates[0].earned) == ("accepted", None)
    assert (judged.money.trainers, judged.money.returned) == (None, None)


def executed(stage: Stage, height: Height) -> CommitExecuted:
    """Return a commit as the feed told it."""
    record, receipts = stage.chain.record_at(height), stage.chain.receipts(height)
    assert record is not None
    assert receipts is not None
    return CommitExecuted(
        epoch=FIRST_EPOCH,
        commit_index=CommitIndex(1),
        height=height,
        time_ms=record.time_ms,
        digest=record.commit_digest,
        state_root=Digest(bytes(32)),
        receipts=receipts,
        checkpoint=None,
        next_members=None,
    )
