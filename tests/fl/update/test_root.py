"""Roots are those of IPFS, and content digests see through encodings."""

import numpy as np
import pytest

from fl.rules.update.blob import decode, encode_update
from fl.rules.update.header import Packing, Width
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.root import CHUNK_SIZE_BYTES, blob_root, chunk_digests, content_digest
from primitives.hashing import sha256
from tests.fl.update import reference
from tests.fl.update.cast import LAYOUT, expecting, seeded_vector
from tests.vectors import Row, cases


def file_of(size_bytes: int) -> bytes:
    """Return the file that the golden roots are of: 7 i + (i >> 8) + (i >> 18), modulo 256."""
    places = np.arange(CHUNK_SIZE_BYTES)
    first = (places * 7 + (places >> 8)).astype(np.uint8)
    chunks = range(size_bytes // CHUNK_SIZE_BYTES + 1)
    return b"".join((first + np.uint8(index % 256)).tobytes() for index in chunks)[:size_bytes]


@pytest.mark.parametrize("row", cases("update_root", "roots"))
def test_a_root_is_the_one_that_ipfs_gives(row: Row) -> None:
    assert str(blob_root(memoryview(file_of(row["size_bytes"])))) == row["cid"]


def test_chunks_are_hashed_one_by_one() -> None:
    raw = file_of(2 * CHUNK_SIZE_BYTES + 5)
    parts = (raw[:CHUNK_SIZE_BYTES], raw[CHUNK_SIZE_BYTES : 2 * CHUNK_SIZE_BYTES], raw[-5:])
    assert chunk_digests(raw) == [sha256(part) for part in parts]
    assert chunk_digests(b"") == [sha256(b"")]


def test_a_content_digest_is_the_tagged_hash_of_layout_and_numbers() -> None:
    vector = seeded_vector()
    message = LAYOUT.digest + b"".join(
        number.to_bytes(4, "little", signed=True) for number in vector.tolist()
    )
    right = reference.tagged("hanse/update-content/1", message)
    assert content_digest(vector, layout=LAYOUT) == right


def test_encodings_of_one_vector_have_one_content_and_many_roots() -> None:
    vector = np.where(np.arange(LAYOUT.size) % 4 == 0, 64, 0).astype(np.int32)
    blobs = [
        encode_update(vector, expected=expecting(), width=width, packing=packing)
        for width in Width
        for packing in Packing
    ]
    found = [decode(raw, expected=expecting()).vector for raw in blobs]
    assert len({content_digest(one, layout=LAYOUT) for one in found}) == 1
    assert len({blob_root(raw) for raw in blobs}) == len(blobs)


def test_the_same_numbers_in_another_layout_are_other_content() -> None:
    vector = seeded_vector()
    flat = TensorLayout.of([TensorSpec("flat", (LAYOUT.size,))])
    assert content_digest(vector, layout=flat) != content_digest(vector, layout=LAYOUT)
