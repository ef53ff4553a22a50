import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from consensus.events import (
    AlarmKind,
    CloseEpoch,
    PayloadReturned,
    PublishEvidence,
    RaiseAlarm,
    ReportPeer,
)
from consensus.evidence import Evidence
from node.chain.errors import CommitForkError
from node.signatures.checks import foresee_nothing
from node.validator.executor import COMMITS_WAITING_MAX, EpochSink, Executor
from primitives.ids import AuthorityIndex, CommitIndex, Digest
from tests.chain.founded import chain_at
from tests.chain.proposer import Proposer

EVIDENCE = Evidence(b"one", bytes(64), b"other", bytes(64))


class Neighbours:
    """Write down what they are told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def returned(self, items: tuple[bytes, ...]) -> None:
        self.told.append(items)

    def blame(self, genesis: Digest, seat: AuthorityIndex, reason: str) -> None:
        self.told.append((genesis, seat, reason))

    def accuse(self, evidence: Evidence) -> None:
        self.told.append(evidence)


def in_scene(
    folder: Path,
    scene: Callable[[Proposer, Executor, EpochSink, Neighbours], Coroutine[None, None, None]],
) -> None:
    async def play() -> None:
        with chain_at(folder) as chain:
            executor, neighbours = Executor(chain, foresee=foresee_nothing), Neighbours()
            sink = EpochSink(
                chain.context(),
                executor=executor,
                executed_in=chain.executed_in,
                bystanders=neighbours,
            )
            await scene(Proposer(chain), executor, sink, neighbours)

    asyncio.run(play())


def test_commits_are_executed_in_order_and_once(tmp_path: Path) -> None:
    async def scene(proposer: Proposer, executor: Executor, sink: EpochSink, _: object) -> None:
        first = proposer.order()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(executor.run())
            for sub_dag in (first, first):
                await sink.deliver(sub_dag)
            await executor.drained()
            assert sink.last_index() == 1
            await sink.deliver(proposer.order())
            await executor.drained()
            running.cancel()
        assert (sink.last_index(), proposer.chain.head.height) == (2, 2)

    in_scene(tmp_path, scene)


def test_consensus_waits_while_too_many_commits_wait(tmp_path: Path) -> None:
    async def scene(proposer: Proposer, executor: Executor, sink: EpochSink, _: object) -> None:
        first = proposer.order()
        for _turn in range(COMMITS_WAITING_MAX):
            await sink.deliver(first)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await sink.deliver(first)

    in_scene(tmp_path, scene)


def test_a_commit_that_does_not_follow_stops_the_executor(tmp_path: Path) -> None:
    async def scene(proposer: Proposer, executor: Executor, sink: EpochSink, _: object) -> None:
        await proposer.commit()
        forked = proposer.order(pause_ms=7)
        await proposer.commit()
        await sink.deliver(forked)
        with pytest.raises(CommitForkError):
            await executor.run()

    in_scene(tmp_path, scene)


def test_what_is_no_commit_goes_to_who_can_do_something_about_it(tmp_path: Path) -> None:
    async def scene(
        proposer: Proposer, _e: Executor, sink: EpochSink, neighbours: Neighbours
    ) -> None:
        seat = AuthorityIndex(2)
        for notice in (
            PayloadReturned((b"item",)),
            ReportPeer(seat, "it lied"),
            PublishEvidence(seat, EVIDENCE),
            RaiseAlarm(AlarmKind.JOURNAL_LOST, "no file"),
            CloseEpoch(CommitIndex(5), Digest(bytes(32))),
        ):
            await sink.notify(notice)
        genesis = proposer.chain.context().genesis_digest
        assert neighbours.told == [(b"item",), (genesis, 2, "it lied"), EVIDENCE]

    in_scene(tmp_path, scene)
