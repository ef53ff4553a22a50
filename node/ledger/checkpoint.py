"""Checkpoints: what a validator vouches for after it executed a commit; certificates: enough vouch.

A certificate is finality that a client checks with signatures alone. Guards: every signature in it
must verify, its bitmap has one form, and its seats are those of the epoch that the checkpoint
names; a signature is tied to a seat, never to whoever happens to match it (tendermint-rs
GHSA-6jrf-4jv4-r9mw).

Checkpoints are numbered from genesis over all epochs. An honest validator signs one per number and
one per commit index, so two chains that part must show two signatures for one number, even where
the one has no checkpoint at the commit of the other, or for two that no chain can have together.
Certificates are not agreed on: nodes may hold different signers for one checkpoint, so nothing
that is agreed may ever hash one (axyl issue 112).
"""

from typing import Annotated, Final

import msgspec

from node.ledger.committee import SEATS_MAX, Seats, quorum_of
from node.ledger.errors import (
    CertificatePowerError,
    CertificateSignatureError,
    CertificateSignerError,
    CheckpointChainError,
    CheckpointFormatError,
    CheckpointOrderError,
)
from node.ledger.wire import (
    AuthorityField,
    ChainIdField,
    CommitIndexField,
    Counter,
    DigestField,
    EpochField,
    HeightField,
    SignatureField,
    TimeField,
)
from primitives.codec import Codec
from primitives.errors import BadSignatureError, MalformedBytesError
from primitives.hashing import Domain, tagged_hash
from primitives.ids import AuthorityIndex, ChainId, Digest, Epoch
from primitives.keys import PrivateKey, PublicKey

CHECKPOINT_BYTES_MAX: Final = 512
VOTE_BYTES_MAX: Final = 640
CERTIFICATE_BYTES_MAX: Final = CHECKPOINT_BYTES_MAX + SEATS_MAX * 67
_BITMAP_BYTES_MAX: Final = SEATS_MAX // 8

NO_CHECKPOINT: Final = Digest(bytes(32))
"""What the first checkpoint of a chain names as its predecessor."""


class Checkpoint(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """The chain after one commit.

    Args:
        number: checkpoints before this one, since genesis.
        commit_index: of the commit in its epoch; the first is 1.
        height: commits since genesis; the version of the state.
        previous: digest of the checkpoint before; zeros for number 0.
        next_committee: the digest of the seats of the next epoch, in the last checkpoint of each
            epoch and in no other.
    """

    chain_id: ChainIdField
    epoch: EpochField
    number: Counter
    commit_index: CommitIndexField
    height: HeightField
    commit_digest: DigestField
    timestamp_ms: TimeField
    state_root: DigestField
    receipts_root: DigestField
    previous: DigestField
    next_committee: DigestField | None


class CheckpointVote(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A checkpoint that one seat of its epoch signed; travels as a message of its own."""

    checkpoint: Checkpoint
    author: AuthorityField
    signature: SignatureField


class Certificate(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A checkpoint that a quorum signed.

    Args:
        signers: bit i of byte i // 8, lowest first, says whether seat i signed; one bit per seat,
            the rest of the last byte is zero.
        signatures: of the signers, by ascending seat.
    """

    checkpoint: Checkpoint
    signers: Annotated[bytes, msgspec.Meta(max_length=_BITMAP_BYTES_MAX)]
    signatures: Annotated[tuple[SignatureField, ...], msgspec.Meta(max_length=SEATS_MAX)]


CHECKPOINT_CODEC: Codec[Checkpoint] = Codec(Checkpoint, size_bytes_max=CHECKPOINT_BYTES_MAX)
VOTE_CODEC: Codec[CheckpointVote] = Codec(CheckpointVote, size_bytes_max=VOTE_BYTES_MAX)
CERTIFICATE_CODEC: Codec[Certificate] = Codec(Certificate, size_bytes_max=CERTIFICATE_BYTES_MAX)


def checkpoint_digest(checkpoint: Checkpoint) -> Digest:
    """Return the name of the checkpoint, which is also the digest that validators sign."""
    return tagged_hash(Domain.CHECKPOINT, CHECKPOINT_CODEC.encode(checkpoint))


def sign_checkpoint(
    checkpoint: Checkpoint, *, author: AuthorityIndex, key: PrivateKey
) -> CheckpointVote:
    """Return the vote of a seat; the caller must have it on disk before anybody sees it."""
    message = CHECKPOINT_CODEC.encode(checkpoint)
    return CheckpointVote(checkpoint, author, key.sign(Domain.CHECKPOINT, message))


def read_certificate(raw: bytes) -> Certificate:
    """Decode a certificate from outside; what it says is not verified yet.

    Raises:
        CheckpointFormatError: the bytes are not one canonical certificate.
    """
    try:
        return CERTIFICATE_CODEC.decode(raw)
    except MalformedBytesError as error:
        raise CheckpointFormatError(str(error)) from error


def verify_vote(vote: CheckpointVote, *, chain_id: ChainId, epoch: Epoch, seats: Seats) -> None:
    """Check that the seat signed the checkpoint of this chain and epoch.

    Raises:
        CheckpointChainError: it is of another chain or epoch.
        CertificateSignerError: there is no such seat.
        CertificateSignatureError: the seat did not sign it.
    """
    _check_place(vote.checkpoint, chain_id=chain_id, epoch=epoch)
    if vote.author >= len(seats):
        raise CertificateSignerError(f"no seat {vote.author} among {len(seats)}")
    message = CHECKPOINT_CODEC.encode(vote.checkpoint)
    _check_signature(seats, vote.author, message, vote.signature)


def verify_certificate(
    certificate: Certificate, *, chain_id: ChainId, epoch: Epoch, seats: Seats
) -> None:
    """Check that a quorum of the seats signed the checkpoint of this chain and epoch.

    Raises:
        CheckpointChainError: it is of another chain or epoch.
        CertificateSignerError: the bitmap has another form, or not one signature per bit.
        CertificatePowerError: the signers hold less than a quorum.
        CertificateSignatureError: one of them did not sign it.
    """
    _check_place(certificate.checkpoint, chain_id=chain_id, epoch=epoch)
    signers = signers_of(certificate.signers, seat_count=len(seats))
    if len(signers) != len(certificate.signatures):
        raise CertificateSignerError(
            f"{len(signers)} signers but {len(certificate.signatures)} signatures"
        )
    power, quorum = sum(seats[author].power for author in signers), quorum_of(seats)
    if power < quorum:
        raise CertificatePowerError(f"signers hold {power}, a quorum is {quorum}")
    message = CHECKPOINT_CODEC.encode(certificate.checkpoint)
    for author, signature in zip(signers, certificate.signatures, strict=True):
        _check_signature(seats, author, message, signature)


def bitmap_of(signers: tuple[AuthorityIndex, ...], *, seat_count: int) -> bytes:
    """Return the bitmap in which the bits of these seats are set."""
    mask = sum(1 << author for author in signers)
    return mask.to_bytes((seat_count + 7) // 8, "little")


def signers_of(bitmap: bytes, *, seat_count: int) -> tuple[AuthorityIndex, ...]:
    """Return the seats whose bits are set, ascending.

    Raises:
        CertificateSignerError: it is not a bitmap of so many seats.
    """
    if len(bitmap) != (seat_count + 7) // 8:
        raise CertificateSignerError(f"{len(bitmap)} bytes of bitmap for {seat_count} seats")
    mask = int.from_bytes(bitmap, "little")
    if mask >> seat_count:
        raise CertificateSignerError(f"a bit beyond the last of {seat_count} seats")
    return tuple(AuthorityIndex(author) for author in range(seat_count) if mask >> author & 1)


def check_successor(earlier: Checkpoint, later: Checkpoint) -> None:
    """Check that one checkpoint can come after another of the same chain.

    Raises:
        CheckpointOrderError: epoch, number, height, commit index or time say that it cannot.
        CheckpointChainError: it is the very next one and names another predecessor.
    """
    check_order(earlier, later)
    if later.number == earlier.number + 1 and later.previous != checkpoint_digest(earlier):
        raise CheckpointChainError("it names another predecessor")


def check_order(earlier: Checkpoint, later: Checkpoint) -> None:
    """Check that the places of two checkpoints can be those of one chain, in this order.

    Raises:
        CheckpointOrderError: epoch, number, height, commit index or time say that they cannot.
    """
    if later.timestamp_ms < earlier.timestamp_ms:
        raise CheckpointOrderError(f"time {later.timestamp_ms} < {earlier.timestamp_ms}")
    number_step = later.number - earlier.number
    height_step = later.height - earlier.height
    if not 1 <= number_step <= height_step:
        raise CheckpointOrderError(f"{number_step} checkpoints but {height_step} commits later")
    _check_commit_step(earlier, later, height_step)


def _check_commit_step(earlier: Checkpoint, later: Checkpoint, height_step: int) -> None:
    """Check the commit index, which starts again from 1 with each epoch."""
    closing = earlier.next_committee is not None
    if later.epoch == earlier.epoch:
        fits = not closing and later.commit_index - earlier.commit_index == height_step
    elif later.epoch == earlier.epoch + 1 and closing:
        fits = later.commit_index == height_step
    else:
        fits = later.epoch > earlier.epoch and later.commit_index < height_step
    if not fits:
        raise CheckpointOrderError(
            f"commit {later.commit_index} of epoch {later.epoch} cannot be {height_step} after "
            f"commit {earlier.commit_index} of epoch {earlier.epoch}"
        )


def _check_place(checkpoint: Checkpoint, *, chain_id: ChainId, epoch: Epoch) -> None:
    if checkpoint.chain_id != chain_id:
        raise CheckpointChainError("a checkpoint of another chain")
    if checkpoint.epoch != epoch:
        raise CheckpointChainError(f"a checkpoint of epoch {checkpoint.epoch}, expected {epoch}")


def _check_signature(seats: Seats, author: AuthorityIndex, message: bytes, mark: bytes) -> None:
    try:
        PublicKey(seats[author].consensus_key).verify(Domain.CHECKPOINT, message, mark)
    except BadSignatureError as error:
        raise CertificateSignatureError(f"not signed by seat {author}") from error
