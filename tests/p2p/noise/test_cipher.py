import tracemalloc
from contextlib import suppress
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import HandshakeError
from p2p.noise.cipher import (
    FRAME_SIZE_BYTES_MAX,
    LENGTH_SIZE_BYTES,
    TAG_SIZE_BYTES,
    Opener,
    Sealer,
)
from tests.p2p.cutting import CUTS, pieces
from tests.p2p.published import published

PEER = "12D3KooW"
KEY = bytes(range(32))
PLAINTEXTS = st.lists(st.binary(min_size=1, max_size=40), max_size=5)
# The numbers of the specification, which the code derives.
FULL_FRAME_BYTES = 65519
LAST_NONCE = 2**64 - 2


def sealer() -> Sealer:
    return Sealer(KEY, peer=PEER)


def opener() -> Opener:
    return Opener(KEY, peer=PEER)


def frames_of(plaintexts: list[bytes]) -> list[bytes]:
    seal = sealer().seal
    return [seal(plaintext) for plaintext in plaintexts]


@pytest.mark.parametrize(
    ("sender", "key"),
    [
        ("initiator", "key_initiator_to_responder"),
        ("responder", "key_responder_to_initiator"),
    ],
)
def test_frames_are_those_of_js(sender: str, key: str) -> None:
    transcript = published("noise_xx")
    raw_key = bytes.fromhex(transcript[key])
    sealing, opening = Sealer(raw_key, peer=PEER), Opener(raw_key, peer=PEER)
    rows = [row for row in transcript["transport"] if row["from"] == sender]
    for row in rows:
        plaintext, frame = bytes.fromhex(row["plaintext"]), bytes.fromhex(row["framed"])
        assert sealing.seal(plaintext) == frame
        assert opening.open(frame) == plaintext


@given(PLAINTEXTS, CUTS)
def test_pieces_do_not_matter(plaintexts: list[bytes], cuts: list[int]) -> None:
    opening = opener()
    opened = [opening.open(piece) for piece in pieces(b"".join(frames_of(plaintexts)), cuts)]
    assert b"".join(opened) == b"".join(plaintexts)


@given(PLAINTEXTS, CUTS)
def test_frames_can_be_had_one_by_one(plaintexts: list[bytes], cuts: list[int]) -> None:
    opening = opener()
    raw = b"".join(frames_of(plaintexts))
    opened = [frame for piece in pieces(raw, cuts) for frame in opening.open_frames(piece)]
    assert opened == plaintexts


@pytest.mark.parametrize("size", [1, 65518, 65519, 65520, 3 * 65519, 300_000])
def test_what_is_too_long_for_a_frame_is_split(size: int) -> None:
    plaintext = bytes(range(256)) * (size // 256 + 1)
    sealed = sealer().seal(plaintext[:size])
    frames = opener().open_frames(sealed)
    assert b"".join(frames) == plaintext[:size]
    assert len(frames) == -(-size // FULL_FRAME_BYTES)
    assert all(len(frame) == FULL_FRAME_BYTES for frame, _ in pairwise(frames))
    assert len(sealed) == size + len(frames) * (LENGTH_SIZE_BYTES + TAG_SIZE_BYTES)


def test_nothing_needs_no_frame_but_an_empty_one_is_read() -> None:
    assert sealer().seal(b"") == b""
    assert opener().open(b"") == b""
    # js-libp2p has no use for it, but Noise allows a frame that is only a tag.
    empty = ChaCha20Poly1305(KEY).encrypt(bytes(12), b"", None)
    assert opener().open_frames(b"\x00\x10" + empty) == [b""]


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=7), CUTS)
def test_a_changed_bit_is_never_read(place: int, bit: int, cuts: list[int]) -> None:
    plaintexts = [b"first", b"second", b"third"]
    raw = bytearray(b"".join(frames_of(plaintexts)))
    raw[place % len(raw)] ^= 1 << bit
    opening = opener()
    opened: list[bytes] = []
    with suppress(HandshakeError):
        for piece in pieces(bytes(raw), cuts):
            opened += opening.open_frames(piece)
    assert opened == plaintexts[: len(opened)]
    assert len(opened) < len(plaintexts)


@pytest.mark.parametrize("order", [(1,), (0, 0), (0, 2), (1, 0)])
def test_lost_repeated_and_moved_frames_are_refused(order: tuple[int, ...]) -> None:
    frames = frames_of([b"first", b"second", b"third"])
    with pytest.raises(HandshakeError, match="does not authenticate") as caught:
        opener().open(b"".join(frames[index] for index in order))
    assert caught.value.peer == PEER


def test_frames_of_another_key_are_refused() -> None:
    with pytest.raises(HandshakeError, match="does not authenticate"):
        Opener(bytes(32), peer=PEER).open(sealer().seal(b"hello"))


@pytest.mark.parametrize("size", range(TAG_SIZE_BYTES))
def test_a_frame_shorter_than_a_tag_is_refused(size: int) -> None:
    with pytest.raises(HandshakeError, match="does not authenticate"):
        opener().open(bytes((0, size)) + bytes(size))


def test_no_nonce_is_used_twice() -> None:
    sealing = Sealer(KEY, peer=PEER, nonce=LAST_NONCE)
    opening = Opener(KEY, peer=PEER, nonce=LAST_NONCE)
    last = sealing.seal(b"last")
    assert opening.open(last) == b"last"
    with pytest.raises(HandshakeError, match="no nonce is left to encrypt"):
        sealing.seal(b"one too many")
    with pytest.raises(HandshakeError, match="no nonce is left to decrypt"):
        opening.open(last)


def test_an_unfinished_frame_takes_no_more_memory_than_its_size() -> None:
    opening = opener()
    piece = bytes(64)
    opening.open(FRAME_SIZE_BYTES_MAX.to_bytes(2, "big"))
    tracemalloc.start()
    for _ in range(FRAME_SIZE_BYTES_MAX // len(piece)):
        opening.open(piece)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A bytearray grows by an eighth at a time, and while it moves both places are held.
    assert peak_bytes < 3 * FRAME_SIZE_BYTES_MAX
