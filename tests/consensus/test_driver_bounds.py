"""What waits is bounded: slow peers, floods, payload, and calls that block."""

import asyncio
import threading

import pytest

from consensus.driver import (
    INBOX_BYTES_MAX,
    INBOX_ENTRIES_MAX,
    LANE_BYTES_MAX,
    LANE_MESSAGES_MAX,
    Lane,
    WriterThread,
)
from consensus.events import PayloadReturned, ReportPeer, SubscribersChanged
from consensus.messages import (
    MESSAGE_BYTES_MAX,
    MESSAGE_CODEC,
    BlockMessage,
    CommitAnswerMessage,
    CommitRequestMessage,
    LatestAnswerMessage,
)
from consensus.parameters import Tuning
from consensus.ports import Notice
from primitives.errors import StorageError
from primitives.ids import AuthorityIndex
from tests.consensus.builders import Forge
from tests.consensus.driving import (
    CONTEXT,
    GENESIS,
    Node,
    ScriptedNetwork,
    assert_alike,
    broadcasts,
    commits,
    live,
    nodes_of,
    sent,
)
from tests.dsl.virtual_time import run_jumping


def test_lane_keeps_the_newest_messages() -> None:
    async def main() -> None:
        taken: list[bytes] = []

        async def transmit(message: bytes) -> None:
            taken.append(message)
            if message == b"last":
                raise asyncio.CancelledError

        lane = Lane(transmit)
        for number in range(LANE_MESSAGES_MAX + 9):
            lane.put(b"%d" % number)
        lane.put(b"last")
        assert lane.lost_count == 10
        with pytest.raises(asyncio.CancelledError):
            await lane.run()
        assert taken == [b"%d" % number for number in range(10, LANE_MESSAGES_MAX + 9)] + [b"last"]

    asyncio.run(main())


def test_lane_is_bounded_in_bytes() -> None:
    async def main() -> None:
        taken: list[bytes] = []

        async def transmit(message: bytes) -> None:
            taken.append(message)

        lane = Lane(transmit)
        longest = bytes(LANE_BYTES_MAX)
        for message in (b"small", longest, b"a", b"b"):
            lane.put(message)
        assert lane.lost_count == 2
        lane.put(longest)
        assert lane.lost_count == 4
        async with asyncio.TaskGroup() as group:
            task = group.create_task(lane.run())
            await asyncio.sleep(0)
            lane.put(b"c")
            await asyncio.sleep(0)
            task.cancel()
        assert taken == [longest, b"c"]

    asyncio.run(main())


def test_blocked_network_stops_neither_the_core_nor_costs_memory() -> None:
    async def main() -> None:
        nodes = nodes_of(CONTEXT)
        drivers = [node.driver(CONTEXT) for node in nodes]
        blocked, driver = nodes[0], drivers[0]
        asker = nodes[1].network

        def has_lost() -> bool:
            return driver.lost_count > 0 and commits(nodes, 5)()

        async def ask() -> None:
            request = MESSAGE_CODEC.encode(CommitRequestMessage(GENESIS, 1, 1))
            while True:
                await asker.send(AuthorityIndex(0), request)
                await asyncio.sleep(0.001)

        async with asyncio.TaskGroup() as group:
            asking = group.create_task(ask())
            while_open = group.create_task(live(drivers, until=has_lost))
            await asyncio.sleep(0.1)
            blocked.network.gate.clear()
            await while_open
            asking.cancel()
        assert_alike(nodes)

    run_jumping(main())


def test_flood_waits_outside_while_the_node_is_busy() -> None:
    async def main() -> None:
        network = ScriptedNetwork()
        node = Node(0, network)
        driver = node.driver(CONTEXT)
        is_free = asyncio.Event()

        async def wait(_: Notice) -> None:
            await is_free.wait()

        node.open(CONTEXT)
        node.sinks[GENESIS].on_notice = wait
        network.give(1, b"garbage")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(driver.run())
            await asyncio.sleep(0.01)
            for _ in range(2 * INBOX_ENTRIES_MAX):
                network.give(2, b"")
            await asyncio.sleep(0.01)
            # One was taken before, and one is in the hand of the receiver.
            assert network.received_count == INBOX_ENTRIES_MAX + 2
            late = group.create_task(driver.submit((b"item",)))
            await asyncio.sleep(0.01)
            assert not late.done()
            is_free.set()
            await late
            while not network.arrivals.empty():  # noqa: ASYNC110 - in virtual time
                await asyncio.sleep(0.01)
            task.cancel()
        assert len(node.notices(ReportPeer)) > INBOX_ENTRIES_MAX

    run_jumping(main())


def test_flood_is_bounded_in_bytes() -> None:
    async def main() -> None:
        network = ScriptedNetwork()
        node = Node(0, network)
        is_free = asyncio.Event()

        async def wait(_: Notice) -> None:
            await is_free.wait()

        node.open(CONTEXT)
        node.sinks[GENESIS].on_notice = wait
        long = bytes(MESSAGE_BYTES_MAX)
        network.give(1, b"garbage")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(node.driver(CONTEXT).run())
            await asyncio.sleep(0.01)
            for _ in range(20):
                network.give(2, long)
            await asyncio.sleep(0.01)
            assert network.received_count == 1 + INBOX_BYTES_MAX // MESSAGE_BYTES_MAX + 2
            is_free.set()
            await asyncio.sleep(0.01)
            assert network.arrivals.empty()
            task.cancel()

    run_jumping(main())


def test_flood_does_not_keep_a_due_proposal_from_firing() -> None:
    async def main() -> None:
        network = ScriptedNetwork()
        node = Node(0, network)
        forge = Forge(CONTEXT)
        blocks = [BlockMessage(GENESIS, forge.block(1, author).signed) for author in (1, 2)]

        async def dawdle(_: Notice) -> None:
            await asyncio.sleep(0.002)

        async def flood() -> None:
            for peer in (1, 2):
                network.give(peer, LatestAnswerMessage(GENESIS, None))
                network.give(peer, blocks[peer - 1])
            while True:
                network.give(3, b"garbage")
                network.give(1, blocks[0])
                await asyncio.sleep(0.001)

        node.open(CONTEXT)
        node.sinks[GENESIS].on_notice = dawdle
        driver = node.driver(CONTEXT, tuning=Tuning(min_round_delay_ms=20))
        async with asyncio.TaskGroup() as group:
            flooding = group.create_task(flood())
            await live([driver], until=lambda: len(broadcasts(node)) > 1, limit_s=1)
            flooding.cancel()

    run_jumping(main())


def test_answers_leave_while_requests_still_wait() -> None:
    async def main() -> None:
        network = ScriptedNetwork()
        node = Node(0, network)
        count = 2 * LANE_MESSAGES_MAX
        for _ in range(count):
            network.give(1, CommitRequestMessage(GENESIS, 1, 1))
        driver = node.driver(CONTEXT)
        await live([driver], until=lambda: len(sent(node, CommitAnswerMessage)) == count)
        assert driver.lost_count == 0

    run_jumping(main())


def test_payload_is_committed_and_what_is_refused_comes_back() -> None:
    async def main() -> None:
        nodes = nodes_of(CONTEXT)
        drivers = [node.driver(CONTEXT) for node in nodes]
        too_long = bytes(CONTEXT.parameters.transaction_bytes_max + 1)
        await drivers[1].submit((b"first", too_long, b"second"))

        def items(node: Node) -> list[bytes]:
            sub_dags = node.calls("deliver")
            return [item for sub in sub_dags for b in sub.blocks for item in b.signed.payload]

        await live(drivers, until=lambda: all(len(items(node)) == 2 for node in nodes))
        assert {tuple(items(node)) for node in nodes} == {(b"first", b"second")}
        assert nodes[1].notices(PayloadReturned) == [PayloadReturned((too_long,))]

    run_jumping(main())


def test_node_is_told_of_its_subscribers() -> None:
    async def main() -> None:
        nodes = nodes_of(CONTEXT)
        drivers = [node.driver(CONTEXT) for node in nodes]
        await drivers[0].tell(SubscribersChanged(0))
        await live(drivers, until=commits(nodes, 3))
        assert len(broadcasts(nodes[0])) <= 1

    run_jumping(main())


def test_writer_thread_makes_one_call_after_another_elsewhere() -> None:
    async def main() -> None:
        with WriterThread() as writer:
            first, second = [await writer.call(threading.get_ident) for _ in range(2)]
            assert first == second != threading.get_ident()
            with pytest.raises(StorageError, match="full"):
                await writer.call(fail)

    def fail() -> None:
        raise StorageError("full")

    asyncio.run(main())


def test_cancelled_caller_of_the_writer_thread_waits_for_its_call() -> None:
    async def main() -> None:
        has_begun, may_end = threading.Event(), threading.Event()

        def work() -> None:
            has_begun.set()
            may_end.wait()

        with WriterThread() as writer:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(writer.call(work))
                while not has_begun.is_set():  # noqa: ASYNC110 - a thread sets it
                    await asyncio.sleep(0)
                task.cancel()
                for _ in range(5):
                    await asyncio.sleep(0)
                assert not task.done()
                may_end.set()
            assert task.cancelled()

    asyncio.run(main())
