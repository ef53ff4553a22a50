import functools
from dataclasses import dataclass

import msgspec
import pytest

from node.ledger.checkpoint import Checkpoint, checkpoint_digest
from node.ledger.committee import Seats, seats_digest
from node.ledger.errors import (
    CertificatePowerError,
    CertificateSignatureError,
    CheckpointChainError,
    CheckpointCommitteeError,
    CheckpointFormatError,
    CheckpointOrderError,
    ReceiptProofError,
    TrustExpiredError,
)
from node.ledger.genesis import GENESIS_CODEC, chain_id_of, first_committee
from node.ledger.light_client import (
    ANCHOR_CODEC,
    CHAIN_FILE_CODEC,
    Anchor,
    CertificateChain,
    ChainLink,
    LightClient,
)
from node.ledger.parameters import LedgerParameters
from node.ledger.receipt import RECEIPT_PROOF_CODEC, prove_receipt, receipts_root
from primitives.errors import HanseError
from primitives.ids import CommitIndex, Digest, Epoch, Height, TimestampMs
from tests.ledger.builders import (
    NOW,
    certificate_of,
    changes_of,
    checkpoint,
    genesis,
    receipts,
    seats_with,
)

GENESIS_FILE = GENESIS_CODEC.encode(genesis())
CHAIN_ID = chain_id_of(GENESIS_FILE)
FIRST = first_committee(genesis())
SECOND = seats_with(3, 3, 3, 1, first_key=40)
THIRD = seats_with(1, 1, 1, 1, 1, first_key=50)
LOPSIDED = seats_with(9, 1, 1, 1, first_key=40)
PERIOD_MS = LedgerParameters().trusting_period_ms


def close(epoch: int, seats: Seats) -> Checkpoint:
    """Return the last checkpoint of an epoch of ten commits."""
    return at(10 * (epoch + 1), epoch, next_committee=seats_digest(seats))


def at(height: int, epoch: int, **fields: object) -> Checkpoint:
    made = checkpoint(
        height,
        chain_id=CHAIN_ID,
        epoch=Epoch(epoch),
        commit_index=CommitIndex(height - 10 * epoch),
        receipts_root=receipts_root(receipts()),
    )
    return msgspec.structs.replace(made, **fields)


def link(
    made: Checkpoint, seats: Seats, *, signers: tuple[int, ...] = (0, 1, 2), then: Seats = ()
) -> ChainLink:
    return ChainLink(certificate_of(made, seats, signers=signers), then)


def file_of(*links: ChainLink) -> bytes:
    return CHAIN_FILE_CODEC.encode(CertificateChain(links))


ZERO = link(close(0, SECOND), FIRST, then=SECOND)
ONE = link(close(1, THIRD), SECOND, then=THIRD)
TWO = link(at(25, 2), THIRD, signers=(0, 1, 3, 4))
CHAIN_FILE = file_of(ZERO, ONE, TWO)
PROOF_FILE = RECEIPT_PROOF_CODEC.encode(prove_receipt(receipts(), 1))


@functools.cache
def client() -> LightClient:
    return LightClient.from_genesis(GENESIS_FILE)


def test_three_files_prove_a_receipt() -> None:
    assert client().follow(CHAIN_FILE).receipt(PROOF_FILE) == receipts()[1]


def test_following_ends_at_the_last_certificate_and_its_committee() -> None:
    followed = client().follow(CHAIN_FILE)
    assert followed.head == TWO.certificate.checkpoint
    assert (followed.epoch, followed.seats) == (2, THIRD)


def test_a_chain_may_end_with_an_epoch() -> None:
    followed = client().follow(file_of(ZERO))
    assert (followed.epoch, followed.seats) == (1, SECOND)


def test_a_client_goes_on_from_where_it_was() -> None:
    followed = client().follow(file_of(ZERO)).follow(file_of(ONE, TWO))
    assert followed == client().follow(CHAIN_FILE)


def test_following_the_same_chain_again_is_refused() -> None:
    with pytest.raises(CheckpointChainError):
        client().follow(file_of(ZERO)).follow(file_of(ZERO))


def test_a_change_of_any_byte_of_the_genesis_file_is_refused() -> None:
    for changed in changes_of(GENESIS_FILE):
        with pytest.raises(HanseError):
            LightClient.from_genesis(changed).follow(CHAIN_FILE)


def test_a_change_of_any_byte_of_the_certificate_chain_is_refused() -> None:
    for changed in changes_of(CHAIN_FILE):
        with pytest.raises(HanseError):
            client().follow(changed)


def test_a_change_of_any_byte_of_a_receipt_proof_is_refused() -> None:
    followed = client().follow(CHAIN_FILE)
    for changed in changes_of(PROOF_FILE):
        with pytest.raises(ReceiptProofError):
            followed.receipt(changed)


FORGED: dict[str, tuple[tuple[ChainLink, ...], type[HanseError]]] = {
    "a quorum of heads without a quorum of power": (
        (
            link(close(0, LOPSIDED), FIRST, then=LOPSIDED),
            link(close(1, THIRD), LOPSIDED, signers=(1, 2, 3), then=THIRD),
        ),
        CertificatePowerError,
    ),
    "too few signers": (
        (link(close(0, SECOND), FIRST, signers=(0, 1), then=SECOND),),
        CertificatePowerError,
    ),
    "signed by the committee after": (
        (link(close(0, SECOND), SECOND, then=SECOND),),
        CertificateSignatureError,
    ),
    "an epoch left out": ((ZERO, TWO), CheckpointChainError),
    "another committee than the one that was signed": (
        (msgspec.structs.replace(ZERO, next_seats=THIRD),),
        CheckpointCommitteeError,
    ),
    "the committee left out": (
        (msgspec.structs.replace(ZERO, next_seats=()),),
        CheckpointCommitteeError,
    ),
    "a committee amid an epoch": (
        (ZERO, ONE, msgspec.structs.replace(TWO, next_seats=THIRD)),
        CheckpointCommitteeError,
    ),
    "a committee that could not rule": (
        (link(close(0, SECOND[:1] * 2), FIRST, then=SECOND[:1] * 2),),
        CheckpointCommitteeError,
    ),
    "a certificate amid an epoch before the last": (
        (link(at(5, 0), FIRST), ZERO),
        CheckpointOrderError,
    ),
    "time that goes back": (
        (
            ZERO,
            link(
                msgspec.structs.replace(close(1, THIRD), timestamp_ms=TimestampMs(NOW)),
                SECOND,
                then=THIRD,
            ),
        ),
        CheckpointOrderError,
    ),
    "height that goes back": (
        (
            ZERO,
            link(
                msgspec.structs.replace(close(1, THIRD), height=Height(10), number=10),
                SECOND,
                then=THIRD,
            ),
        ),
        CheckpointOrderError,
    ),
    "another chain": (
        (link(msgspec.structs.replace(close(0, SECOND), chain_id=b"\x01" * 32), FIRST),),
        CheckpointChainError,
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_chain_is_refused(name: str) -> None:
    links, expected = FORGED[name]
    with pytest.raises(expected):
        client().follow(file_of(*links))


def test_bytes_that_are_no_chain_are_refused() -> None:
    with pytest.raises(CheckpointFormatError):
        client().follow(b"\x91\x90")


def test_a_receipt_of_another_commit_is_refused() -> None:
    other = RECEIPT_PROOF_CODEC.encode(prove_receipt(receipts()[:2], 1))
    with pytest.raises(ReceiptProofError):
        client().follow(CHAIN_FILE).receipt(other)


def test_nothing_is_proven_under_genesis_alone() -> None:
    with pytest.raises(CheckpointOrderError):
        client().receipt(PROOF_FILE)


@dataclass(frozen=True)
class Trust:
    """An anchor file, and the digest that the client has from somewhere else."""

    raw: bytes
    digest: Digest
    now_ms: int


def anchored(made: Checkpoint, seats: Seats, *, age_ms: int = 1_000) -> Trust:
    raw = ANCHOR_CODEC.encode(Anchor(made, seats))
    return Trust(raw, checkpoint_digest(made), made.timestamp_ms + age_ms)


def start(trust: Trust) -> LightClient:
    return client().trusting(trust.raw, digest=trust.digest, now_ms=TimestampMs(trust.now_ms))


def test_a_recent_anchor_saves_the_way_from_genesis() -> None:
    trusted = start(anchored(close(1, THIRD), THIRD))
    assert trusted.follow(file_of(TWO)) == client().follow(CHAIN_FILE)


@pytest.mark.parametrize("age_ms", [0, PERIOD_MS])
def test_an_anchor_is_trusted_up_to_the_end_of_the_period(age_ms: int) -> None:
    start(anchored(close(1, THIRD), THIRD, age_ms=age_ms))


@pytest.mark.parametrize("age_ms", [-1, PERIOD_MS + 1])
def test_an_anchor_that_is_too_old_or_from_the_future_is_refused(age_ms: int) -> None:
    with pytest.raises(TrustExpiredError):
        start(anchored(close(1, THIRD), THIRD, age_ms=age_ms))


BAD_ANCHORS: dict[str, tuple[Trust, type[HanseError]]] = {
    "no anchor": (Trust(b"\x90", Digest(bytes(32)), NOW), CheckpointFormatError),
    "another checkpoint": (
        Trust(anchored(close(1, THIRD), THIRD).raw, Digest(bytes(32)), NOW),
        CheckpointChainError,
    ),
    "another chain": (
        anchored(msgspec.structs.replace(close(1, THIRD), chain_id=b"\x01" * 32), THIRD),
        CheckpointChainError,
    ),
    "amid an epoch": (anchored(at(15, 1), ()), CheckpointCommitteeError),
    "other seats": (anchored(close(1, THIRD), SECOND), CheckpointCommitteeError),
}


@pytest.mark.parametrize("name", BAD_ANCHORS)
def test_an_anchor_that_is_not_the_trusted_one_is_refused(name: str) -> None:
    trust, expected = BAD_ANCHORS[name]
    with pytest.raises(expected):
        start(trust)


def test_a_change_of_any_byte_of_the_anchor_is_refused() -> None:
    trust = anchored(close(1, THIRD), THIRD)
    for changed in changes_of(trust.raw):
        with pytest.raises(HanseError):
            start(Trust(changed, trust.digest, trust.now_ms))


def test_a_head_grows_too_old_to_be_trusted() -> None:
    followed = client().follow(CHAIN_FILE)
    assert followed.head is not None
    followed.check_age(TimestampMs(followed.head.timestamp_ms + PERIOD_MS))
    with pytest.raises(TrustExpiredError):
        followed.check_age(TimestampMs(followed.head.timestamp_ms + PERIOD_MS + 1))
