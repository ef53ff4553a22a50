"""Real cores on a network in memory: fixed latency, real bytes, and nothing random.

At one moment all messages come before all timers, so that everybody proposes on the same blocks.
Effects are carried out as `consensus.events` demands, in order and to their end. Anything that
goes wrong is asked for by a test: a silent seat, a lost link, a crash between two effects.
"""

import heapq
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from consensus.block import Block, SignedBlock, header_digest
from consensus.committee import EpochContext
from consensus.core import Core
from consensus.events import (
    AppendJournal,
    Booted,
    Broadcast,
    Deliver,
    Effect,
    Input,
    Send,
    ServeFromStore,
    SetTimer,
    StoreBlocks,
    StoreCommit,
    SyncStore,
    Timer,
    TimerFired,
)
from consensus.ingress import Ingress
from consensus.messages import (
    MESSAGE_CODEC,
    AnyMessage,
    BlockMessage,
    BlocksMessage,
    CommitRequestMessage,
)
from consensus.parameters import Tuning
from consensus.recovery import Durable
from consensus.serving import answer_blocks, answer_commits, undelivered
from consensus.signer import StoredJournal
from consensus.verifier import BlockVerifier
from primitives.clock import Instant
from primitives.errors import StorageError
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Round
from tests.conformance.memory import MemoryBlockStore, MemoryDisk, MemoryJournal
from tests.consensus.builders import TUNING
from tests.dsl.committee import key_of

if TYPE_CHECKING:
    from consensus.commit import CommittedSubDag

LATENCY_MS = 100
EPOCH_START_MS = 1_000_000

Step = Callable[[], None]
Notice = TypeVar("Notice")


class Seat:
    """One validator: its core, its disk, and everything that came out of it.

    Attributes:
        crash_at: after so many effects of its next proposal the seat crashes.
    """

    def __init__(self, network: "Network", index: AuthorityIndex) -> None:
        self.index = index
        self.network = network
        self.disk = MemoryDisk()
        self.journal = MemoryJournal()
        self.delivered: list[CommittedSubDag] = []
        self.notices: list[Effect] = []
        self.proposed_ms: dict[Round, int] = {}
        self.delivered_ms: list[int] = []
        self.history: list[list[Effect]] = []
        self.timers: dict[Timer, int] = {}
        self.is_down = False
        self.crash_at: int | None = None
        self.unjournalled: set[Digest] = set()
        self.signed: set[Digest] = set()
        self.store: MemoryBlockStore
        self.core: Core
        self.start()

    def start(self) -> None:
        """Build a core from what is durable."""
        self.store = self.disk.open()
        self.timers = {}
        try:
            last = self.journal.last()
            journal, watermark = StoredJournal.INTACT, Round(0 if last is None else last.round)
        except StorageError:
            journal, watermark = StoredJournal.LOST, Round(0)
        context = self.network.context
        self.core = Core.recover(
            context,
            own=self.index,
            key=key_of(self.index),
            tuning=self.network.tuning,
            durable=Durable(
                state=self.store.recover(gc_depth=context.parameters.gc_depth),
                journal=journal,
                watermark=watermark,
            ),
        )
        self.is_down = False

    def crash(self, *, lost: int = 0) -> None:
        """Stop at once, losing the last unsynced writes."""
        self.is_down = True
        self.crash_at = None
        self.disk.crash(lost=lost)

    def restart(self) -> None:
        """Start again and boot."""
        self.start()
        executed = CommitIndex(len(self.delivered))
        self.delivered += undelivered(executed, store=self.store, context=self.network.context)
        self.feed(Booted())

    def feed(self, event: Input) -> list[Effect]:
        """Give the core one input and carry out what it asks."""
        effects = self.core.handle(event, now=self.network.now)
        self.history.append(effects)
        self.unjournalled = {
            entry.digest
            for effect in effects
            if isinstance(effect, AppendJournal)
            for entry in effect.entries
        }
        is_crashing = self.crash_at is not None and bool(self.unjournalled)
        for place, effect in enumerate(effects):
            if is_crashing and place in {self.crash_at, len(effects) - 1}:
                self.crash(lost=self.disk.unsynced_count)
                break
            self._carry_out(effect)
        return effects

    def of(self, kind: type[Notice]) -> list[Notice]:
        """Return the notices of one kind."""
        return [notice for notice in self.notices if isinstance(notice, kind)]

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case AppendJournal():
                self.journal.append(effect.entries)
                self.unjournalled.clear()
            case StoreBlocks() | StoreCommit():
                self.store.append(effect)
            case SyncStore():
                self.store.sync()
            case SetTimer():
                self.timers[effect.timer] = effect.at_ms
                self.network.at(effect.at_ms, lambda: self._fire(effect), is_timer=True)
            case Deliver():
                self._deliver(effect.sub_dag)
            case Broadcast() | Send() | ServeFromStore():
                self._speak(effect)
            case _:
                self.notices.append(effect)

    def _deliver(self, sub_dag: "CommittedSubDag") -> None:
        assert sub_dag.index == len(self.delivered) + 1, "a gap in the deliveries"
        assert self.disk.is_durable(sub_dag.digest), "delivered before it is durable"
        self.delivered.append(sub_dag)
        self.delivered_ms.append(self.network.now_ms)

    def _speak(self, effect: Broadcast | Send | ServeFromStore) -> None:
        network = self.network
        match effect:
            case Broadcast():
                self.signed.add(effect.block.ref.digest)
                self._check_shown(effect.block.signed)
                self.proposed_ms.setdefault(effect.block.round, network.now_ms)
                genesis = network.context.genesis_digest
                network.broadcast(self.index, BlockMessage(genesis, effect.block.signed))
            case Send():
                if isinstance(effect.message, BlocksMessage):
                    for signed in effect.message.blocks:
                        self._check_shown(signed)
                network.send(self.index, effect.peer, effect.message)
            case ServeFromStore():
                message = answer_blocks(
                    effect.refs, store=self.store, context=network.context, tuning=network.tuning
                )
                network.send(self.index, effect.peer, message)

    def _check_shown(self, signed: SignedBlock) -> None:
        """Check that nobody sees an own block that a crash could still make us sign anew."""
        digest = header_digest(signed.header)
        assert digest not in self.unjournalled, "shown before it is journalled"
        if digest in self.signed:
            assert self.disk.is_durable(digest), "shown before it is durable"

    def _fire(self, setting: SetTimer) -> None:
        if self.timers.get(setting.timer) == setting.at_ms and not self.is_down:
            del self.timers[setting.timer]
            self.feed(TimerFired(setting.timer))


class Network:
    """Seats that hear each other after a fixed delay.

    Args:
        silent: seats that never start; others may be taken down with `Seat.crash`.
        passes: tells whether a message gets through; all of them by default.
    """

    def __init__(
        self,
        context: EpochContext,
        *,
        tuning: Tuning = TUNING,
        silent: tuple[int, ...] = (),
        passes: Callable[[int, int, AnyMessage], bool] = lambda *_: True,
        latency_ms: int = LATENCY_MS,
    ) -> None:
        self.context = context
        self.tuning = tuning
        self.passes = passes
        self.latency_ms = latency_ms
        self.now_ms = 0
        self._queue: list[tuple[int, bool, int, Step]] = []
        self._count = 0
        self._verifier = BlockVerifier(context)
        self._verified: dict[SignedBlock, Block] = {}
        self.seats = [Seat(self, index) for index in context.committee.indices]
        for seat in self.seats:
            if seat.index in silent:
                seat.is_down = True
            else:
                seat.feed(Booted())

    @property
    def now(self) -> Instant:
        """Return the present time."""
        return Instant(self.now_ms, EPOCH_START_MS + self.now_ms)

    @property
    def running(self) -> Iterator[Seat]:
        """Yield the seats that are up."""
        return (seat for seat in self.seats if not seat.is_down)

    def at(self, at_ms: int, step: Step, *, is_timer: bool = False) -> None:
        """Do something later; timers come last at their moment."""
        self._count += 1
        heapq.heappush(self._queue, (max(at_ms, self.now_ms), is_timer, self._count, step))

    def run(self, until_ms: int) -> None:
        """Let time pass up to a moment, everything due then included."""
        while self._queue and self._queue[0][0] <= until_ms:
            self.now_ms, _, _, step = heapq.heappop(self._queue)
            step()
        self.now_ms = until_ms

    def run_until(self, is_done: Callable[[], bool], *, limit_ms: int = 60_000) -> None:
        """Let time pass until something holds."""
        end_ms = self.now_ms + limit_ms
        while not is_done():
            assert self._queue, "nothing is left to happen"
            assert self._queue[0][0] <= end_ms, "it did not happen in time"
            self.run(self._queue[0][0])

    def run_until_commit(self, index: int) -> None:
        """Let time pass until every running seat has delivered a commit."""
        self.run_until(lambda: all(len(seat.delivered) >= index for seat in self.running))

    def broadcast(self, sender: AuthorityIndex, message: AnyMessage) -> None:
        """Send to everybody else."""
        for seat in self.seats:
            if seat.index != sender:
                self.send(sender, seat.index, message)

    def send(self, sender: AuthorityIndex, peer: AuthorityIndex, message: AnyMessage) -> None:
        """Send to one seat."""
        if self.passes(sender, peer, message):
            raw = MESSAGE_CODEC.encode(message)
            self.at(self.now_ms + self.latency_ms, lambda: self.arrive(sender, peer, raw))

    def verify(self, signed: SignedBlock) -> Block:
        """Verify each block once, whoever receives it."""
        block = self._verified.get(signed)
        if block is None:
            block = self._verified[signed] = self._verifier.verify(signed)
        return block

    def blocks_of(self, number: int) -> list[Block]:
        """Return the own blocks of one round, of those who proposed in it."""
        blocks = {block.ref: block for block in self._verified.values() if block.round == number}
        return [blocks[ref] for ref in sorted(blocks)]

    def arrive(self, sender: AuthorityIndex, peer: AuthorityIndex, raw: bytes) -> None:
        """Let a seat receive bytes from another one, now.

        Raises:
            RemoteProtocolError: the bytes break a rule.
        """
        seat = self.seats[peer]
        if seat.is_down:
            return
        ingress = Ingress(self.context, own=peer, verify=self.verify)
        event = ingress.admit(raw, peer=sender)
        if isinstance(event, CommitRequestMessage):
            answer = answer_commits(
                event, store=seat.store, context=self.context, tuning=self.tuning
            )
            self.send(peer, sender, answer)
        elif event is not None:
            seat.feed(event)


def assert_prefix_agreement(network: Network) -> None:
    """Check that of any two delivered sequences one is a prefix of the other."""
    chains = sorted(([sub.digest for sub in seat.delivered] for seat in network.seats), key=len)
    for shorter, longer in pairwise(chains):
        assert longer[: len(shorter)] == shorter
