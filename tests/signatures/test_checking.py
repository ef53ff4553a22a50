"""The checker agrees with the keys of the project, on every case where libraries differ."""

import json

import pytest

from node.signatures.checking import ClaimChecker
from node.signatures.claims import SignatureClaim
from primitives.errors import HanseError
from primitives.hashing import Domain, tagged_hash
from primitives.keys import PublicKey
from tests.signatures.claiming import KEYS, false_claim, true_claim
from tests.tidy.sources import ROOT

MESSAGE = b"a message"
VECTORS = json.loads((ROOT / "tests/vectors/keys.json").read_text(encoding="utf-8"))


def test_signature_of_the_key_holds_and_any_other_does_not() -> None:
    claims = [true_claim(0), false_claim(0), true_claim(1), false_claim(2)]
    assert ClaimChecker().check(claims) == [True, False, True, False]


@pytest.mark.parametrize("raw", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32, b"short"])
def test_signature_under_an_unusable_key_never_holds(raw: bytes) -> None:
    # With a key of small order, R = 0 and S = 0 would satisfy the bare equation.
    forged = [b"\x01" + bytes(63), bytes(64), true_claim().signature]
    claims = [SignatureClaim(raw, true_claim().digest, signature) for signature in forged]
    assert ClaimChecker().check(claims) == [False, False, False]


def test_signature_that_takes_bytes_of_the_message_does_not_hold() -> None:
    claim = true_claim()
    longer = claim._replace(signature=claim.signature + claim.digest[:1], digest=claim.digest[1:])
    assert ClaimChecker().check([claim, longer]) == [True, False]


def test_forgetting_keys_changes_no_verdict() -> None:
    checker = ClaimChecker(keys_kept_max=1)
    claims = [true_claim(number) for number in (0, 1, 0, 1)]
    assert checker.check(claims) == [True] * 4


def test_verdict_is_that_of_the_public_key_for_every_flipped_bit() -> None:
    key = KEYS[0]
    signature = key.sign(Domain.TRANSACTION, MESSAGE)
    for bit in range(0, 512, 7):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        _assert_agreement(key.public.raw, Domain.TRANSACTION, MESSAGE, bytes(changed))


def test_verdict_is_that_of_the_public_key_for_every_signature_of_the_vectors() -> None:
    rows = VECTORS["signatures_invalid"] + [
        {**row, "public": KEYS[0].public.raw.hex()} for row in VECTORS["signatures_valid"]
    ]
    assert rows
    for row in rows:
        parts = [bytes.fromhex(row[name]) for name in ("public", "message", "signature")]
        _assert_agreement(parts[0], Domain[row["domain"]], parts[1], parts[2])


def test_no_key_of_the_vectors_that_is_unusable_has_a_signature_that_holds() -> None:
    for row in VECTORS["keys_invalid"]:
        claim = true_claim()._replace(key=bytes.fromhex(row["raw"]))
        assert ClaimChecker().check([claim]) == [False]


def _assert_agreement(raw: bytes, domain: Domain, message: bytes, signature: bytes) -> None:
    claim = SignatureClaim(raw, tagged_hash(domain, message), signature)
    try:
        PublicKey.from_raw(raw).verify(domain, message, signature)
    except HanseError:
        assert ClaimChecker().check([claim]) == [False]
    else:
        assert ClaimChecker().check([claim]) == [True]
