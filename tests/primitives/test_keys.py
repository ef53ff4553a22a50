import nacl.exceptions
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from primitives.errors import BadSignatureError, InvalidKeyError
from primitives.hashing import Domain
from primitives.keys import (
    PUBLIC_KEY_SIZE_BYTES,
    SEED_SIZE_BYTES,
    SIGNATURE_SIZE_BYTES,
    PrivateKey,
    PublicKey,
)
from tests.vectors import Row, cases

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
SEEDS = st.binary(min_size=SEED_SIZE_BYTES, max_size=SEED_SIZE_BYTES)
KEYS = st.builds(PrivateKey.from_seed, SEEDS)
DOMAINS = st.sampled_from(Domain)
MESSAGES = st.binary(max_size=64)


@pytest.mark.parametrize("row", cases("keys", "rfc8032"))
def test_keys_and_bare_signatures_are_those_of_rfc_8032(row: Row) -> None:
    seed, message = bytes.fromhex(row["seed"]), bytes.fromhex(row["message"])
    assert PrivateKey.from_seed(seed).public.raw.hex() == row["public"]
    # Our own signatures cover a tagged hash, so the published ones meet only the library below.
    _, secret = bindings.crypto_sign_seed_keypair(seed)
    assert bindings.crypto_sign(message, secret)[:SIGNATURE_SIZE_BYTES].hex() == row["signature"]


@pytest.mark.parametrize("row", cases("keys", "signatures_valid"))
def test_a_signature_is_the_golden_one_and_verifies(row: Row) -> None:
    key = PrivateKey.from_seed(bytes.fromhex(row["seed"]))
    domain, message = Domain[row["domain"]], bytes.fromhex(row["message"])
    signature = key.sign(domain, message)
    assert signature.hex() == row["signature"]
    key.public.verify(domain, message, signature)


@pytest.mark.parametrize("row", cases("keys", "signatures_invalid"))
def test_a_bad_signature_is_refused(row: Row) -> None:
    key = PublicKey(bytes.fromhex(row["public"]))
    message, signature = bytes.fromhex(row["message"]), bytes.fromhex(row["signature"])
    with pytest.raises(BadSignatureError):
        key.verify(Domain[row["domain"]], message, signature)


@pytest.mark.parametrize("row", cases("keys", "keys_invalid"))
def test_an_unusable_key_is_refused(row: Row) -> None:
    with pytest.raises(InvalidKeyError):
        PublicKey.from_raw(bytes.fromhex(row["raw"]))


@pytest.mark.parametrize("row", cases("keys", "speccheck"))
def test_where_libraries_differ_the_key_or_the_signature_is_refused(row: Row) -> None:
    public = bytes.fromhex(row["pub_key"])
    signed = bytes.fromhex(row["signature"]) + bytes.fromhex(row["message"])
    with pytest.raises((InvalidKeyError, nacl.exceptions.BadSignatureError)):
        bindings.crypto_sign_open(signed, PublicKey.from_raw(public).raw)


@pytest.mark.parametrize("row", cases("keys", "did_key_valid"))
def test_a_did_key_is_the_published_one(row: Row) -> None:
    public = PrivateKey.from_seed(bytes.fromhex(row["seed"])).public
    assert public.did_key == row["did_key"]
    assert PublicKey.from_did_key(row["did_key"]) == public


@pytest.mark.parametrize("row", cases("keys", "did_key_invalid"))
def test_a_malformed_did_key_is_refused(row: Row) -> None:
    with pytest.raises(InvalidKeyError):
        PublicKey.from_did_key(row["text"])


@given(KEYS)
def test_a_key_survives_its_two_forms(key: PrivateKey) -> None:
    public = key.public
    assert PublicKey.from_raw(public.raw) == public
    assert PublicKey.from_did_key(public.did_key) == public
    assert public.did_key.startswith("did:key:z6Mk")
    assert hash(PublicKey(bytes(public.raw))) == hash(public)


@given(st.binary(min_size=PUBLIC_KEY_SIZE_BYTES, max_size=PUBLIC_KEY_SIZE_BYTES))
def test_every_text_names_the_bytes_it_was_made_of_or_is_refused(raw: bytes) -> None:
    text = PublicKey(raw).did_key
    try:
        expected = PublicKey.from_raw(raw)
    except InvalidKeyError:
        with pytest.raises(InvalidKeyError):
            PublicKey.from_did_key(text)
    else:
        assert PublicKey.from_did_key(text) == expected


@given(KEYS, DOMAINS, MESSAGES, st.integers(0, SIGNATURE_SIZE_BYTES * 8 - 1))
def test_one_flipped_bit_spoils_a_signature(
    key: PrivateKey, domain: Domain, message: bytes, bit: int
) -> None:
    signature = bytearray(key.sign(domain, message))
    key.public.verify(domain, message, bytes(signature))
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadSignatureError):
        key.public.verify(domain, message, bytes(signature))


@given(KEYS, DOMAINS, DOMAINS, MESSAGES, MESSAGES)
def test_a_signature_holds_for_one_domain_and_message_only(
    key: PrivateKey, domain: Domain, other_domain: Domain, message: bytes, other_message: bytes
) -> None:
    signature = key.sign(domain, message)
    if (domain, message) == (other_domain, other_message):
        key.public.verify(other_domain, other_message, signature)
    else:
        with pytest.raises(BadSignatureError):
            key.public.verify(other_domain, other_message, signature)


@given(KEYS, MESSAGES, st.integers(1, 14))
def test_a_scalar_beyond_the_group_order_is_refused(
    key: PrivateKey, message: bytes, multiple: int
) -> None:
    signature = key.sign(Domain.TRACE, message)
    scalar = int.from_bytes(signature[32:], "little") + multiple * GROUP_ORDER
    with pytest.raises(BadSignatureError):
        key.public.verify(Domain.TRACE, message, signature[:32] + scalar.to_bytes(32, "little"))


def test_a_key_is_generated_from_the_randomness_passed_in() -> None:
    sizes_asked: list[int] = []

    def random_bytes(size_bytes: int) -> bytes:
        sizes_asked.append(size_bytes)
        return b"\x07" * size_bytes

    key = PrivateKey.generate(random_bytes)
    assert sizes_asked == [SEED_SIZE_BYTES]
    assert key.public == PrivateKey.from_seed(b"\x07" * SEED_SIZE_BYTES).public


@pytest.mark.parametrize("size_bytes", [0, 31, 33, 64])
def test_a_seed_of_another_size_is_refused(size_bytes: int) -> None:
    with pytest.raises(InvalidKeyError, match=f"this has {size_bytes}"):
        PrivateKey.from_seed(bytes(size_bytes))


@given(SEEDS)
def test_a_private_key_never_shows_its_secret(seed: bytes) -> None:
    key = PrivateKey.from_seed(seed)
    assert repr(key) == str(key) == f"PrivateKey(public={key.public.did_key})"
    assert not hasattr(key, "__dict__")
