"""Two checkpoints by one validator where it may sign only one: the attack on light clients.

Guards: nobody is named before both signatures verify under the key of that seat in that epoch
(CometBFT issue 1749: bogus signatures could have slashed innocents). It costs the whole stake.

An honest validator signs the checkpoints of one chain, so of any two that it signed one can come
after the other (`check_successor`). Two of which neither can convict: two of one number or commit;
one after the end of an epoch that its committee closed with the other; one number in two epochs.
"""

from typing import Final

import msgspec

from node.ledger.checkpoint import (
    VOTE_BYTES_MAX,
    Certificate,
    Checkpoint,
    CheckpointVote,
    check_order,
    checkpoint_digest,
    signers_of,
    verify_vote,
)
from node.ledger.committee import Seats
from node.ledger.errors import (
    CheckpointOrderError,
    ConflictFormatError,
    ConflictSignatureError,
    ConflictSlotError,
)
from primitives.codec import Codec
from primitives.errors import InvalidCheckpointError, MalformedBytesError
from primitives.ids import AuthorityIndex, ChainId, Epoch

CONFLICT_BYTES_MAX: Final = 2 * VOTE_BYTES_MAX


class CheckpointConflict(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Two votes of one validator for different checkpoints, the lower digest first."""

    first: CheckpointVote
    second: CheckpointVote

    @property
    def seats(self) -> tuple[tuple[Epoch, AuthorityIndex], tuple[Epoch, AuthorityIndex]]:
        """The seats of the two votes, that of the earlier epoch first."""
        one, other = self.in_order
        return (one.checkpoint.epoch, one.author), (other.checkpoint.epoch, other.author)

    @property
    def in_order(self) -> tuple[CheckpointVote, CheckpointVote]:
        """The votes, that of the earlier epoch first."""
        if self.second.checkpoint.epoch < self.first.checkpoint.epoch:
            return self.second, self.first
        return self.first, self.second

    @property
    def epoch(self) -> Epoch:
        """The epoch whose committee judges the votes; the earlier one of two."""
        return self.seats[0][0]

    @property
    def author(self) -> AuthorityIndex:
        """The seat that is accused, in that epoch."""
        return self.seats[0][1]


CONFLICT_CODEC: Codec[CheckpointConflict] = Codec(
    CheckpointConflict, size_bytes_max=CONFLICT_BYTES_MAX
)


def prove_conflict(one: CheckpointVote, other: CheckpointVote) -> CheckpointConflict:
    """Build evidence from two verified votes of one seat for different checkpoints."""
    first, second = sorted((one, other), key=lambda vote: checkpoint_digest(vote.checkpoint))
    return CheckpointConflict(first, second)


def conflicts_between(
    one: Certificate, other: Certificate, *, seats: Seats
) -> tuple[CheckpointConflict, ...]:
    """Build evidence against every seat that signed both of two verified certificates."""
    votes, rivals = _votes_of(one, seats), _votes_of(other, seats)
    return tuple(
        prove_conflict(votes[author], rivals[author])
        for author in sorted(votes)
        if author in rivals
    )


def read_conflict(raw: bytes) -> CheckpointConflict:
    """Decode evidence from outside; `epoch` then says which committee has to judge it.

    Raises:
        ConflictFormatError: the bytes are not two votes.
    """
    try:
        return CONFLICT_CODEC.decode(raw)
    except MalformedBytesError as error:
        raise ConflictFormatError(str(error)) from error


def contradict(one: Checkpoint, other: Checkpoint) -> bool:
    """Tell whether no chain can have both, so that no honest validator signs both."""
    if one.number == other.number:
        return one != other
    earlier, later = sorted((one, other), key=lambda checkpoint: checkpoint.number)
    try:
        check_order(earlier, later)
    except CheckpointOrderError:
        return True
    return False


def verify_conflict(
    conflict: CheckpointConflict,
    *,
    chain_id: ChainId,
    seats: Seats,
    later_seats: Seats | None = None,
) -> AuthorityIndex:
    """Return the seat that signed both, in the earlier epoch if they are of two.

    Args:
        conflict: the evidence.
        chain_id: of this chain.
        seats: the committee of `conflict.epoch`, however long ago it ruled.
        later_seats: that of the later epoch, if the caller knows that the two seats of
            `conflict.seats` are of one validator; None refuses votes of two epochs.

    Raises:
        ConflictFormatError: it is one checkpoint twice, or the digests do not ascend.
        ConflictSlotError: an honest validator may sign both.
        ConflictSignatureError: the seat did not sign both.
    """
    first, second = conflict.first.checkpoint, conflict.second.checkpoint
    if checkpoint_digest(first) >= checkpoint_digest(second):
        raise ConflictFormatError("the digests must differ and ascend")
    if first.epoch == second.epoch:
        if conflict.first.author != conflict.second.author:
            raise ConflictSlotError("votes of two seats")
        later_seats = seats
    if later_seats is None:
        raise ConflictSlotError("votes of two epochs")
    if not contradict(first, second):
        raise ConflictSlotError("one chain may have both checkpoints")
    for vote, bench in zip(conflict.in_order, (seats, later_seats), strict=True):
        epoch = vote.checkpoint.epoch
        try:
            verify_vote(vote, chain_id=chain_id, epoch=epoch, seats=bench)
        except InvalidCheckpointError as error:
            raise ConflictSignatureError(str(error)) from error
    return conflict.author


def _votes_of(certificate: Certificate, seats: Seats) -> dict[AuthorityIndex, CheckpointVote]:
    signers = signers_of(certificate.signers, seat_count=len(seats))
    return {
        author: CheckpointVote(certificate.checkpoint, author, signature)
        for author, signature in zip(signers, certificate.signatures, strict=True)
    }
