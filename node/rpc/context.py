"""What the API needs of the node, in small Protocols: a node of any mix of roles can offer it.

What a node does not have is None, and its routes answer 503; a full node has no duties.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client.metrics_core import Metric

from consensus.core import Core
from node.blobs.sealed import SealedUpdates
from node.blobs.store import BlobStore
from node.chain.chain import Chain
from node.chain.reader import ContractReader
from node.duties.status import DutyStatus, RoundTimes
from node.federation.gathering import Gatherer
from node.federation.views import FederationReader
from node.mempool.pool import Pool
from node.rpc.round_watch import RoundWatch
from node.rpc.schemas import LogLine
from node.rpc.uploads import Uploads
from p2p.host import Host
from p2p.pubsub import PubSub
from primitives.clock import Clock
from primitives.ids import Address, Digest


class Waiting(Protocol):
    """Where transactions enter: the mempool."""

    async def submit(self, raw: bytes) -> Digest:
        """Admit a transaction and gossip it; return its id.

        Raises:
            InvalidTransactionError: it may not enter.
        """
        ...

    @property
    def pool(self) -> Pool:
        """What waits."""
        ...


class DutyView(Protocol):
    """What the node does for training."""

    def status(self) -> DutyStatus:
        """Return it as it is now."""
        ...

    def rounds(self) -> tuple[RoundTimes, ...]:
        """Return where the time of the last rounds went."""
        ...


class LogTail(Protocol):
    """The newest lines of the log."""

    def tail(self, count: int) -> Sequence[LogLine]:
        """Return the newest lines, oldest first."""
        ...

    def follow(self, *, size_max: int) -> AbstractAsyncContextManager[asyncio.Queue[LogLine]]:
        """Return a queue that gets every further line, and loses those that do not fit."""
        ...


class MetricSource(Protocol):
    """A part of the node that counts."""

    def collect(self) -> Iterable[Metric]:
        """Yield its metrics as they are now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeContext:
    """What the routes see.

    Args:
        started_ms: monotonic time at which the node began.
        operator: the account of this node, whose key is its administrator; None: nobody is.
        request_shutdown: asks the node to end, soon after it returns.
        is_ready: tells whether the node is near the present of the chain.
        consensus: returns what runs in the seat of this node, None without one; only to read from,
            on the event loop.
        rounds: what it saw of rounds beyond their events.
        uploads: where blobs under way are; emptied when the server starts.
        metrics: further sources of `/metrics`.
    """

    name: str
    version: str
    roles: tuple[str, ...]
    clock: Clock
    chain: Chain
    contracts: ContractReader
    federation: FederationReader
    mempool: Waiting
    is_ready: Callable[[], bool]
    started_ms: int = 0
    operator: Address | None = None
    host: Host | None = None
    pubsub: PubSub | None = None
    blobs: BlobStore | None = None
    envelopes: SealedUpdates | None = None
    gatherer: Gatherer | None = None
    uploads: Uploads | None = None
    duties: DutyView | None = None
    logs: LogTail | None = None
    rounds: RoundWatch | None = None
    consensus: Callable[[], Core | None] = field(default=lambda: None)
    request_shutdown: Callable[[], None] = field(default=lambda: None)
    metrics: tuple[MetricSource, ...] = ()
