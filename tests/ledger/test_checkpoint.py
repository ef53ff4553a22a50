import msgspec
import pytest

from consensus.committee import Authority, Committee
from consensus.committee import quorum_threshold as quorum_of_consensus
from node.ledger.checkpoint import (
    CERTIFICATE_CODEC,
    NO_CHECKPOINT,
    Certificate,
    Checkpoint,
    bitmap_of,
    check_successor,
    checkpoint_digest,
    read_certificate,
    sign_checkpoint,
    signers_of,
    verify_certificate,
    verify_vote,
)
from node.ledger.committee import (
    POWER_TOTAL_MAX,
    SEATS_MAX,
    Seat,
    Seats,
    check_seats,
    quorum_of,
    seats_digest,
)
from node.ledger.errors import (
    CertificatePowerError,
    CertificateSignatureError,
    CertificateSignerError,
    CheckpointChainError,
    CheckpointCommitteeError,
    CheckpointFormatError,
    CheckpointOrderError,
)
from primitives.errors import InvalidCheckpointError
from primitives.hashing import Domain, tagged_hash
from primitives.ids import (
    AuthorityIndex,
    ChainId,
    CommitIndex,
    Digest,
    Epoch,
    Height,
    Power,
    TimestampMs,
)
from tests.ledger.builders import (
    CHAIN,
    NOW,
    address_of,
    certificate_of,
    checkpoint,
    key_of,
    seats_with,
)

FOUR = seats_with(1, 1, 1, 1)
UNEVEN = seats_with(2, 3, 3, 3, 1)


def verify(certificate: Certificate, seats: Seats = FOUR) -> None:
    verify_certificate(certificate, chain_id=CHAIN, epoch=Epoch(0), seats=seats)


def replaced(certificate: Certificate, **fields: object) -> Certificate:
    return msgspec.structs.replace(certificate, **fields)


class TestCommittee:
    @pytest.mark.parametrize("seats", [FOUR, UNEVEN, seats_with(7)])
    def test_its_quorum_is_that_of_consensus(self, seats: Seats) -> None:
        assert quorum_of(seats) == quorum_of_consensus(sum(seat.power for seat in seats))

    def test_its_digest_is_that_of_consensus(self) -> None:
        authorities = Committee(
            [Authority(seat.power, seat.consensus_key) for seat in UNEVEN]
        ).authorities
        expected = tagged_hash(Domain.COMMITTEE, msgspec.msgpack.encode(authorities))
        assert seats_digest(UNEVEN) == expected

    @pytest.mark.parametrize(
        "seats",
        [
            pytest.param((), id="nobody"),
            pytest.param(FOUR[:1] * (SEATS_MAX + 1), id="too many"),
            pytest.param((*FOUR, Seat(Power(0), address_of(9))), id="no power"),
            pytest.param((*FOUR, Seat(Power(POWER_TOTAL_MAX), address_of(9))), id="much power"),
            pytest.param((*FOUR, FOUR[0]), id="one key twice"),
            pytest.param((*FOUR, Seat(Power(1), bytes(32))), id="an unusable key"),
        ],
    )
    def test_one_that_could_not_rule_is_refused(self, seats: Seats) -> None:
        with pytest.raises(CheckpointCommitteeError):
            check_seats(seats)

    @pytest.mark.parametrize("seats", [FOUR, UNEVEN, seats_with(1)])
    def test_one_that_could_rule_passes(self, seats: Seats) -> None:
        check_seats(seats)


class TestVote:
    def test_a_seat_s_vote_verifies(self) -> None:
        vote = sign_checkpoint(checkpoint(), author=AuthorityIndex(2), key=key_of(2))
        verify_vote(vote, chain_id=CHAIN, epoch=Epoch(0), seats=FOUR)

    @pytest.mark.parametrize(
        ("chain_id", "epoch", "author", "signer", "expected"),
        [
            pytest.param(bytes(32), 0, 2, 2, CheckpointChainError, id="of another chain"),
            pytest.param(CHAIN, 1, 2, 2, CheckpointChainError, id="of another epoch"),
            pytest.param(CHAIN, 0, 4, 4, CertificateSignerError, id="by nobody's seat"),
            pytest.param(CHAIN, 0, 2, 1, CertificateSignatureError, id="by another seat"),
        ],
    )
    def test_one_that_does_not_belong_is_refused(
        self,
        chain_id: bytes,
        epoch: int,
        author: int,
        signer: int,
        expected: type[InvalidCheckpointError],
    ) -> None:
        vote = sign_checkpoint(checkpoint(), author=AuthorityIndex(author), key=key_of(signer))
        with pytest.raises(expected):
            verify_vote(vote, chain_id=ChainId(chain_id), epoch=Epoch(epoch), seats=FOUR)


class TestCertificate:
    @pytest.mark.parametrize(
        ("seats", "signers"),
        [
            (FOUR, (0, 1, 2)),
            (FOUR, (1, 2, 3)),
            (FOUR, (0, 1, 2, 3)),
            (UNEVEN, (1, 2, 3)),
            (UNEVEN, (0, 1, 2, 4)),
            (seats_with(5), (0,)),
            (seats_with(*[1] * 9), (0, 1, 2, 3, 4, 5, 8)),
        ],
    )
    def test_a_quorum_of_power_verifies(self, seats: Seats, signers: tuple[int, ...]) -> None:
        verify(certificate_of(checkpoint(), seats, signers=signers), seats)

    @pytest.mark.parametrize(
        ("seats", "signers"),
        [(FOUR, ()), (FOUR, (0, 1)), (UNEVEN, (0, 1, 2)), (UNEVEN, (0, 1, 4))],
    )
    def test_less_than_a_quorum_of_power_is_refused(
        self, seats: Seats, signers: tuple[int, ...]
    ) -> None:
        with pytest.raises(CertificatePowerError):
            verify(certificate_of(checkpoint(), seats, signers=signers), seats)

    def test_every_signature_must_verify_even_beyond_the_quorum(self) -> None:
        made = certificate_of(checkpoint(), FOUR, signers=(0, 1, 2, 3))
        forged = replaced(made, signatures=(*made.signatures[:3], bytes(64)))
        with pytest.raises(CertificateSignatureError):
            verify(forged)

    def test_signatures_are_tied_to_their_seats(self) -> None:
        made = certificate_of(checkpoint(), FOUR, signers=(0, 1, 2))
        with pytest.raises(CertificateSignatureError):
            verify(replaced(made, signatures=made.signatures[::-1]))

    def test_one_signature_cannot_fill_two_seats(self) -> None:
        made = certificate_of(checkpoint(), FOUR, signers=(0, 1, 2))
        with pytest.raises(CertificateSignatureError):
            verify(replaced(made, signatures=made.signatures[:1] * 3))

    @pytest.mark.parametrize(
        "bitmap", [b"", b"\x07\x00", b"\x17", b"\x87"], ids=lambda bitmap: f"bitmap {bitmap.hex()}"
    )
    def test_a_bitmap_has_one_form(self, bitmap: bytes) -> None:
        made = certificate_of(checkpoint(), FOUR, signers=(0, 1, 2))
        with pytest.raises(CertificateSignerError):
            verify(replaced(made, signers=bitmap))

    @pytest.mark.parametrize("bitmap", [b"\x0f", b"\x03"])
    def test_there_is_one_signature_for_each_bit(self, bitmap: bytes) -> None:
        made = certificate_of(checkpoint(), FOUR, signers=(0, 1, 2))
        with pytest.raises(CertificateSignerError):
            verify(replaced(made, signers=bitmap))

    @pytest.mark.parametrize("field", ["chain_id", "state_root", "receipts_root", "commit_digest"])
    def test_the_signatures_cover_every_part_of_the_checkpoint(self, field: str) -> None:
        made = certificate_of(checkpoint(), FOUR, signers=(0, 1, 2))
        altered = msgspec.structs.replace(made.checkpoint, **{field: b"\x99" * 32})
        with pytest.raises(InvalidCheckpointError):
            verify(replaced(made, checkpoint=altered))

    def test_the_wrong_committee_is_refused(self) -> None:
        made = certificate_of(checkpoint(), FOUR, signers=(0, 1, 2))
        with pytest.raises(CertificateSignatureError):
            verify(made, seats_with(1, 1, 1, 1, first_key=40))

    def test_another_epoch_is_refused(self) -> None:
        made = certificate_of(checkpoint(epoch=Epoch(1)), FOUR, signers=(0, 1, 2))
        with pytest.raises(CheckpointChainError):
            verify(made)

    def test_it_survives_the_wire(self) -> None:
        made = certificate_of(checkpoint(), FOUR, signers=(0, 1, 2))
        assert read_certificate(CERTIFICATE_CODEC.encode(made)) == made

    def test_a_change_of_any_byte_is_refused(self) -> None:
        raw = CERTIFICATE_CODEC.encode(certificate_of(checkpoint(), FOUR, signers=(0, 1, 2)))
        for place in range(len(raw)):
            changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            with pytest.raises(InvalidCheckpointError):
                verify(read_certificate(changed))

    def test_bytes_that_are_no_certificate_are_refused(self) -> None:
        with pytest.raises(CheckpointFormatError):
            read_certificate(b"\x90")

    def test_a_bitmap_says_who_signed(self) -> None:
        authors = tuple(map(AuthorityIndex, (0, 7, 8, 11)))
        assert bitmap_of(authors, seat_count=12) == b"\x81\x09"
        assert signers_of(b"\x81\x09", seat_count=12) == authors


FIRST = checkpoint(1)
SECOND = checkpoint(2, previous=checkpoint_digest(FIRST))


CLOSING = checkpoint(2, next_committee=Digest(b"\x77" * 32))


class TestSuccessor:
    @pytest.mark.parametrize(
        "later",
        [
            pytest.param(SECOND, id="the next"),
            pytest.param(checkpoint(7), id="some later one"),
            pytest.param(checkpoint(7, number=3), id="not every commit has one"),
            pytest.param(
                checkpoint(2, previous=SECOND.previous, timestamp_ms=NOW + 1), id="at once"
            ),
            pytest.param(
                checkpoint(9, epoch=Epoch(1), commit_index=CommitIndex(1), previous=NO_CHECKPOINT),
                id="of a later epoch",
            ),
        ],
    )
    def test_a_later_checkpoint_may_follow(self, later: Checkpoint) -> None:
        check_successor(FIRST, later)

    def test_an_epoch_begins_where_the_last_one_ended(self) -> None:
        check_successor(CLOSING, checkpoint(5, epoch=Epoch(1), commit_index=CommitIndex(3)))

    @pytest.mark.parametrize(
        ("earlier", "later", "expected"),
        [
            pytest.param(FIRST, FIRST, CheckpointOrderError, id="itself"),
            pytest.param(SECOND, FIRST, CheckpointOrderError, id="backwards"),
            pytest.param(
                FIRST,
                checkpoint(2, timestamp_ms=TimestampMs(NOW)),
                CheckpointOrderError,
                id="earlier in time",
            ),
            pytest.param(
                FIRST, checkpoint(3, height=Height(2)), CheckpointOrderError, id="wrong height"
            ),
            pytest.param(
                FIRST, checkpoint(3, height=Height(4)), CheckpointOrderError, id="a commit skipped"
            ),
            pytest.param(
                FIRST, checkpoint(2, number=5), CheckpointOrderError, id="more than commits"
            ),
            pytest.param(
                checkpoint(1, epoch=Epoch(1)),
                checkpoint(3),
                CheckpointOrderError,
                id="of an earlier epoch",
            ),
            pytest.param(
                FIRST,
                checkpoint(5, epoch=Epoch(1), commit_index=CommitIndex(4)),
                CheckpointOrderError,
                id="all commits in the new epoch though the old one went on",
            ),
            pytest.param(
                CLOSING, checkpoint(3), CheckpointOrderError, id="of an epoch that is over"
            ),
            pytest.param(
                CLOSING,
                checkpoint(5, epoch=Epoch(1), commit_index=CommitIndex(2)),
                CheckpointOrderError,
                id="fewer commits in the new epoch than there were",
            ),
            pytest.param(
                FIRST,
                checkpoint(2, previous=Digest(bytes(32))),
                CheckpointChainError,
                id="another predecessor",
            ),
        ],
    )
    def test_one_that_cannot_follow_is_refused(
        self, earlier: Checkpoint, later: Checkpoint, expected: type[InvalidCheckpointError]
    ) -> None:
        with pytest.raises(expected):
            check_successor(earlier, later)
