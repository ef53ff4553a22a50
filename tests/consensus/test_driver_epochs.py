"""Drivers across restarts and epochs: nothing is signed twice, nothing served is forgotten."""

import asyncio

from consensus.block import header_digest
from consensus.driver import EPOCHS_SERVED, Driver
from consensus.events import AlarmKind, CloseEpoch, EpochCloseForced, RaiseAlarm, SubscribersChanged
from consensus.messages import (
    BlocksMessage,
    CommitAnswerMessage,
    CommitRequestMessage,
    FetchMessage,
)
from consensus.parameters import Tuning
from consensus.signer import SigningState
from primitives.ids import CommitIndex
from tests.consensus.builders import phantom
from tests.consensus.driving import (
    CONTEXT,
    GENESIS,
    Node,
    ScriptedNetwork,
    WatchedNetwork,
    assert_alike,
    broadcasts,
    commits,
    live,
    nodes_of,
    sent,
)
from tests.dsl.committee import context_of
from tests.dsl.virtual_time import run_jumping


def test_restart_goes_on_and_never_signs_a_round_twice() -> None:
    async def main() -> None:
        nodes = nodes_of(CONTEXT)
        await live([node.driver(CONTEXT) for node in nodes], until=commits(nodes, 6))
        first = nodes[0]
        before = len(broadcasts(first))
        last = first.journals[GENESIS].last()
        assert last is not None
        # The executor lost its last two commits, and is given them again.
        del first.sinks[GENESIS].delivered[-2:]
        again = [node.driver(CONTEXT) for node in nodes]
        await live(again, until=commits(nodes, 16))
        assert_alike(nodes)
        for node in nodes:
            rounds = [entry.round for entry in node.journals[GENESIS].entries]
            assert rounds == sorted(set(rounds))
        shown = broadcasts(first)
        assert len({ref.round for ref in shown}) == len(set(shown))
        assert (shown[before].round, shown[before].digest) == (last.round, last.digest)

    run_jumping(main())


def test_all_nodes_may_restart_at_once_long_before_anything_is_collected() -> None:
    async def main() -> None:
        tuning = Tuning(min_round_delay_ms=0, tick_ms=100, unacknowledged_rounds_max=4)
        context = context_of((1,) * 4)
        nodes = nodes_of(context)
        drivers = [node.driver(context, tuning=tuning) for node in nodes]
        async with asyncio.TaskGroup() as group:
            is_calm = asyncio.Event()
            running = group.create_task(live(drivers, until=is_calm.is_set))
            while not commits(nodes, 8, context)():  # noqa: ASYNC110 - in virtual time
                await asyncio.sleep(0.01)
            # Everybody falls silent, so that nothing is on its way when all of them stop.
            for driver in drivers:
                await driver.tell(SubscribersChanged(0))
            await asyncio.sleep(1)
            is_calm.set()
            await running
        again = [node.driver(context, tuning=tuning) for node in nodes]
        await live(again, until=commits(nodes, 12, context))
        assert_alike(nodes, context)

    run_jumping(main())


def test_node_without_its_journal_follows_and_signs_nothing() -> None:
    async def main() -> None:
        nodes = nodes_of(CONTEXT)
        last = nodes[3]
        last.open(CONTEXT)
        last.journals[GENESIS].lose()
        drivers = [node.driver(CONTEXT) for node in nodes]
        await live(drivers, until=commits(nodes, 3))
        assert_alike(nodes)
        assert drivers[3].cores[0].signing_state is SigningState.ABSTAINING
        assert not last.calls("broadcast")
        assert AlarmKind.JOURNAL_LOST in {alarm.kind for alarm in last.notices(RaiseAlarm)}

    run_jumping(main())


async def until_epoch(nodes: list[Node], drivers: list[Driver], count: int) -> None:
    """Run until everybody has opened so many epochs and committed in the last one."""

    def is_there() -> bool:
        return all(
            len(set(node.opened)) == count and driver.cores[-1].commit_index >= 2
            for node, driver in zip(nodes, drivers, strict=True)
        )

    await live(drivers, until=is_there)


def test_closed_epoch_hands_over_and_both_serve() -> None:
    async def main() -> None:
        nodes = nodes_of(CONTEXT, close_at=4)
        drivers = [node.driver(CONTEXT) for node in nodes]
        await until_epoch(nodes, drivers, 2)
        second = nodes[0].contexts[-1]
        for node in nodes:
            assert len(node.digests(CONTEXT)) == 4
            (close,) = node.notices(CloseEpoch)
            assert close.digest == node.digests(CONTEXT)[-1]
        assert_alike(nodes)
        assert_alike(nodes, second)
        # Both are opened again after a restart, and both answer.
        network = ScriptedNetwork()
        node = nodes[0]
        node.network = WatchedNetwork(network, node.trace)
        for context in (CONTEXT, second):
            network.give(2, CommitRequestMessage(context.genesis_digest, 1, 1))
        driver = node.driver(CONTEXT)
        await live([driver], until=lambda: len(sent(node, CommitAnswerMessage)) >= 2)
        assert [core.is_closed for core in driver.cores] == [True, False]
        answers = [answer for _, answer in sent(node, CommitAnswerMessage)[-2:]]
        assert {answer.genesis for answer in answers} == {GENESIS, second.genesis_digest}
        assert all(len(answer.commits) == 1 for answer in answers)

    run_jumping(main())


def test_only_the_epoch_before_the_running_one_is_served() -> None:
    async def main() -> None:
        nodes = nodes_of(CONTEXT, close_at=3)
        drivers = [node.driver(CONTEXT) for node in nodes]
        async with asyncio.TaskGroup() as group:
            group.create_task(until_epoch(nodes, drivers, 3))
            while len(set(nodes[0].opened)) < 2:  # noqa: ASYNC110 - in virtual time
                await asyncio.sleep(0.01)
            for driver in drivers:
                await driver.tell(EpochCloseForced(CommitIndex(6)))
        for node, driver in zip(nodes, drivers, strict=True):
            assert len(driver.cores) == EPOCHS_SERVED == 2
            assert node.opened == [0, 1, 2]
            assert [len(node.digests(context)) for context in node.contexts[:2]] == [3, 6]

    run_jumping(main())


def test_block_that_memory_forgot_is_served_from_the_store() -> None:
    async def main() -> None:
        nodes = nodes_of(CONTEXT)
        drivers = [node.driver(CONTEXT) for node in nodes]
        first = nodes[0]
        await live(drivers, until=commits(nodes, 12))
        assert drivers[0].cores[0].clock_round > 12
        old = broadcasts(first)[0]
        network = ScriptedNetwork()
        first.network = WatchedNetwork(network, first.trace)
        network.give(1, FetchMessage(GENESIS, (phantom(1, 2),), ()))
        network.give(2, FetchMessage(GENESIS, (old,), ()))

        def answers() -> list[int]:
            return [
                peer
                for peer, message in sent(first, BlocksMessage)
                if [header_digest(signed.header) for signed in message.blocks] == [old.digest]
            ]

        await live([first.driver(CONTEXT)], until=lambda: bool(answers()))
        assert answers() == [2]

    run_jumping(main())
