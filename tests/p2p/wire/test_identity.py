import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.wire.identity import Identity, verify
from p2p.wire.peer_id import peer_id_text
from p2p.wire.protobuf import bytes_field, number_field
from primitives.errors import BadSignatureError, InvalidKeyError, MalformedBytesError
from tests.p2p.published import published

SEED = bytes(range(32))
IDENTITY = Identity.from_seed(SEED)
OTHER = Identity.from_seed(bytes(32))


@pytest.mark.parametrize("row", published("identity"))
def test_identities_are_those_of_js(row: dict[str, str]) -> None:
    identity = Identity.from_seed(bytes.fromhex(row["seed"]))
    assert identity.public_key.hex() == row["public_key"]
    assert identity.public_key_protobuf.hex() == row["public_key_protobuf"]
    assert identity.peer_id.hex() == row["peer_id_bytes"]
    assert identity.encode().hex() == row["private_key_protobuf"]
    assert Identity.decode(identity.encode()).peer_id == identity.peer_id


def test_the_old_form_that_repeats_the_public_key_is_read() -> None:
    old = SEED + IDENTITY.public_key * 2
    identity = Identity.decode(number_field(1, 1) + bytes_field(2, old))
    assert identity.encode() == IDENTITY.encode()


@given(st.binary(max_size=200))
def test_what_one_signs_the_other_verifies(message: bytes) -> None:
    signature = IDENTITY.sign(message)
    assert len(signature) == 64
    assert signature == IDENTITY.sign(message)
    verify(IDENTITY.public_key, message, signature)
    with pytest.raises(BadSignatureError):
        verify(IDENTITY.public_key, message + b"x", signature)
    with pytest.raises(BadSignatureError):
        verify(OTHER.public_key, message, signature)


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_signature_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(BadSignatureError, match="a signature 64"):
        verify(IDENTITY.public_key, b"message", bytes(size))


@pytest.mark.parametrize("key", [b"", IDENTITY.public_key[:31], IDENTITY.public_key + b"\0"])
def test_a_key_of_another_size_is_refused(key: bytes) -> None:
    with pytest.raises(BadSignatureError, match="a key has 32 bytes"):
        verify(key, b"message", IDENTITY.sign(b"message"))


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31)])
def test_a_key_under_which_anyone_could_sign_is_refused(key: bytes) -> None:
    # With a point of small order, R = A and S = 0 would hold for one message in a few.
    for message in range(16):
        with pytest.raises(BadSignatureError):
            verify(key, bytes((message,)), key + bytes(32))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(InvalidKeyError, match="a seed has 32 bytes"):
        Identity.from_seed(bytes(size))


@pytest.mark.parametrize(
    ("protobuf", "error"),
    [
        (b"", InvalidKeyError),
        (number_field(1, 0) + bytes_field(2, bytes(64)), InvalidKeyError),
        (number_field(1, 1), MalformedBytesError),
        (number_field(1, 1) + bytes_field(3, bytes(64)), MalformedBytesError),
        (number_field(1, 1) + bytes_field(2, SEED), MalformedBytesError),
        (number_field(1, 1) + bytes_field(2, bytes(65)), MalformedBytesError),
        (number_field(1, 1) + bytes_field(2, SEED + OTHER.public_key), InvalidKeyError),
        (
            number_field(1, 1) + bytes_field(2, SEED + IDENTITY.public_key + OTHER.public_key),
            InvalidKeyError,
        ),
        (IDENTITY.encode() + number_field(3, 1), MalformedBytesError),
    ],
)
def test_a_damaged_key_file_is_refused(protobuf: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        Identity.decode(protobuf)


def test_the_secret_is_not_shown() -> None:
    assert repr(IDENTITY) == f"Identity({peer_id_text(IDENTITY.peer_id)})"
    assert SEED.hex() not in repr(IDENTITY)
