"""Between consensus and the chain: commits that wait for their execution, in order.

Consensus goes on while a commit executes, but not far: the queue is short, and a validator whose
execution cannot keep up proposes no faster than it executes.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from typing_extensions import override

from consensus.commit import CommittedSubDag
from consensus.committee import EpochContext
from consensus.events import (
    CloseEpoch,
    PayloadReturned,
    PublishEvidence,
    RaiseAlarm,
    ReportPeer,
)
from consensus.evidence import Evidence
from consensus.ports import CommitSink, Notice
from node.signatures.checks import Foresee
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Epoch

COMMITS_WAITING_MAX: Final = 8

_log = structlog.get_logger("validator.executor")


class Ledger(Protocol):
    """What executes commits; `node.chain` is one."""

    async def execute(self, sub_dag: CommittedSubDag) -> object:
        """Execute the next commit durably, or none if it was executed before."""
        ...

    def executed_in(self, epoch: Epoch) -> CommitIndex:
        """Return the index of the last commit of an epoch that was executed durably."""
        ...


class Executor:
    """Executes what is delivered, one commit after another.

    Signatures are checked before, where that costs this process nothing: transactions that another
    seat was handed under load come with its blocks alone.
    """

    def __init__(self, ledger: Ledger, *, foresee: Foresee) -> None:
        self._ledger = ledger
        self._foresee = foresee
        self._waiting: asyncio.Queue[CommittedSubDag] = asyncio.Queue(COMMITS_WAITING_MAX)

    async def run(self) -> None:
        """Execute until cancelled.

        Raises:
            StorageError: a commit did not become durable; the node must stop.
        """
        while True:
            sub_dag = await self._waiting.get()
            await self._foresee(sub_dag.payload)
            await self._ledger.execute(sub_dag)
            self._waiting.task_done()

    async def put(self, sub_dag: CommittedSubDag) -> None:
        """Hand in the next commit; waits while too many wait."""
        await self._waiting.put(sub_dag)

    async def drained(self) -> None:
        """Wait until all that was handed in is executed."""
        await self._waiting.join()


class Bystanders(Protocol):
    """Who is told of what is no commit."""

    def returned(self, items: tuple[bytes, ...]) -> None:
        """Take back payload that went into no block."""
        ...

    def blame(self, genesis: Digest, seat: AuthorityIndex, reason: str) -> None:
        """Learn that the holder of a seat broke a rule in the epoch with this genesis digest."""
        ...

    def accuse(self, evidence: Evidence) -> None:
        """Learn of a proof that a seat signed two blocks of one round; never waits."""
        ...


class EpochSink(CommitSink):
    """The executor's end for one epoch."""

    def __init__(
        self,
        context: EpochContext,
        *,
        executor: Executor,
        executed_in: Callable[[Epoch], CommitIndex],
        bystanders: Bystanders,
    ) -> None:
        self._epoch = context.epoch
        self._genesis = context.genesis_digest
        self._executor = executor
        self._executed_in = executed_in
        self._bystanders = bystanders

    @override
    async def deliver(self, sub_dag: CommittedSubDag) -> None:
        await self._executor.put(sub_dag)

    @override
    async def notify(self, notice: Notice) -> None:
        match notice:
            case PayloadReturned(items=items):
                self._bystanders.returned(items)
            case ReportPeer(peer=seat, reason=reason):
                self._bystanders.blame(self._genesis, seat, reason)
            case PublishEvidence(evidence=evidence):
                self._bystanders.accuse(evidence)
            case RaiseAlarm(kind=kind, detail=detail):
                _log.error("consensus alarm", kind=kind.value, detail=detail, epoch=self._epoch)
            case CloseEpoch(index=index):
                _log.info("epoch closed", epoch=self._epoch, commit=index)

    @override
    def last_index(self) -> CommitIndex:
        return self._executed_in(self._epoch)
