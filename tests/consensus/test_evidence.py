"""Proof of equivocation: nobody is named who did not sign twice, and everybody who did can be."""

from collections.abc import Callable

import msgspec
import pytest

from consensus.block import HEADER_CODEC, INT64_MAX, Block, SignedBlock, header_digest
from consensus.committee import Committee, EpochContext
from consensus.errors import EvidenceFormatError, EvidenceSignatureError, EvidenceSlotError
from consensus.evidence import (
    EVIDENCE_CODEC,
    EquivocationWatch,
    Evidence,
    prove_equivocation,
    verify_evidence,
)
from primitives.errors import InvalidEvidenceError
from primitives.hashing import Domain
from primitives.ids import AuthorityIndex, Epoch
from tests.consensus.builders import Forge, changed, phantom, refs_of
from tests.dsl.committee import context_of, key_of

CONTEXT = context_of((1,) * 4)
FORGE = Forge(CONTEXT)
CULPRIT = 2


def twins(author: int = CULPRIT, *, count: int = 2) -> list[Block]:
    """Return blocks of one slot of round 1, by ascending digest."""
    blocks = [FORGE.block(1, author, timestamp_ms=stamp) for stamp in range(count)]
    return sorted(blocks, key=lambda block: block.ref.digest)


FIRST, SECOND = twins()
PROOF = prove_equivocation(FIRST, SECOND)


def of(*pair: SignedBlock) -> Evidence:
    """Return evidence of any two signed headers, the lower digest first."""
    first, second = sorted(pair, key=lambda signed: header_digest(signed.header))
    return Evidence(first.header, first.signature, second.header, second.signature)


def proof(**changes: object) -> Evidence:
    """Return the valid proof with some fields replaced."""
    return msgspec.structs.replace(PROOF, **changes)


def both(*, seat: int = CULPRIT, **changes: object) -> Evidence:
    """Return two headers of one slot, both changed alike and signed by a seat."""
    return of(
        *(
            FORGE.sign_raw(HEADER_CODEC.encode(changed(block, **changes)), author=seat)
            for block in (FIRST, SECOND)
        )
    )


def one(**changes: object) -> Evidence:
    """Return a valid header and one of which some fields are changed, both signed."""
    raw = HEADER_CODEC.encode(changed(SECOND, **changes))
    return of(FIRST.signed, FORGE.sign_raw(raw, author=CULPRIT))


def flip(raw: bytes) -> bytes:
    """Return the bytes with one bit turned."""
    return bytes([raw[0] ^ 1]) + raw[1:]


def test_two_headers_of_one_slot_name_their_author() -> None:
    assert verify_evidence(PROOF, CONTEXT) == FIRST.ref
    assert verify_evidence(prove_equivocation(SECOND, FIRST), CONTEXT) == FIRST.ref
    assert EVIDENCE_CODEC.decode(EVIDENCE_CODEC.encode(PROOF)) == PROOF


def test_proof_holds_though_the_blocks_break_other_rules() -> None:
    assert verify_evidence(both(ancestors=()), CONTEXT).author == CULPRIT


REFUSED: list[tuple[str, type[InvalidEvidenceError], Callable[[], Evidence]]] = [
    ("first header is no header", EvidenceFormatError, lambda: proof(first_header=b"")),
    ("second header is no header", EvidenceFormatError, lambda: proof(second_header=b"\x90")),
    (
        "header in another encoding",
        EvidenceFormatError,
        lambda: proof(first_header=PROOF.first_header + b"\0"),
    ),
    ("one header twice", EvidenceFormatError, lambda: of(FIRST.signed, FIRST.signed)),
    (
        "higher digest first",
        EvidenceFormatError,
        lambda: Evidence(
            PROOF.second_header,
            PROOF.second_signature,
            PROOF.first_header,
            PROOF.first_signature,
        ),
    ),
    ("two rounds", EvidenceSlotError, lambda: one(round=2)),
    ("two authors", EvidenceSlotError, lambda: of(FIRST.signed, twins(1)[0].signed)),
    ("two epochs", EvidenceSlotError, lambda: one(epoch=1)),
    ("two chains", EvidenceSlotError, lambda: one(genesis=bytes(32))),
    ("another epoch", EvidenceSlotError, lambda: both(epoch=1)),
    ("another chain", EvidenceSlotError, lambda: both(genesis=bytes(32))),
    ("round zero", EvidenceSlotError, lambda: both(round=0)),
    ("author outside", EvidenceSlotError, lambda: both(author=4, seat=0)),
    ("author far outside", EvidenceSlotError, lambda: both(author=INT64_MAX, seat=0)),
    ("no first signature", EvidenceSignatureError, lambda: proof(first_signature=bytes(64))),
    ("no second signature", EvidenceSignatureError, lambda: proof(second_signature=bytes(64))),
    (
        "mauled signature",
        EvidenceSignatureError,
        lambda: proof(second_signature=flip(PROOF.second_signature)),
    ),
    (
        "signatures swapped",
        EvidenceSignatureError,
        lambda: proof(
            first_signature=PROOF.second_signature, second_signature=PROOF.first_signature
        ),
    ),
    ("signed by another seat", EvidenceSignatureError, lambda: both(seat=0)),
    (
        "signed in another domain",
        EvidenceSignatureError,
        lambda: proof(
            first_signature=key_of(CULPRIT).sign(
                Domain.EVIDENCE, header_digest(FIRST.signed.header)
            )
        ),
    ),
]


@pytest.mark.parametrize(
    ("error", "build"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_bytes_that_prove_nothing_name_nobody(
    error: type[InvalidEvidenceError], build: Callable[[], Evidence]
) -> None:
    with pytest.raises(InvalidEvidenceError) as caught:
        verify_evidence(build(), CONTEXT)
    assert type(caught.value) is error


def _context(committee: Committee, *, epoch: int = 0) -> EpochContext:
    return EpochContext(
        chain_id=CONTEXT.chain_id,
        epoch=Epoch(epoch),
        committee=committee,
        parameters=CONTEXT.parameters,
    )


def test_old_proof_is_judged_by_the_committee_of_its_epoch() -> None:
    later = _context(CONTEXT.committee, epoch=1)
    with pytest.raises(EvidenceSlotError):
        verify_evidence(PROOF, later)
    assert verify_evidence(PROOF, CONTEXT).author == CULPRIT


def test_swapped_public_keys_do_not_move_the_blame() -> None:
    seats = list(CONTEXT.committee.authorities)
    seats[0], seats[CULPRIT] = seats[CULPRIT], seats[0]
    swapped = _context(Committee(seats))
    with pytest.raises(EvidenceSlotError):
        verify_evidence(PROOF, swapped)
    with pytest.raises(EvidenceSignatureError):
        verify_evidence(both(genesis=swapped.genesis_digest), swapped)


def test_watch_proves_an_author_once() -> None:
    watch = EquivocationWatch()
    first, second, third = twins(count=3)
    assert watch.observe(first, []) is None
    evidence = watch.observe(second, [first])
    assert evidence is not None
    assert verify_evidence(evidence, CONTEXT).author == CULPRIT
    assert watch.observe(third, [first, second]) is None
    assert list(watch.proofs) == [CULPRIT]


def test_same_block_again_proves_nothing() -> None:
    assert EquivocationWatch().observe(FIRST, [FIRST]) is None


def test_proofs_are_reported_once_in_order_of_author() -> None:
    watch = EquivocationWatch()
    for author in (3, 0, 2):
        first, second = twins(author)
        watch.observe(first, [second])
    (higher, lower) = (watch.take_reports(2), watch.take_reports(2))
    assert [report.first.author for report in higher] == [0, 3]
    assert [report.first.author for report in lower] == [2]
    assert watch.take_reports(2) == ()
    assert all(report.first.digest < report.second.digest for report in (*higher, *lower))


def test_report_leads_to_a_proof_that_needs_no_dag() -> None:
    watch = EquivocationWatch()
    report = FORGE.report(FIRST, SECOND)
    assert watch.follow(report) == (FIRST.ref, SECOND.ref)
    assert watch.expects(SECOND.ref)
    assert watch.observe(SECOND, []) is None
    assert watch.observe(FIRST, []) is not None
    assert not watch.expects(SECOND.ref)
    assert watch.follow(report) == ()


def test_bogus_report_proves_nothing() -> None:
    watch = EquivocationWatch()
    (honest, *_) = twins(1)
    bogus = FORGE.report(honest, FORGE.block(1, 1, timestamp_ms=9))
    watch.follow(bogus)
    assert watch.observe(honest, []) is None
    assert watch.observe(honest, []) is None
    assert not watch.proofs


def test_suspect_of_another_round_is_no_twin() -> None:
    watch = EquivocationWatch()
    first, second = twins()
    watch.follow(FORGE.report(first, second))
    watch.observe(first, [])
    later = FORGE.block(2, CULPRIT, [phantom(1, author) for author in range(4)])
    assert watch.observe(later, []) is None


def test_later_report_takes_the_place_of_an_earlier_one() -> None:
    watch = EquivocationWatch()
    first, second, third = twins(count=3)
    watch.follow(FORGE.report(first, second))
    watch.follow(FORGE.report(second, third))
    assert not watch.expects(first.ref)
    assert [watch.expects(ref) for ref in refs_of([second, third])] == [True, True]
    assert not watch.expects(phantom(1, AuthorityIndex(0)))
