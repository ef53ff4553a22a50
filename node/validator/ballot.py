"""The votes for checkpoints of the running epoch and of the one before, while that is uncertified.

Pure: it says what a vote changes. Guards: what a quorum certified is compared with what this node
computed, whichever comes first, so a node whose state differs never goes on in silence; a number
that a later certificate has passed over is still collected for a while, since receipts of its
commit are proven by a certificate of its own; whatever was missed, newer votes count.
"""

from dataclasses import dataclass
from typing import Final

from node.ledger.checkpoint import Certificate, CheckpointVote, checkpoint_digest
from node.ledger.committee import Seats
from node.ledger.votes import (
    OPEN_NUMBERS_MAX,
    Certified,
    CheckpointVotes,
    Split,
    Unremarkable,
    VoteOutcome,
)
from node.validator.errors import StateDivergedError
from primitives.ids import ChainId, Digest, Epoch

EPOCHS_OPEN: Final = 2
OWN_NUMBERS_MAX: Final = 512
"""Own checkpoints that wait for their certificate; more means that no quorum signs at all."""

LATE_NUMBERS_MAX: Final = 64
"""Numbers below the newest certificate for which votes are still collected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VotingEpoch:
    """An epoch whose committee votes.

    Attributes:
        first_number: of its first checkpoint without a certificate.
    """

    epoch: Epoch
    seats: Seats
    first_number: int


class _Poll:
    """One epoch: the votes for what comes next, and for each number that was passed over."""

    def __init__(self, chain_id: ChainId, voting: VotingEpoch) -> None:
        self._chain_id = chain_id
        self._voting = voting
        self.epoch = voting.epoch
        self.reached = voting.first_number
        self.votes = self.collector(voting.first_number)
        self.late: dict[int, CheckpointVotes] = {}

    def collector(self, first_number: int) -> CheckpointVotes:
        return CheckpointVotes(
            chain_id=self._chain_id,
            epoch=self.epoch,
            seats=self._voting.seats,
            first_number=first_number,
        )

    def add(self, vote: CheckpointVote) -> VoteOutcome:
        number = vote.checkpoint.number
        return self.late.get(number, self.votes).add(vote)

    def reopen(self, number: int) -> None:
        """Collect the votes for a number that was passed over."""
        if number not in self.late:
            self.late[number] = self.collector(number)
            while len(self.late) > LATE_NUMBERS_MAX:
                del self.late[min(self.late)]

    def leap(self, number: int) -> None:
        """Begin anew behind a certificate that lies too far ahead to get there by counting."""
        if number + 1 - self.votes.next_number > OPEN_NUMBERS_MAX // 2:
            self.votes = self.collector(number + 1)


class Ballot:
    """Collects votes of two epochs at most, and compares certificates with own checkpoints."""

    def __init__(self, chain_id: ChainId) -> None:
        self._chain_id = chain_id
        self._polls: dict[Epoch, _Poll] = {}
        self._own: dict[int, CheckpointVote] = {}
        self._computed: dict[int, Digest] = {}
        self._certified: dict[int, Digest] = {}
        self._newest = -1

    @property
    def waiting(self) -> tuple[CheckpointVote, ...]:
        """Own votes whose checkpoints have no certificate, by number."""
        return tuple(self._own[number] for number in sorted(self._own))

    def begin(self, voting: VotingEpoch) -> None:
        """Collect votes of an epoch; the oldest of more than two is given up."""
        if voting.epoch in self._polls:
            return
        self._polls[voting.epoch] = _Poll(self._chain_id, voting)
        while len(self._polls) > EPOCHS_OPEN:
            del self._polls[min(self._polls)]
        self._newest = max(self._newest, voting.first_number - 1)
        oldest = min(self._polls)
        self._own = {n: vote for n, vote in self._own.items() if vote.checkpoint.epoch >= oldest}

    def compute(self, number: int, digest: Digest) -> None:
        """Note what this node computed.

        Raises:
            StateDivergedError: a quorum certified something else.
        """
        self._computed[number] = digest
        self._compare(number)
        _shorten(self._computed)

    def sign(self, vote: CheckpointVote) -> VoteOutcome:
        """Count a vote of our own, and keep it until that very checkpoint is certified."""
        number = vote.checkpoint.number
        if self._is_wanted(number):
            self._own[number] = vote
            _shorten(self._own)
            poll = self._polls.get(vote.checkpoint.epoch)
            if poll is not None and number < poll.reached:
                poll.reopen(number)
        return self.add(vote)

    def add(self, vote: CheckpointVote) -> VoteOutcome:
        """Count a vote.

        Raises:
            InvalidCheckpointError: it is not one of this chain and committee.
            StateDivergedError: what it certifies, or rules out, is not what we computed.
        """
        poll = self._polls.get(vote.checkpoint.epoch)
        if poll is None:
            return Unremarkable.OUTSIDE_WINDOW
        outcome = poll.add(vote)
        if isinstance(outcome, Certified):
            self.certify(outcome.certificate)
        elif isinstance(outcome, Split):
            raise StateDivergedError(
                outcome.number, own=self._computed.get(outcome.number), certified=None
            )
        return outcome

    def certify(self, certificate: Certificate) -> None:
        """Note a certificate, from here or from elsewhere, that was verified.

        Raises:
            StateDivergedError: it is of another state than ours.
        """
        checkpoint = certificate.checkpoint
        number = checkpoint.number
        self._certified[number] = checkpoint_digest(checkpoint)
        self._newest = max(self._newest, number)
        poll = self._polls.get(checkpoint.epoch)
        if poll is not None:
            poll.late.pop(number, None)
            poll.leap(number)
            self._pass_over(poll)
        self._own = {n: vote for n, vote in self._own.items() if self._is_wanted(n)}
        self._compare(number)
        _shorten(self._certified)

    def _is_wanted(self, number: int) -> bool:
        """Tell whether a certificate of this number may still be made here."""
        return number not in self._certified and number > self._newest - LATE_NUMBERS_MAX

    def _pass_over(self, poll: _Poll) -> None:
        """Go on collecting, one by one, the numbers that were given up for a later one."""
        first = max(poll.reached, poll.votes.next_number - LATE_NUMBERS_MAX)
        poll.reached = max(poll.reached, poll.votes.next_number)
        for number in range(first, poll.reached):
            if number not in self._certified:
                poll.reopen(number)
                own = self._own.get(number)
                if own is not None and own.checkpoint.epoch == poll.epoch:
                    poll.add(own)

    def _compare(self, number: int) -> None:
        own, certified = self._computed.get(number), self._certified.get(number)
        if own is not None and certified is not None:
            del self._computed[number]
            if own != certified:
                raise StateDivergedError(number, own=own, certified=certified)


def _shorten(numbered: dict[int, CheckpointVote] | dict[int, Digest]) -> None:
    while len(numbered) > OWN_NUMBERS_MAX:
        del numbered[min(numbered)]
