"""The shell: order of effects, fail-stop, restarts, epochs, back-pressure, and whom it blames."""

import asyncio
from collections.abc import Callable

import pytest

from consensus.events import ReportPeer, StoreBlocks, StoreCommit
from consensus.messages import MESSAGE_CODEC, BlockMessage, LatestAnswerMessage
from consensus.parameters import Tuning
from consensus.ports import Notice
from consensus.verifier import BlockVerifier
from primitives.errors import StorageError
from primitives.ids import AuthorityIndex, Digest
from tests.conformance.block_store import JOURNAL_CASES, STORE_CASES, JournalCase, StoreCase
from tests.conformance.memory import MemoryDisk, MemoryJournal
from tests.consensus.builders import Forge
from tests.consensus.driving import (
    CONTEXT,
    GENESIS,
    Node,
    ScriptedNetwork,
    T,
    Trace,
    WatchedJournal,
    WatchedStore,
    assert_alike,
    broadcasts,
    commits,
    live,
    nodes_of,
)
from tests.dsl.committee import context_of
from tests.dsl.virtual_time import run_jumping


class WatchedDisk:
    """A disk whose stores are watched."""

    def __init__(self) -> None:
        self.disk = MemoryDisk()

    def open(self) -> WatchedStore:
        return WatchedStore(self.disk.open(), [])


class WatchedJournalDisk:
    """The same for journals."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()

    def open(self) -> WatchedJournal:
        return WatchedJournal(self.journal, [])

    def lose(self) -> None:
        self.journal.lose()


@pytest.mark.parametrize("case", STORE_CASES, ids=lambda case: case.__name__)
def test_watched_store_conforms(case: StoreCase) -> None:
    case(WatchedDisk)


@pytest.mark.parametrize("case", JOURNAL_CASES, ids=lambda case: case.__name__)
def test_watched_journal_conforms(case: JournalCase) -> None:
    case(WatchedJournalDisk)


def test_four_drivers_commit_alike() -> None:
    async def main() -> None:
        nodes = nodes_of(CONTEXT)
        await live([node.driver(CONTEXT) for node in nodes], until=commits(nodes, 12))
        assert_alike(nodes)

    run_jumping(main())


class SlowDisk:
    """Makes blocking calls one at a time, and each takes a while."""

    def __init__(self) -> None:
        self.is_busy = False

    async def call(self, work: Callable[[], T]) -> T:
        assert not self.is_busy, "two blocking calls at once"
        self.is_busy = True
        await asyncio.sleep(0.001)
        result = work()
        await asyncio.sleep(0.001)
        self.is_busy = False
        return result


def test_effects_end_in_order_and_are_durable_before_they_are_visible() -> None:
    async def main() -> None:
        nodes = nodes_of(CONTEXT)
        drivers = [node.driver(CONTEXT, blocking=SlowDisk()) for node in nodes]
        await live(drivers, until=commits(nodes, 8))
        assert_alike(nodes)
        for node in nodes:
            assert_durable_first(node.trace)

    run_jumping(main())


def assert_durable_first(trace: Trace) -> None:
    """Check that what is shown was stored, synced and, if it is a block, journalled, in order."""
    stored: set[Digest] = set()
    durable: set[Digest] = set()
    journalled: set[Digest] = set()
    verifier = BlockVerifier(CONTEXT)
    for call in trace:
        match call.name, call.argument:
            case "append", StoreBlocks() as write:
                stored.update(block.ref.digest for block in write.blocks)
            case "append", StoreCommit() as write:
                stored.add(write.digest)
            case "sync", _:
                durable |= stored
            case "journal", entries:
                assert durable >= {entry.digest for entry in entries}
                journalled.update(entry.digest for entry in entries)
            case "deliver", sub_dag:
                assert sub_dag.digest in durable
            case "broadcast", raw:
                message = MESSAGE_CODEC.decode(raw)
                assert isinstance(message, BlockMessage)
                assert verifier.parse(message.block).ref.digest in journalled
            case _:
                pass
    assert journalled


def test_what_a_killed_process_left_unsynced_is_durable_before_it_is_shown() -> None:
    async def main() -> None:
        node = Node(0, ScriptedNetwork())
        node.open(CONTEXT).store.append(StoreBlocks((Forge(CONTEXT).block(1, 0),)))
        assert node.disks[GENESIS].unsynced_count == 1
        await live([node.driver(CONTEXT)], until=lambda: bool(node.calls("broadcast")))
        assert_durable_first(node.trace)

    run_jumping(main())


def test_failing_sync_stops_the_driver_and_shows_nothing_after() -> None:
    async def main() -> None:
        nodes = nodes_of(CONTEXT)
        nodes[0].syncs_left = 9
        async with asyncio.TaskGroup() as group:
            drivers = [node.driver(CONTEXT) for node in nodes]
            others = group.create_task(live(drivers[1:], until=lambda: False))
            with pytest.raises(StorageError, match="the disk is gone"):
                await drivers[0].run()
            await asyncio.sleep(1)
            others.cancel()
        assert nodes[0].calls("broadcast")
        assert nodes[0].trace[-1].name == "failed sync"

    run_jumping(main())


def test_bug_in_an_adapter_stops_the_driver_as_it_is() -> None:
    async def main() -> None:
        network = ScriptedNetwork()
        node = Node(0, network)
        driver = node.driver(CONTEXT)

        async def fail(_: Notice) -> None:
            raise ZeroDivisionError

        network.give(1, b"garbage")
        node.open(CONTEXT)
        node.sinks[GENESIS].on_notice = fail
        with pytest.raises(ExceptionGroup) as caught:
            await driver.run()
        assert caught.group_contains(ZeroDivisionError)

    run_jumping(main())


def test_peer_that_sends_garbage_is_reported_and_nothing_stops() -> None:
    async def main() -> None:
        nodes = nodes_of(CONTEXT)
        network = nodes[2].network

        async def spoil() -> None:
            for _ in range(3):
                await network.send(AuthorityIndex(0), b"\xc1 garbage")
                await asyncio.sleep(0.03)

        async with asyncio.TaskGroup() as group:
            group.create_task(spoil())
            await live([node.driver(CONTEXT) for node in nodes], until=commits(nodes, 5))
        reports = nodes[0].notices(ReportPeer)
        assert [report.peer for report in reports] == [2, 2, 2]
        assert reports[0].reason.startswith("malformed_bytes: ")
        assert not nodes[1].notices(ReportPeer)

    run_jumping(main())


def test_message_of_an_unknown_epoch_is_ignored() -> None:
    async def main() -> None:
        other = context_of((1,) * 4, chain=2)
        network = ScriptedNetwork()
        node = Node(0, network)
        network.give(1, LatestAnswerMessage(other.genesis_digest, None))
        await live([node.driver(CONTEXT)], until=network.arrivals.empty)
        assert not node.calls("notify")

    run_jumping(main())


def test_cancelled_driver_leaves_no_task_and_no_timer_behind() -> None:
    async def main() -> None:
        nodes = nodes_of(CONTEXT)
        await live([nodes[0].driver(CONTEXT)], until=lambda: bool(nodes[0].calls("send")))
        calls = len(nodes[0].trace)
        await asyncio.sleep(5)
        assert len(nodes[0].trace) == calls

    run_jumping(main())


def test_what_arrived_by_the_time_a_proposal_is_due_is_among_its_ancestors() -> None:
    async def main() -> None:
        network = ScriptedNetwork()
        node = Node(0, network)
        driver = node.driver(CONTEXT, tuning=Tuning(min_round_delay_ms=50))
        forge = Forge(CONTEXT)
        is_free = asyncio.Event()

        async def wait(_: Notice) -> None:
            await is_free.wait()

        def stream(author: int) -> None:
            network.give(author, BlockMessage(GENESIS, forge.block(1, author).signed))

        async with asyncio.TaskGroup() as group:
            task = group.create_task(driver.run())
            for peer in (1, 2):
                network.give(peer, LatestAnswerMessage(GENESIS, None))
            await asyncio.sleep(0.01)
            node.sinks[GENESIS].on_notice = wait
            stream(1)
            stream(2)
            await asyncio.sleep(0.01)
            # A quorum for round 2 is here, and its proposal due at 50 ms; the node is busy then.
            network.give(3, b"garbage")
            await asyncio.sleep(0.01)
            stream(3)
            await asyncio.sleep(0.1)
            assert len(broadcasts(node)) == 1
            is_free.set()
            await asyncio.sleep(0.01)
            task.cancel()
        own = [block for write in node.calls("append") for block in write.blocks][-1]
        assert (own.round, own.author) == (2, 0)
        assert [ref.author for ref in own.header.ancestors] == [0, 1, 2, 3]

    run_jumping(main())
