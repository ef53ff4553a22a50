"""Drivers on an event loop whose time jumps: real shells, real bytes, no waiting.

All that a node stands on is watched: every call of its adapters is a line of its trace. The
watched store and journal pass the conformance suites (see `test_driver`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

from consensus.block import BlockRef, SignedBlock
from consensus.commit import Commit, CommittedSubDag, commit_digest
from consensus.committee import EpochContext
from consensus.driver import Driver
from consensus.events import JournalEntry, StoreBlocks, StoreCommit
from consensus.messages import MESSAGE_CODEC, AnyMessage, BlockMessage
from consensus.parameters import Parameters, Tuning
from consensus.ports import Blocking, BlockStore, Network, Notice, Seat, SignerJournal
from consensus.recovery import StoredState
from consensus.verifier import BlockVerifier
from devnet.inprocess.logs import Inline
from devnet.inprocess.network import MemoryNetwork
from primitives.errors import StorageError
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Epoch
from tests.conformance.memory import MemoryDisk, MemoryJournal
from tests.dsl.committee import context_of, key_of
from tests.dsl.virtual_time import LoopClock

LATENCY_MS = 20
CONTEXT = context_of((1,) * 4, parameters=Parameters(gc_depth=5, schedule_window=5))
GENESIS = CONTEXT.genesis_digest
TUNING = Tuning(min_round_delay_ms=0, tick_ms=100)

T = TypeVar("T")


class Call(NamedTuple):
    """One line of a trace: which method was called, with what."""

    name: str
    argument: Any


Trace = list[Call]


class WatchedStore:
    """A `BlockStore` that writes down what changes it.

    Attributes:
        syncs_left: syncs that work; the one after those fails.
    """

    def __init__(self, store: BlockStore, trace: Trace) -> None:
        self._store = store
        self._trace = trace
        self.syncs_left: int | None = None

    def append(self, write: StoreBlocks | StoreCommit) -> None:
        self._store.append(write)
        self._trace.append(Call("append", write))

    def sync(self) -> None:
        if self.syncs_left is not None:
            self.syncs_left -= 1
            if self.syncs_left < 0:
                self._trace.append(Call("failed sync", None))
                raise StorageError("the disk is gone")
        self._store.sync()
        self._trace.append(Call("sync", None))

    def read_blocks(self, refs: tuple[BlockRef, ...]) -> tuple[SignedBlock, ...]:
        return self._store.read_blocks(refs)

    def read_commits(self, first: CommitIndex, last: CommitIndex) -> tuple[Commit, ...]:
        return self._store.read_commits(first, last)

    def read_voters(self, index: CommitIndex) -> tuple[SignedBlock, ...]:
        return self._store.read_voters(index)

    def recover(self, *, gc_depth: int) -> StoredState:
        return self._store.recover(gc_depth=gc_depth)


class WatchedJournal:
    """A `SignerJournal` that writes down what is appended."""

    def __init__(self, journal: SignerJournal, trace: Trace) -> None:
        self._journal = journal
        self._trace = trace

    def append(self, entries: tuple[JournalEntry, ...]) -> None:
        self._journal.append(entries)
        self._trace.append(Call("journal", entries))

    def last(self) -> JournalEntry | None:
        return self._journal.last()


class Sink:
    """A `CommitSink` that remembers; `on_notice` may make it slow, or fail."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.delivered: list[CommittedSubDag] = []
        self.on_notice: Callable[[Notice], Awaitable[None]] | None = None

    async def deliver(self, sub_dag: CommittedSubDag) -> None:
        assert sub_dag.index == len(self.delivered) + 1, "a gap in the deliveries"
        self.delivered.append(sub_dag)
        self._trace.append(Call("deliver", sub_dag))

    async def notify(self, notice: Notice) -> None:
        self._trace.append(Call("notify", notice))
        if self.on_notice is not None:
            await self.on_notice(notice)

    def last_index(self) -> CommitIndex:
        return CommitIndex(len(self.delivered))


class WatchedNetwork:
    """A node's `Network`; closing `gate` holds back what it sends."""

    def __init__(self, network: Network, trace: Trace) -> None:
        self._network = network
        self._trace = trace
        self.gate = asyncio.Event()
        self.gate.set()

    async def broadcast(self, message: bytes) -> None:
        await self.gate.wait()
        self._trace.append(Call("broadcast", message))
        await self._network.broadcast(message)

    async def send(self, peer: AuthorityIndex, message: bytes) -> None:
        await self.gate.wait()
        self._trace.append(Call("send", (peer, message)))
        await self._network.send(peer, message)

    async def receive(self) -> tuple[AuthorityIndex, bytes]:
        return await self._network.receive()


class ScriptedNetwork:
    """A `Network` of one node whose messages come from the test; what it sends goes nowhere."""

    def __init__(self) -> None:
        self.arrivals: asyncio.Queue[tuple[AuthorityIndex, bytes]] = asyncio.Queue(maxsize=10_000)
        self.received_count = 0

    async def broadcast(self, message: bytes) -> None:
        """Send to nobody."""

    async def send(self, peer: AuthorityIndex, message: bytes) -> None:
        """Send to nobody."""

    async def receive(self) -> tuple[AuthorityIndex, bytes]:
        self.received_count += 1
        return await self.arrivals.get()

    def give(self, peer: int, message: AnyMessage | bytes) -> None:
        """Let a message arrive."""
        raw = message if isinstance(message, bytes) else MESSAGE_CODEC.encode(message)
        self.arrivals.put_nowait((AuthorityIndex(peer), raw))


class Node:
    """What outlives the process of one validator, and the `Epochs` that its drivers get."""

    def __init__(self, own: int, network: Network, *, close_at: int | None = None) -> None:
        self.own = AuthorityIndex(own)
        self.trace: Trace = []
        self.network = WatchedNetwork(network, self.trace)
        self.disks: dict[Digest, MemoryDisk] = {}
        self.journals: dict[Digest, MemoryJournal] = {}
        self.sinks: dict[Digest, Sink] = {}
        self.opened: list[Epoch] = []
        self.contexts: list[EpochContext] = []
        self.syncs_left: int | None = None
        self._close_at = close_at

    def open(self, context: EpochContext) -> Seat:
        """Open an epoch, or begin it."""
        key = context.genesis_digest
        disk = self.disks.setdefault(key, MemoryDisk())
        store = WatchedStore(disk.open(), self.trace)
        store.syncs_left = self.syncs_left
        self.opened.append(context.epoch)
        self.contexts.append(context)
        is_first = context.epoch == 0 and self._close_at is not None
        return Seat(
            own=self.own,
            key=key_of(self.own),
            store=store,
            journal=WatchedJournal(self.journals.setdefault(key, MemoryJournal()), self.trace),
            sink=self.sinks.setdefault(key, Sink(self.trace)),
            close_at=CommitIndex(self._close_at or 0) if is_first else None,
        )

    async def next_epoch(self, context: EpochContext, closing: Commit) -> EpochContext:
        """Return the next epoch, with the same committee."""
        return EpochContext(
            chain_id=context.chain_id,
            epoch=Epoch(context.epoch + 1),
            committee=context.committee,
            parameters=context.parameters,
            previous=commit_digest(closing),
        )

    def driver(
        self, context: EpochContext, *, blocking: Blocking | None = None, tuning: Tuning = TUNING
    ) -> Driver:
        """Return a new process of this validator."""
        return Driver(
            context,
            epochs=self,
            network=self.network,
            blocking=blocking or Inline(),
            clock=LoopClock(),
            tuning=tuning,
        )

    def calls(self, name: str) -> list[Any]:
        """Return the arguments of all calls of one name."""
        return [call.argument for call in self.trace if call.name == name]

    def digests(self, context: EpochContext) -> list[Digest]:
        """Return the digests of what was delivered of an epoch."""
        return [sub_dag.digest for sub_dag in self.sinks[context.genesis_digest].delivered]

    def notices(self, kind: type[T]) -> list[T]:
        """Return the notices of one kind."""
        return [notice for notice in self.calls("notify") if isinstance(notice, kind)]


def nodes_of(context: EpochContext, *, close_at: int | None = None) -> list[Node]:
    """Return the validators of an epoch on one network; must be called while a loop runs."""
    network = MemoryNetwork(context.committee.size, latency_ms=LATENCY_MS)
    return [
        Node(own, network.end(AuthorityIndex(own)), close_at=close_at)
        for own in context.committee.indices
    ]


async def live(drivers: list[Driver], *, until: Callable[[], bool], limit_s: int = 60) -> None:
    """Run drivers until something holds, then cancel them all."""
    async with asyncio.timeout(limit_s), asyncio.TaskGroup() as group:
        tasks = [group.create_task(driver.run()) for driver in drivers]
        while not until():  # noqa: ASYNC110 - a condition over many nodes, in virtual time
            await asyncio.sleep(LATENCY_MS / 1_000)
        for task in tasks:
            task.cancel()


def commits(nodes: list[Node], count: int, context: EpochContext = CONTEXT) -> Callable[[], bool]:
    """Return whether all these nodes have delivered so many commits."""
    key = context.genesis_digest
    return lambda: all(
        key in node.sinks and len(node.sinks[key].delivered) >= count for node in nodes
    )


def assert_alike(nodes: list[Node], context: EpochContext = CONTEXT) -> None:
    """Check that all delivered sequences are prefixes of one."""
    chains = sorted((node.digests(context) for node in nodes), key=len)
    for shorter, longer in pairwise(chains):
        assert longer[: len(shorter)] == shorter


def broadcasts(node: Node, context: EpochContext = CONTEXT) -> list[BlockRef]:
    """Return the refs of what a node broadcast in an epoch."""
    verifier = BlockVerifier(context)
    messages = [MESSAGE_CODEC.decode(raw) for raw in node.calls("broadcast")]
    return [
        verifier.parse(message.block).ref
        for message in messages
        if isinstance(message, BlockMessage) and message.genesis == context.genesis_digest
    ]


def sent(node: Node, kind: type[T]) -> list[tuple[int, T]]:
    """Return what a node sent of one kind, with its receivers."""
    decoded = [(peer, MESSAGE_CODEC.decode(raw)) for peer, raw in node.calls("send")]
    return [(peer, message) for peer, message in decoded if isinstance(message, kind)]
