"""Finality: sign what was executed, collect what others signed, keep and spread certificates.

A vote is the signature of a checkpoint that is in the same durable commit as the state it names, so
a restarted node signs the same bytes again. A vote is sent at once, and again every second until
that very checkpoint is certified, since streams may lose it.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from node.chain.errors import SubscriberLagError
from node.chain.feed import CertificateFormed, ChainEvent, CommitExecuted, Feed
from node.chain.head import Head
from node.ledger.checkpoint import (
    CERTIFICATE_CODEC,
    VOTE_CODEC,
    Certificate,
    Checkpoint,
    checkpoint_digest,
    sign_checkpoint,
)
from node.ledger.committee import Seats
from node.ledger.conflict import CheckpointConflict
from node.ledger.staking.queries import seats_of
from node.ledger.staking.records import Members
from node.ledger.votes import Certified, Conflicting
from node.validator.ballot import LATE_NUMBERS_MAX, Ballot, VotingEpoch
from node.validator.network import ValidatorNetwork
from p2p.wire.peer_id import peer_id_text
from primitives.errors import InvalidCheckpointError, MalformedBytesError
from primitives.ids import AuthorityIndex, Epoch, Height
from primitives.keys import PrivateKey

REPEAT_S: Final = 1.0
REPEATED_MAX: Final = 16
LOOK_BACK_MAX: Final = 1_024
"""Commits before the last one that are searched for checkpoints without a certificate on boot."""

_log = structlog.get_logger("validator.finality")


class CertifiedChain(Protocol):
    """What finality needs of `node.chain`."""

    @property
    def feed(self) -> Feed:
        """Tells of commits."""
        ...

    @property
    def head(self) -> Head:
        """The last executed commit."""
        ...

    @property
    def certified(self) -> Certificate | None:
        """The newest certificate."""
        ...

    def certificate(self, number: int) -> Certificate | None:
        """Return the certificate of a checkpoint, if it is here."""
        ...

    def checkpoint_at(self, height: Height) -> Checkpoint | None:
        """Return the checkpoint after the commit at a height, if it has one and is kept."""
        ...

    def members_of(self, epoch: Epoch) -> Members:
        """Return the committee of the running epoch or the one before."""
        ...

    async def add_certificate(self, certificate: Certificate) -> None:
        """Verify and keep a certificate."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlets:
    """Where finality tells what it found.

    Attributes:
        certificate: takes an encoded certificate for everybody.
        accuse: takes a proof that a seat signed for two chains; never waits.
    """

    certificate: Callable[[bytes], None]
    accuse: Callable[[CheckpointConflict], None]


class Finality:
    """Votes and certificates of one node with a seat."""

    def __init__(
        self,
        chain: CertifiedChain,
        network: ValidatorNetwork,
        *,
        key: PrivateKey,
        outlets: Outlets,
        ballot: Ballot,
    ) -> None:
        self._chain = chain
        self._network = network
        self._key = key
        self._outlets = outlets
        self._ballot = ballot
        self._repeated = 0

    async def run(self) -> None:
        """Vote and collect until cancelled.

        Raises:
            StateDivergedError: a quorum has another state than this node.
            StorageError: a certificate cannot be kept.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(), name="sign checkpoints")
            tasks.create_task(self._hear(), name="collect votes")
            tasks.create_task(self._repeat(), name="repeat votes")

    async def certify(self, certificate: Certificate) -> None:
        """Take a verified certificate that others formed.

        Raises:
            StateDivergedError: it is of another state than ours.
        """
        self._ballot.certify(certificate)
        await self._chain.add_certificate(certificate)

    async def _follow(self) -> None:
        while True:
            try:
                with self._chain.feed.subscribe() as events:
                    await self._vote_again()
                    async for event in events:
                        await self._on_event(event)
            except SubscriberLagError:
                _log.warning("votes fell behind the chain")

    async def _vote_again(self) -> None:
        """Vote for what was executed before anybody listened; the oldest first."""
        uncertified = tuple(self._uncertified())
        self._open(self._chain.head.epoch)
        for checkpoint in reversed(uncertified):
            await self._vote(checkpoint)

    async def _on_event(self, event: ChainEvent) -> None:
        match event:
            case CertificateFormed(certificate=certificate):
                self._ballot.certify(certificate)
            case CommitExecuted(checkpoint=checkpoint):
                if checkpoint is not None:
                    await self._vote(checkpoint)
                # Votes of a new epoch may come before we have a checkpoint in it.
                self._open(self._chain.head.epoch)

    def _uncertified(self) -> Iterator[Checkpoint]:
        """Yield own checkpoints without a certificate, the newest first."""
        certified = self._chain.certified
        known = -1 if certified is None else certified.checkpoint.number
        top = self._chain.head.height
        for height in range(top, max(-1, top - LOOK_BACK_MAX), -1):
            checkpoint = self._chain.checkpoint_at(Height(height))
            if checkpoint is None:
                continue
            if checkpoint.number <= known - LATE_NUMBERS_MAX:
                return
            if self._chain.certificate(checkpoint.number) is None:
                yield checkpoint

    async def _vote(self, checkpoint: Checkpoint) -> None:
        self._ballot.compute(checkpoint.number, checkpoint_digest(checkpoint))
        self._open(checkpoint.epoch)
        if self._chain.certificate(checkpoint.number) is not None:
            return
        own = self._own_seat(checkpoint.epoch)
        if own is None:
            return
        vote = sign_checkpoint(checkpoint, author=own, key=self._key)
        outcome = self._ballot.sign(vote)
        self._network.broadcast_vote(VOTE_CODEC.encode(vote))
        await self._heed(outcome, own)

    def _own_seat(self, epoch: Epoch) -> AuthorityIndex | None:
        own = self._key.public.raw
        for place, seat in enumerate(self._seats(epoch)):
            if seat.consensus_key == own:
                return AuthorityIndex(place)
        return None

    def _open(self, epoch: Epoch) -> None:
        """Collect the votes of an epoch from now on."""
        certified = self._chain.certified
        first = 0 if certified is None else certified.checkpoint.number + 1
        seats = self._seats(epoch)
        self._ballot.begin(VotingEpoch(epoch=epoch, seats=seats, first_number=first))

    def _seats(self, epoch: Epoch) -> Seats:
        return seats_of(self._chain.members_of(epoch))

    async def _hear(self) -> None:
        while True:
            peer_id, raw = await self._network.votes.get()
            try:
                vote = VOTE_CODEC.decode(raw)
                outcome = self._ballot.add(vote)
            except (MalformedBytesError, InvalidCheckpointError) as error:
                peer = peer_id_text(peer_id)
                _log.warning("a vote that is none", peer=peer, reason=str(error))
                continue
            await self._heed(outcome, vote.author)

    async def _heed(self, outcome: object, author: AuthorityIndex) -> None:
        match outcome:
            case Certified(certificate=certificate):
                await self._chain.add_certificate(certificate)
                self._spread(certificate)
            case Conflicting(conflict=conflict):
                _log.error("a seat signed for two chains", seat=author)
                self._outlets.accuse(conflict)
            case _:
                pass

    def _spread(self, certificate: Certificate) -> None:
        """Send a certificate to everybody, if it is our turn: one copy is enough."""
        checkpoint = certificate.checkpoint
        seats = self._seats(checkpoint.epoch)
        turn = seats[checkpoint.number % len(seats)]
        if turn.consensus_key == self._key.public.raw:
            self._outlets.certificate(CERTIFICATE_CODEC.encode(certificate))

    async def _repeat(self) -> None:
        while True:
            before = self._ballot.waiting
            await asyncio.sleep(REPEAT_S)
            due = [vote for vote in self._ballot.waiting if vote in before]
            # In turn: some may be certified elsewhere, and must not keep the others from it.
            first = self._repeated if self._repeated < len(due) else 0
            for vote in due[first : first + REPEATED_MAX]:
                self._network.broadcast_vote(VOTE_CODEC.encode(vote))
            self._repeated = first + REPEATED_MAX
