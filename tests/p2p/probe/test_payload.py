import hashlib

import pytest

from p2p.probe.payload import HEAD_SIZE_BYTES, index_of, payload_of

AUTHOR = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"


def test_payload_is_number_author_and_a_hash_that_repeats() -> None:
    payload = payload_of(AUTHOR, 7, size_bytes=100)
    head = bytes(7) + b"\x07" + hashlib.sha256(AUTHOR.encode()).digest()[:8]
    tail = hashlib.sha256(head).digest()
    assert payload == (head + tail * 3)[:100]


@pytest.mark.parametrize("size_bytes", [16, 17, 47, 48, 49, 1024, 900_000])
def test_number_of_a_payload_can_be_read_at_every_size(size_bytes: int) -> None:
    payload = payload_of(AUTHOR, 2**40, size_bytes=size_bytes)
    assert len(payload) == size_bytes
    assert index_of(payload) == 2**40


@pytest.mark.parametrize("place", [0, 8, 15, 16, 500, 1023])
def test_payload_with_a_flipped_bit_has_no_number(place: int) -> None:
    payload = bytearray(payload_of(AUTHOR, 3, size_bytes=1024))
    payload[place] ^= 1
    assert index_of(bytes(payload)) is None


def test_payload_that_is_cut_short_has_no_number() -> None:
    assert index_of(payload_of(AUTHOR, 3, size_bytes=HEAD_SIZE_BYTES)[:-1]) is None
    assert index_of(b"") is None
