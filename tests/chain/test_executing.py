"""The chain executes each commit once, in its place, durably, and then tells it."""

import asyncio
import threading
from pathlib import Path

import msgspec
import pytest

from consensus.commit import CommittedSubDag, commit_digest
from node.chain.chain import Chain
from node.chain.errors import CommitForkError, CommitGapError, ForeignEpochError
from node.chain.feed import CommitExecuted
from node.execution.commit import Closing
from node.ledger.account import Account, balance_of
from node.ledger.receipt import ReceiptStatus
from node.ledger.transaction import SignedTransaction, Transfer
from node.storage.errors import ForeignDatabaseError
from primitives.errors import InvalidCommitError
from primitives.ids import CommitIndex, Digest, Epoch, Grain, Height
from tests.chain.founded import BALANCE, address_of, chain_at, genesis_file
from tests.chain.proposer import Proposer, sub_dag

PAY_BOB = Transfer(address_of("bob"), Grain(5))
HOUR_MS = 3_600_000


def balance(chain: Chain, name: str) -> int:
    """Return the money of an account at the head."""
    with chain.view() as view:
        return balance_of(view, address_of(name))


@pytest.mark.asyncio
async def test_chain_is_founded_at_height_0(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        assert (chain.head.height, chain.head.epoch, chain.head.commit_index) == (0, 0, 0)
        assert chain.certified is None
        assert chain.record_at(Height(0)) is not None
        assert balance(chain, "alice") == BALANCE
        assert len(chain.members()) == 4
        assert chain.parameters == chain.genesis.parameters


@pytest.mark.asyncio
async def test_commit_moves_the_head_and_is_told(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain, chain.feed.subscribe() as events:
        proposer = Proposer(chain)
        executed = await proposer.send(PAY_BOB)
        assert await anext(events) == executed
        assert [receipt.status for receipt in executed.receipts] == [ReceiptStatus.DONE]
        assert executed.checkpoint is not None
        assert executed.checkpoint.state_root == executed.state_root == chain.head.state_root
        assert chain.checkpoint_at(executed.height) == executed.checkpoint
        assert chain.receipts(executed.height) == executed.receipts
        assert chain.receipt(executed.height, 0) == executed.receipts[0]
        assert (chain.head.height, chain.head.commit_index) == (1, 1)
        assert chain.head.checkpoint_count == 1
        assert balance(chain, "bob") == BALANCE + 5


@pytest.mark.asyncio
async def test_idle_commit_has_no_checkpoint(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        executed = await Proposer(chain).commit()
        assert executed.checkpoint is None
        assert chain.checkpoint_at(executed.height) is None
        assert chain.head.checkpoint_count == 0


@pytest.mark.asyncio
async def test_commit_that_comes_again_is_executed_once(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain, chain.feed.subscribe() as events:
        proposer = Proposer(chain)
        first = proposer.order(proposer.sign(PAY_BOB, sender="alice"))
        assert await chain.execute(first) is not None
        second = proposer.order()
        assert await chain.execute(second) is not None
        head = chain.head
        for again in (first, second):
            assert await chain.execute(again) is None
        assert chain.head == head
        assert [isinstance(await anext(events), CommitExecuted) for _ in range(2)] == [True] * 2
        assert balance(chain, "bob") == BALANCE + 5


@pytest.mark.asyncio
async def test_commit_of_a_closed_epoch_that_comes_again_is_no_new_one(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        closing = proposer.order(pause_ms=HOUR_MS)
        executed = await chain.execute(closing)
        assert executed is not None
        assert executed.next_members == chain.members()
        assert chain.head.epoch == 1
        assert await chain.execute(closing) is None
        await proposer.commit(pause_ms=HOUR_MS)
        await proposer.commit()
        assert chain.head.epoch == 2
        assert await chain.execute(closing) is None


@pytest.mark.asyncio
async def test_commits_that_do_not_follow_are_refused(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        first = proposer.order()
        await chain.execute(first)
        for index in (0, 3):
            wrong = msgspec.structs.replace(proposer.order().commit, index=CommitIndex(index))
            with pytest.raises(CommitGapError, match=f"expected commit 2 of epoch 0, got {index}"):
                await chain.execute(_again(wrong, like=first))
        foreign = msgspec.structs.replace(first.commit, genesis=Digest(b"x" * 32))
        with pytest.raises(ForeignEpochError, match="is not epoch 0"):
            await chain.execute(_again(foreign, like=first))
        assert chain.head.height == 1


@pytest.mark.asyncio
async def test_fork_of_consensus_is_noticed(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        first = proposer.order()
        await chain.execute(first)
        other = msgspec.structs.replace(first.commit, timestamp_ms=first.commit.timestamp_ms + 1)
        with pytest.raises(CommitForkError, match="commit 1 of epoch 0 has digest"):
            await chain.execute(_again(other, like=first))
        child = msgspec.structs.replace(proposer.order().commit, previous=Digest(b"x" * 32))
        with pytest.raises(CommitForkError):
            await chain.execute(_again(child, like=first))
        assert issubclass(CommitForkError, InvalidCommitError)


def _again(commit: object, *, like: CommittedSubDag) -> CommittedSubDag:
    assert isinstance(commit, type(like.commit))
    return CommittedSubDag(commit, digest=commit_digest(commit), blocks=like.blocks)


@pytest.mark.asyncio
async def test_operators_may_close_the_epoch_early(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        executed = await chain.execute(Proposer(chain).order(), closing=Closing.FORCED)
        assert executed is not None
        assert executed.next_members is not None
        assert (chain.head.epoch, chain.head.commit_index) == (1, 0)


@pytest.mark.asyncio
async def test_chain_that_is_opened_again_goes_on_where_it_was(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        last = proposer.order()
        for sub in (last, proposer.order):
            await chain.execute(sub if isinstance(sub, CommittedSubDag) else sub())
        await proposer.send(PAY_BOB)
        head = chain.head
    with chain_at(tmp_path) as chain:
        assert chain.head == head
        assert await chain.execute(last) is None
        await Proposer(chain).send(PAY_BOB, sender="carol")
        assert chain.head.height == head.height + 1
        assert balance(chain, "bob") == BALANCE + 10


@pytest.mark.asyncio
async def test_ledger_of_another_genesis_or_node_is_refused_in_one_line(tmp_path: Path) -> None:
    with chain_at(tmp_path):
        pass
    other = genesis_file(validators=5)
    with (
        pytest.raises(ForeignDatabaseError, match="belongs to another chain") as caught,
        chain_at(tmp_path, genesis=other),
    ):
        pass
    assert "\n" not in str(caught.value)
    with (
        pytest.raises(ForeignDatabaseError, match="belongs to another node"),
        chain_at(tmp_path, node_id=b"other"),
    ):
        pass


@pytest.mark.asyncio
async def test_event_loop_runs_on_while_a_commit_executes(tmp_path: Path) -> None:
    entered, may_go_on = threading.Event(), threading.Event()

    def check(_: SignedTransaction, __: Account) -> None:
        entered.set()
        assert may_go_on.wait(timeout=10)

    with chain_at(tmp_path, check=check) as chain:
        proposer = Proposer(chain)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(proposer.send(PAY_BOB))
            assert await asyncio.to_thread(entered.wait, 10)
            assert chain.head.height == 0
            may_go_on.set()
        assert running.result().height == chain.head.height == 1


@pytest.mark.asyncio
async def test_head_moves_although_the_caller_was_cancelled(tmp_path: Path) -> None:
    entered, may_go_on = threading.Event(), threading.Event()

    def check(_: SignedTransaction, __: Account) -> None:
        entered.set()
        assert may_go_on.wait(timeout=10)

    with chain_at(tmp_path, check=check) as chain, chain.feed.subscribe() as events:
        proposer = Proposer(chain)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(proposer.send(PAY_BOB))
            assert await asyncio.to_thread(entered.wait, 10)
            running.cancel()
            await asyncio.sleep(0)
            may_go_on.set()
        async with asyncio.timeout(10):
            told = await anext(events)
        assert isinstance(told, CommitExecuted)
        assert told.height == chain.head.height == 1
        await proposer.commit()
        assert chain.head.height == 2


@pytest.mark.asyncio
async def test_commits_that_are_given_together_execute_in_order(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        context, now_ms = chain.context(), Proposer(chain).now_ms
        first = Proposer(chain).order()
        second = sub_dag(
            context,
            index=CommitIndex(2),
            previous=first.digest,
            payload=(),
            time_ms=now_ms,
        )
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(chain.execute(sub)) for sub in (first, second)]
        assert [task.result() is not None for task in tasks] == [True, True]
        assert chain.head.height == 2


@pytest.mark.asyncio
async def test_last_commit_of_each_epoch_is_known(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        for pause_ms in (1, HOUR_MS, 1, 1, HOUR_MS, 1):
            await proposer.commit(pause_ms=pause_ms)
        assert [chain.executed_in(Epoch(epoch)) for epoch in range(3)] == [2, 3, 1]
