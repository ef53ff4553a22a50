"""A node with a seat: consensus, execution and finality, until an epoch begins without it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog
from typing_extensions import override

from consensus.committee import EpochContext
from consensus.driver import Driver, WriterThread
from consensus.events import SubscribersChanged
from consensus.evidence import EVIDENCE_CODEC, Evidence
from consensus.parameters import Tuning
from consensus.ports import CommitSink
from node.chain.errors import CommitteeUnknownError
from node.chain.names import protocol
from node.ledger.checkpoint import Certificate
from node.ledger.conflict import CONFLICT_CODEC, CheckpointConflict
from node.ledger.staking.records import Members
from node.ledger.transaction import EVIDENCE_BYTES_MAX, EvidenceKind
from node.ledger.transaction import Evidence as Accusation
from node.signatures.checks import Foresee
from node.validator.ballot import Ballot
from node.validator.epochs import ChainEpochs, EpochSource, Post
from node.validator.errors import SeatLostError
from node.validator.executor import Bystanders, EpochSink, Executor, Ledger
from node.validator.finality import REPEAT_S, CertifiedChain, Finality, Outlets
from node.validator.network import Seating, ValidatorNetwork
from p2p.host import Host
from p2p.wire.peer_id import PeerId, peer_id_of
from primitives.clock import Clock
from primitives.errors import RemoteProtocolError
from primitives.ids import AuthorityIndex, ChainId, Digest, Epoch
from primitives.keys import PrivateKey

JOURNAL_FOLDER: Final = "journals"
EPOCHS_OPENED_MAX: Final = 16
"""Whose seats are yet to be taken; the loop takes each before the next one is opened."""

ACCUSATIONS_WAITING_MAX: Final = 16
"""Each names another seat, and each of them is named once."""

FAREWELL_S: Final = 10.0
"""How long a seat that ended stays to sign the end of its last epoch."""

_log = structlog.get_logger("validator")


class ValidatorChain(EpochSource, Ledger, CertifiedChain, Protocol):
    """What a validator needs of `node.chain`."""

    @property
    def chain_id(self) -> ChainId:
        """Of this chain."""
        ...


class PayloadSource(Protocol):
    """Where transactions for own blocks come from; `node.mempool` is one."""

    def attach_proposer(
        self,
        submit: Callable[[tuple[bytes, ...]], Awaitable[None]],
        *,
        seat: AuthorityIndex,
        seats: int,
    ) -> None:
        """Feed own blocks from now on."""
        ...

    def detach_proposer(self) -> None:
        """Stop."""
        ...

    def returned(self, items: tuple[bytes, ...]) -> None:
        """Take back what went into no block."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a validator speaks with.

    Attributes:
        publish: takes an encoded certificate for everybody.
        accuse: sends an accusation as a transaction of this node.
        foresee: see `Foresee`.
        folder: of the node.
    """

    host: Host
    payload: PayloadSource
    publish: Callable[[bytes], None]
    accuse: Callable[[Accusation], Awaitable[None]]
    foresee: Foresee
    clock: Clock
    tuning: Tuning
    folder: Path


class Validator(Bystanders):
    """Holds the seat of one consensus key; make a new one for every time it has a seat."""

    def __init__(self, chain: ValidatorChain, key: PrivateKey, surroundings: Surroundings) -> None:
        self._chain = chain
        self._key = key
        self._around = surroundings
        self._network = ValidatorNetwork(
            surroundings.host, protocol=protocol(chain.chain_id, "validators")
        )
        self._executor = Executor(chain, foresee=surroundings.foresee)
        self._finality = Finality(
            chain,
            self._network,
            key=key,
            outlets=Outlets(certificate=surroundings.publish, accuse=self._accuse_voter),
            ballot=Ballot(chain.chain_id),
        )
        self._driver: Driver | None = None
        self._subscribers = asyncio.Event()
        self._opened: asyncio.Queue[tuple[EpochContext, AuthorityIndex]] = asyncio.Queue(
            EPOCHS_OPENED_MAX
        )
        self._accusations: asyncio.Queue[Accusation] = asyncio.Queue(ACCUSATIONS_WAITING_MAX)

    @property
    def driver(self) -> Driver | None:
        """The consensus of the seat while it runs; only to read from."""
        return self._driver

    @property
    def network(self) -> ValidatorNetwork:
        """The streams to other seats; only to read from."""
        return self._network

    async def certify(self, certificate: Certificate) -> None:
        """Take a verified certificate that others formed.

        Raises:
            StateDivergedError: it is of another state than ours.
        """
        await self._finality.certify(certificate)

    async def run(self) -> None:
        """Hold the seat until an epoch begins that has none for this key.

        Raises:
            StorageError: something did not become durable, or the state is not the quorum's.
        """
        folder = self._around.folder / JOURNAL_FOLDER / self._chain.chain_id.hex()[:16]
        loop = asyncio.get_running_loop()

        def opened(context: EpochContext, own: AuthorityIndex) -> None:
            # Epochs are opened in the thread of the driver.
            loop.call_soon_threadsafe(self._opened.put_nowait, (context, own))

        with (
            WriterThread() as writer,
            self._epochs(Post(key=self._key, folder=folder), opened) as epochs,
        ):
            driver = Driver(
                self._chain.context(),
                epochs=epochs,
                network=self._network,
                blocking=writer,
                clock=self._around.clock,
                tuning=self._around.tuning,
            )
            self._driver = driver
            try:
                await self._run_parts(driver)
            finally:
                self._leave_seat()

    async def _run_parts(self, driver: Driver) -> None:
        async with self._network, asyncio.TaskGroup() as tasks:
            self._network.watcher = lambda _: self._subscribers.set()
            parts = [
                tasks.create_task(self._executor.run(), name="execute commits"),
                tasks.create_task(self._finality.run(), name="finality"),
                tasks.create_task(self._take_seats(driver), name="take seats"),
                tasks.create_task(self._count_subscribers(driver), name="count subscribers"),
                tasks.create_task(self._send_accusations(), name="accuse"),
            ]
            try:
                await driver.run()
            except* SeatLostError as group:
                _log.info("the seat ended", reason=str(group.exceptions[0]))
            self._leave_seat()
            parts.append(tasks.create_task(self._drop_messages(), name="drop messages"))
            await self._say_farewell()
            for part in parts:
                part.cancel()

    def _leave_seat(self) -> None:
        self._driver = None
        self._around.payload.detach_proposer()

    async def _drop_messages(self) -> None:
        """Read on without a driver: votes come behind messages that nobody takes any more."""
        while True:
            await self._network.receive()

    async def _say_farewell(self) -> None:
        """Stay until the end of the last epoch is certified: without our vote it may never be."""
        last = self._chain.checkpoint_at(self._chain.head.height)

        def is_certified(_: object = None) -> bool:
            return last is None or self._chain.certificate(last.number) is not None

        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                if not is_certified():
                    await self._chain.feed.wait_for(is_certified)
                # Others may still count.
                await asyncio.sleep(REPEAT_S)

    def _epochs(
        self, post: Post, opened: Callable[[EpochContext, AuthorityIndex], None]
    ) -> ChainEpochs:
        def make_sink(context: EpochContext) -> CommitSink:
            return EpochSink(
                context,
                executor=self._executor,
                executed_in=self._chain.executed_in,
                bystanders=self,
            )

        return ChainEpochs(
            self._chain,
            post,
            make_sink=make_sink,
            settled=self._executor.drained,
            opened=opened,
        )

    async def _take_seats(self, driver: Driver) -> None:
        while True:
            context, own = await self._opened.get()
            self._take_seat(driver, context, own)

    def _take_seat(self, driver: Driver, context: EpochContext, own: AuthorityIndex) -> None:
        seats = peers_of(self._chain.members_of(context.epoch))
        seating = Seating(context.genesis_digest, seats)
        self._network.sit(seating, former=self._former(context.epoch))
        self._around.payload.attach_proposer(driver.submit, seat=own, seats=context.committee.size)
        _log.info("seat taken", epoch=context.epoch, seat=own, seats=context.committee.size)

    def _former(self, epoch: Epoch) -> tuple[PeerId, ...]:
        if epoch == 0:
            return ()
        try:
            return peers_of(self._chain.members_of(Epoch(epoch - 1)))
        except CommitteeUnknownError:
            return ()

    async def _count_subscribers(self, driver: Driver) -> None:
        while True:
            await self._subscribers.wait()
            self._subscribers.clear()
            # Who rules alone has nobody to wait for.
            if not self._network.is_alone:
                await driver.tell(SubscribersChanged(self._network.open_count))

    async def _send_accusations(self) -> None:
        while True:
            await self._around.accuse(await self._accusations.get())

    @override
    def returned(self, items: tuple[bytes, ...]) -> None:
        self._around.payload.returned(items)

    @override
    def blame(self, genesis: Digest, seat: AuthorityIndex, reason: str) -> None:
        peer_id = self._network.peer_at(genesis, seat)
        if peer_id is not None:
            self._around.host.blame(peer_id, RemoteProtocolError(reason, peer=f"seat {seat}"))

    @override
    def accuse(self, evidence: Evidence) -> None:
        self._accuse(EvidenceKind.EQUIVOCATION, EVIDENCE_CODEC.encode(evidence))

    def _accuse_voter(self, conflict: CheckpointConflict) -> None:
        self._accuse(EvidenceKind.CONFLICTING_CHECKPOINTS, CONFLICT_CODEC.encode(conflict))

    def _accuse(self, kind: EvidenceKind, proof: bytes) -> None:
        if len(proof) > EVIDENCE_BYTES_MAX or self._accusations.full():
            # Twins of long headers: the chain itself punishes them once it holds both.
            _log.warning("a proof is not sent", kind=kind.value, size_bytes=len(proof))
            return
        # Not sent here: paying for it may take commits, which consensus must make meanwhile.
        self._accusations.put_nowait(Accusation(kind, proof))


def peers_of(members: Members) -> tuple[PeerId, ...]:
    """Return the peers that hold the seats of a committee, in its order."""
    return tuple(peer_id_of(member.keys.node_key) for member in members)
