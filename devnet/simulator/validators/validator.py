"""One validator as a kernel program: messages in, effects out, epochs one after the other.

It is the simulator's counterpart of `consensus.driver`: it decodes, verifies and carries out
effects, and holds no rule of consensus. The epoch before the running one goes on serving.
"""

from collections.abc import Sequence
from typing import assert_never

from consensus.block import Block
from consensus.commit import CommittedSubDag
from consensus.committee import EpochContext
from consensus.core import Core
from consensus.events import (
    AppendJournal,
    Booted,
    Broadcast,
    CloseEpoch,
    Deliver,
    Effect,
    Input,
    PayloadReturned,
    PayloadSubmitted,
    PublishEvidence,
    RaiseAlarm,
    ReportPeer,
    Send,
    ServeFromStore,
    SetTimer,
    StoreBlocks,
    StoreCommit,
    SyncStore,
    TimerFired,
)
from consensus.ingress import Ingress
from consensus.messages import AnyMessage, BlockMessage, CommitRequestMessage
from consensus.pacemaker import Pacemaker
from consensus.recovery import Durable
from consensus.serving import answer_blocks, answer_commits, undelivered
from consensus.signer import StoredJournal
from devnet.simulator.kernel.machine import Machine
from devnet.simulator.validators.store import SimulatedBlockStore, SimulatedJournal
from devnet.simulator.validators.world import World
from primitives.clock import Instant
from primitives.errors import RemoteProtocolError
from primitives.ids import AuthorityIndex, Digest, Epoch, Round

EPOCHS_SERVED = 64
"""Epochs a node keeps serving; one that missed more needs state sync, which the node adds."""


class FromPeer:
    """Bytes from another node."""

    __slots__ = ("peer", "raw")

    def __init__(self, peer: AuthorityIndex, raw: bytes) -> None:
        self.peer = peer
        self.raw = raw


class Local:
    """An input that a node gives itself, for one epoch; None: for the running one."""

    __slots__ = ("event", "genesis")

    def __init__(self, event: Input, genesis: Digest | None = None) -> None:
        self.event = event
        self.genesis = genesis


NodeInput = FromPeer | Local


class EpochInstance:
    """The core of one epoch with its store, journal and ingress."""

    def __init__(
        self, validator: "Validator", context: EpochContext, *, pacemaker: Pacemaker | None
    ) -> None:
        world, machine = validator.world, validator.machine
        own = validator.own
        self.context = context
        self.store = SimulatedBlockStore(machine.disk, context)
        self.journal = SimulatedJournal(machine.disk, context.epoch)
        self.ingress = Ingress(
            context,
            own=own,
            verify=world.wire.verifier(context),
            decode=world.wire.decode,
        )
        last = self.journal.last()
        is_fenced = world.is_fenced(own, context.epoch)
        self.core = Core.recover(
            context,
            own=own,
            key=world.genesis.keys[own],
            tuning=world.tuning,
            durable=Durable(
                state=self.store.recover(gc_depth=context.parameters.gc_depth),
                journal=StoredJournal.LOST if is_fenced else StoredJournal.INTACT,
                watermark=Round(0) if last is None else last.round,
            ),
            pacemaker=pacemaker,
        )
        for sub_dag in undelivered(self.store.delivered, store=self.store, context=context):
            self.deliver(world, own, sub_dag)

    def deliver(self, world: World, own: AuthorityIndex, sub_dag: CommittedSubDag) -> None:
        """Let the node's executor take a commit."""
        world.ledger.deliver(own, self.context, sub_dag)
        self.store.note_delivered(sub_dag.index)


class Validator:
    """Implements the kernel's `Program` for an honest validator; attackers derive from it."""

    def __init__(self, machine: Machine[NodeInput, Effect], world: World) -> None:
        self.machine = machine
        self.world = world
        self.own = AuthorityIndex(machine.node)
        self.epochs: list[EpochInstance] = []
        self._active: EpochInstance | None = None

    @property
    def current(self) -> EpochInstance:
        """Return the running epoch."""
        return self.epochs[-1]

    def boot(self, now: Instant) -> Sequence[Effect]:
        """Rebuild the cores of all stored epochs that still matter."""
        self.epochs = []
        self._replace_lost_journal()
        context = self.world.genesis.first()
        while True:
            instance = self.open_epoch(context)
            if not instance.core.is_closed:
                break
            self.machine.submit(Local(Booted(), context.genesis_digest))
            context = self.world.next_context(instance.context, instance.store)
        self._active = instance
        return instance.core.handle(Booted(), now=now)

    def handle(self, event: NodeInput, now: Instant) -> Sequence[Effect]:
        """Give an input to the core of its epoch."""
        if isinstance(event, FromPeer):
            return self._from_peer(event, now)
        instance = self._find(event.genesis)
        if instance is None:
            return ()
        self._active = instance
        return instance.core.handle(event.event, now=now)

    def execute(self, effect: Effect) -> int:
        """Carry out one effect of the input handled last."""
        instance = self._active
        assert instance is not None, "an effect without an input"
        match effect:
            case Broadcast():
                self.broadcast(instance, effect)
            case Send():
                self.send(effect.peer, effect.message)
            case SetTimer():
                self._set_timer(instance, effect)
            case StoreBlocks() | StoreCommit():
                instance.store.append(effect)
            case SyncStore():
                return instance.store.sync_us()
            case AppendJournal():
                return instance.journal.append_us(effect.entries)
            case _:
                self._execute_rare(instance, effect)
        return 0

    def broadcast(self, instance: EpochInstance, effect: Broadcast) -> None:
        """Send an own block to everybody."""
        self.world.ledger.note_proposal(self.own, effect.block, self.world.scheduler.now_us)
        self.world.wire.note_signed(instance.context, effect.block)
        raw = self.block_message(instance, effect.block)
        for peer in self.world.nodes:
            if peer != self.own:
                self.transmit(peer, raw)

    def block_message(self, instance: EpochInstance, block: Block) -> bytes:
        """Return a block as it travels on its author's stream."""
        message = BlockMessage(instance.context.genesis_digest, block.signed)
        return self.world.wire.encode(message)

    def send(self, peer: AuthorityIndex, message: AnyMessage) -> None:
        """Send one message."""
        self.transmit(peer, self.world.wire.encode(message))

    def transmit(self, peer: int, raw: bytes) -> None:
        """Put bytes on the wire."""
        self.world.network.send(self.own, peer, raw)

    def _execute_rare(
        self,
        instance: EpochInstance,
        effect: Deliver
        | ServeFromStore
        | PublishEvidence
        | PayloadReturned
        | ReportPeer
        | RaiseAlarm
        | CloseEpoch,
    ) -> None:
        world = self.world
        match effect:
            case Deliver():
                world.ledger.note_latency(self.own, instance.core.clock_round, effect.sub_dag)
                instance.deliver(world, self.own, effect.sub_dag)
            case ServeFromStore():
                answer = answer_blocks(
                    effect.refs, store=instance.store, context=instance.context, tuning=world.tuning
                )
                self.send(effect.peer, answer)
            case PublishEvidence():
                world.ledger.note_evidence(self.own, instance.context, effect)
            case PayloadReturned():
                world.ledger.note_returned(self.own, effect.items)
            case ReportPeer():
                world.ledger.note_report(self.own, effect.peer, effect.reason)
            case RaiseAlarm():
                world.ledger.note_alarm(self.own, effect.kind)
            case CloseEpoch():
                self.open_epoch(world.next_context(instance.context, instance.store))
                self.machine.submit(Local(Booted()))
            case _:
                assert_never(effect)

    def open_epoch(self, context: EpochContext) -> EpochInstance:
        """Recover or begin an epoch."""
        pacemaker = self.world.pacemaker(self.own, context)
        return self.keep(EpochInstance(self, context, pacemaker=pacemaker))

    def keep(self, instance: EpochInstance) -> EpochInstance:
        """Make an epoch the running one; those too old to be asked for go."""
        self.epochs.append(instance)
        del self.epochs[:-EPOCHS_SERVED]
        return instance

    def _replace_lost_journal(self) -> None:
        """After amnesia: make a new journal that signs in no epoch that has begun by now."""
        journal = SimulatedJournal(self.machine.disk, Epoch(0))
        if not journal.exists:
            self.world.fence(self.own)
            self.world.ledger.wipe(self.own)
            journal.create()

    def _find(self, genesis: Digest | None) -> EpochInstance | None:
        if genesis is None:
            return self.current
        for instance in reversed(self.epochs):
            if instance.context.genesis_digest == genesis:
                return instance
        return None

    def _from_peer(self, event: FromPeer, now: Instant) -> Sequence[Effect]:
        for instance in reversed(self.epochs):
            try:
                admitted = instance.ingress.admit(event.raw, peer=event.peer)
            except RemoteProtocolError as error:
                self.world.ledger.note_report(self.own, event.peer, str(error))
                return ()
            if admitted is None:
                continue
            self._active = instance
            if isinstance(admitted, CommitRequestMessage):
                answer = answer_commits(
                    admitted,
                    store=instance.store,
                    context=instance.context,
                    tuning=self.world.tuning,
                )
                return (Send(event.peer, answer),)
            return instance.core.handle(admitted, now=now)
        return ()

    def _set_timer(self, instance: EpochInstance, effect: SetTimer) -> None:
        genesis = instance.context.genesis_digest
        self.machine.set_timer(
            (genesis, effect.timer), effect.at_ms, Local(TimerFired(effect.timer), genesis)
        )


def submit_payload(items: tuple[bytes, ...]) -> Local:
    """Build the input that hands payload to the running epoch of a node."""
    return Local(PayloadSubmitted(items))
