"""Collect the votes of one epoch until they make certificates, and notice who votes twice.

Guards: a seat counts once per checkpoint number, whatever it sends, and at most `OPEN_NUMBERS_MAX`
numbers are open at a time, so a member that floods us fills its own place only. The window is over
numbers, which are consecutive; commit indices jump while nothing happens that needs a checkpoint.
"""

import enum
from dataclasses import dataclass
from typing import Final, TypeAlias

from node.ledger.checkpoint import (
    Certificate,
    CheckpointVote,
    bitmap_of,
    checkpoint_digest,
    verify_vote,
)
from node.ledger.committee import Seats, quorum_of
from node.ledger.conflict import CheckpointConflict, contradict, prove_conflict
from primitives.ids import AuthorityIndex, ChainId, Digest, Epoch

OPEN_NUMBERS_MAX: Final = 256
"""Checkpoint numbers after the last certified one whose votes are kept."""


class Unremarkable(enum.Enum):
    """A vote after which nothing has to be done."""

    COUNTED = "counted"
    DUPLICATE = "duplicate"
    OUTSIDE_WINDOW = "outside-window"


@dataclass(frozen=True, slots=True)
class Certified:
    """The vote made a quorum; later votes for the same checkpoint change nothing."""

    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Conflicting:
    """The seat has voted before for a checkpoint that no chain can have beside this one."""

    conflict: CheckpointConflict


@dataclass(frozen=True, slots=True)
class Split:
    """No checkpoint of this number can reach a quorum any more: execution has diverged."""

    number: int


VoteOutcome: TypeAlias = Unremarkable | Certified | Conflicting | Split


class CheckpointVotes:
    """The votes of one epoch.

    Args:
        chain_id: of this chain.
        epoch: whose committee votes.
        seats: that committee.
        first_number: of the first checkpoint of the epoch.
    """

    def __init__(self, *, chain_id: ChainId, epoch: Epoch, seats: Seats, first_number: int) -> None:
        self._chain_id = chain_id
        self._epoch = epoch
        self._seats = seats
        self._quorum = quorum_of(seats)
        self._power_total = sum(seat.power for seat in seats)
        self._open: dict[int, dict[AuthorityIndex, CheckpointVote]] = {}
        self._certified: dict[AuthorityIndex, CheckpointVote] = {}
        self._next_number = first_number
        self._accused: dict[AuthorityIndex, CheckpointConflict] = {}

    @property
    def next_number(self) -> int:
        """The least number without a certificate, of itself or of a later checkpoint."""
        return self._next_number

    def add(self, vote: CheckpointVote) -> VoteOutcome:
        """Take a vote from outside and say what it changes.

        Raises:
            InvalidCheckpointError: the vote is not one of this chain, epoch and committee.
        """
        number = vote.checkpoint.number
        if not self._next_number <= number < self._next_number + OPEN_NUMBERS_MAX:
            return Unremarkable.OUTSIDE_WINDOW
        if self._open.get(number, {}).get(vote.author) == vote:
            return Unremarkable.DUPLICATE
        verify_vote(vote, chain_id=self._chain_id, epoch=self._epoch, seats=self._seats)
        earlier = self._rival_of(vote)
        if earlier is not None:
            return self._accuse(earlier, vote)
        self._open.setdefault(number, {})[vote.author] = vote
        return self._count(number, checkpoint_digest(vote.checkpoint))

    def _rival_of(self, vote: CheckpointVote) -> CheckpointVote | None:
        """Return an earlier vote of the seat that no chain can have beside this one.

        The last one that was certified counts too: who closed the epoch may not go on in it.
        """
        for voted in (self._certified, *self._open.values()):
            earlier = voted.get(vote.author)
            if earlier is not None and contradict(earlier.checkpoint, vote.checkpoint):
                return earlier
        return None

    def _accuse(self, earlier: CheckpointVote, vote: CheckpointVote) -> VoteOutcome:
        """Prove a conflict once per seat: it loses everything the first time."""
        if vote.author in self._accused:
            return Unremarkable.DUPLICATE
        conflict = prove_conflict(earlier, vote)
        self._accused[vote.author] = conflict
        return Conflicting(conflict)

    def _count(self, number: int, digest: Digest) -> VoteOutcome:
        votes = self._open[number]
        powers: dict[Digest, int] = {}
        for author, vote in votes.items():
            voted = checkpoint_digest(vote.checkpoint)
            powers[voted] = powers.get(voted, 0) + self._seats[author].power
        if powers[digest] >= self._quorum:
            return Certified(self._certify(number, digest))
        waiting = self._power_total - sum(powers.values())
        if max(powers.values()) + waiting < self._quorum:
            return Split(number)
        return Unremarkable.COUNTED

    def _certify(self, number: int, digest: Digest) -> Certificate:
        votes = self._open[number]
        signers = tuple(
            author
            for author in sorted(votes)
            if checkpoint_digest(votes[author].checkpoint) == digest
        )
        self._next_number = number + 1
        self._forget(number)
        return Certificate(
            votes[signers[0]].checkpoint,
            bitmap_of(signers, seat_count=len(self._seats)),
            tuple(votes[author].signature for author in signers),
        )

    def _forget(self, certified: int) -> None:
        """Drop the votes up to a certified number; the chain of checkpoints covers them."""
        self._certified |= self._open[certified]
        for closed in [number for number in self._open if number <= certified]:
            del self._open[closed]
