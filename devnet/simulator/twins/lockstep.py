"""A lock-step network of real cores: what one step produces arrives in the next.

Within a step all messages come before all timers. The partition of round r decides about blocks of
round r when their author first shows them: they take one step, come late, or are lost. Everything
else (requests, answers, repeats) takes one step: it is how the protocol repairs what partitions
break. The instances of one validator do not stream to each other, or the slower would take the
blocks of the faster for its own and equivocate less. Effects that make things durable are skipped,
as nothing crashes here.
"""

from collections.abc import Iterator, Sequence
from typing import assert_never

from consensus.block import Block
from consensus.core import Core
from consensus.events import (
    AppendJournal,
    BlocksReceived,
    BlocksRequested,
    Booted,
    Broadcast,
    CloseEpoch,
    Deliver,
    Effect,
    Input,
    LatestAnswered,
    LatestQueried,
    Origin,
    PayloadReturned,
    PublishEvidence,
    RaiseAlarm,
    ReportPeer,
    Send,
    ServeFromStore,
    SetTimer,
    StoreBlocks,
    StoreCommit,
    SyncStore,
    Timer,
    TimerFired,
)
from consensus.messages import (
    AnyMessage,
    BlockMessage,
    BlocksMessage,
    CommitAnswerMessage,
    CommitRequestMessage,
    FetchMessage,
    LatestAnswerMessage,
    LatestQueryMessage,
)
from consensus.verifier import BlockVerifier
from devnet.simulator.twins.cast import STEP_MS, Cast
from devnet.simulator.twins.oracle import NoProgressError, Oracle
from devnet.simulator.twins.space import FAR, Scenario
from primitives.clock import Instant
from primitives.ids import AuthorityIndex, Digest, Round

LATE_STEPS = 2
"""What the next place adds to the one step of a block; more than a leader timeout."""
ROUND_STEPS_MAX = 8
HEALING_STEPS_MAX = 20
"""Bounds of liveness; the slowest of thousands took 57 steps for 8 rounds, 20 for 2."""


class _Instance:
    """One core with its timers.

    Attributes:
        shown: the highest round that it has broadcast a block of.
        met: digests of the blocks that it made or was given.
    """

    __slots__ = ("author", "core", "met", "place", "shown", "timers")

    def __init__(self, place: int, author: AuthorityIndex, core: Core) -> None:
        self.place = place
        self.author = author
        self.core = core
        self.shown = Round(0)
        self.met: dict[Digest, None] = {}
        self.timers: dict[Timer, int] = {}


class LockStep:
    """Runs one scenario.

    Attributes:
        step: how many steps have passed.
    """

    def __init__(self, scenario: Scenario, cast: Cast) -> None:
        context = cast.context(scenario.chain)
        self._scenario = scenario
        self._verifier = BlockVerifier(context)
        self._verified: dict[bytes, Block] = {}
        self._mail: dict[int, dict[int, list[Input]]] = {}
        self._now = Instant(0, 0)
        self.step = 0
        self.oracle = Oracle(cast)
        self._instances = tuple(
            _Instance(place, author, cast.core(context, place))
            for place, author in enumerate(cast.authors)
        )

    def run(self) -> None:
        """Run until every honest instance committed a leader above the partitioned rounds.

        Raises:
            ViolationError: the oracle saw a rule broken.
            NoProgressError: it did not happen in time.
        """
        rounds = len(self._scenario.partitions)
        for instance in self._instances:
            self._feed(instance, Booted())
        while min(self.oracle.leader_rounds) <= rounds:
            if self.step >= rounds * ROUND_STEPS_MAX + HEALING_STEPS_MAX:
                raise NoProgressError(
                    f"newest leaders of rounds {self.oracle.leader_rounds} after {self.step} steps"
                )
            self._advance()

    def _advance(self) -> None:
        self.step += 1
        now_ms = self.step * STEP_MS
        self._now = Instant(now_ms, now_ms)
        mail = self._mail.pop(self.step, {})
        for instance in self._instances:
            for event in _batched(instance, mail.get(instance.place, ())):
                self._feed(instance, event)
        for instance in self._instances:
            while due := [timer for timer, at_ms in instance.timers.items() if at_ms <= now_ms]:
                for timer in due:
                    del instance.timers[timer]
                    self._feed(instance, TimerFired(timer))

    def _feed(self, instance: _Instance, event: Input) -> None:
        for effect in instance.core.handle(event, now=self._now):
            self._carry_out(instance, effect)

    def _carry_out(self, instance: _Instance, effect: Effect) -> None:
        match effect:
            case StoreBlocks() | StoreCommit() | SyncStore() | AppendJournal():
                pass
            case SetTimer():
                instance.timers[effect.timer] = effect.at_ms
            case Broadcast():
                self._broadcast(instance, effect.block)
            case Send():
                self._send(instance, effect.peer, effect.message)
            case Deliver():
                self.oracle.note_delivery(instance.author, effect.sub_dag)
            case RaiseAlarm():
                self.oracle.note_alarm(instance.author, effect)
            case ReportPeer():
                self.oracle.note_report(instance.author, effect)
            case PublishEvidence() | PayloadReturned() | ServeFromStore() | CloseEpoch():
                pass
            case _:
                assert_never(effect)

    def _broadcast(self, sender: _Instance, block: Block) -> None:
        self.oracle.note_block(block)
        header = block.signed.header
        if header not in self._verified:
            self._verified[header] = self._verifier.parse(block.signed)
        is_first = block.round > sender.shown
        sender.shown = max(sender.shown, block.round)
        sender.met[block.ref.digest] = None
        event = BlocksReceived(sender.author, (self._verified[header],), Origin.STREAM)
        for receiver in self._instances:
            if receiver.author == sender.author:
                continue
            delay_steps = 1
            if is_first:
                distance = self._scenario.distance(block.round, sender.place, receiver.place)
                if distance == FAR:
                    continue
                delay_steps += distance * LATE_STEPS
            self._post(receiver, event, delay_steps=delay_steps)

    def _send(self, sender: _Instance, peer: AuthorityIndex, message: AnyMessage) -> None:
        event = self._to_input(sender.author, message)
        for receiver in self._instances:
            if event is not None and receiver.author == peer:
                self._post(receiver, event, delay_steps=1)

    def _post(self, receiver: _Instance, event: Input, *, delay_steps: int) -> None:
        mail = self._mail.setdefault(self.step + delay_steps, {})
        mail.setdefault(receiver.place, []).append(event)

    def _to_input(self, peer: AuthorityIndex, message: AnyMessage) -> Input | None:
        """Do what `consensus.ingress` does, without bytes: all blocks here are verified."""
        verified = self._verified
        match message:
            case BlocksMessage():
                blocks = tuple(verified[signed.header] for signed in message.blocks)
                return BlocksReceived(peer, blocks, Origin.RELAYED)
            case FetchMessage():
                return BlocksRequested(peer, message.refs, message.frontier)
            case LatestQueryMessage():
                return LatestQueried(peer)
            case LatestAnswerMessage():
                block = message.block
                return LatestAnswered(peer, None if block is None else verified[block.header])
            case CommitRequestMessage() | CommitAnswerMessage():
                # Commits are served from stores, and there are none.
                return None
            case BlockMessage():
                raise AssertionError("a core broadcasts its blocks")
            case _:
                assert_never(message)


def _batched(instance: _Instance, events: Sequence[Input]) -> Iterator[Input]:
    """Join streamed blocks whose ancestors the instance has met; it is told no peer of these.

    A core looks at the peer of a block only to ask it for ancestors. Joining them halves the time.
    """
    batch: list[Block] = []
    met = instance.met
    for event in events:
        if isinstance(event, BlocksReceived):
            is_stream = event.origin is Origin.STREAM
            if is_stream and all(
                ref.digest in met or ref.round == 0 for ref in event.blocks[0].header.ancestors
            ):
                batch.append(event.blocks[0])
                met[event.blocks[0].ref.digest] = None
                continue
            met.update((block.ref.digest, None) for block in event.blocks)
        if batch:
            yield BlocksReceived(batch[-1].author, tuple(batch), Origin.STREAM)
            batch = []
        yield event
    if batch:
        yield BlocksReceived(batch[-1].author, tuple(batch), Origin.STREAM)
