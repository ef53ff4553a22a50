"""Golden blobs, read by msgpack, hashlib and Python integers."""

import hashlib
from math import isqrt

import msgpack
import pytest

from fl.rules.update.blob import decode
from fl.rules.update.errors import MalformedBlobError
from fl.rules.update.header import BlobKind
from primitives.cid import Cid
from tests.fl.update import reference
from tests.fl.update.cast import LAYOUT, expecting
from tests.fl.update.write_vectors import CLIP, FILE, text
from tests.vectors import Row, cases


def test_the_file_is_what_the_code_writes() -> None:
    # A difference is a changed wire form or meaning, not a reason to write the file again.
    # Where it is meant: python -m tests.fl.update.write_vectors
    assert FILE.read_text(encoding="ascii") == text()


@pytest.mark.parametrize("row", cases("update", "layouts"))
def test_a_golden_layout_id_is_the_tagged_hash_of_its_msgpack(row: Row) -> None:
    raw = msgpack.packb([row["tensors"]])
    assert reference.tagged("hanse/update-layout/1", raw).hex() == row["digest"]
    assert LAYOUT.digest.hex() == row["digest"]


@pytest.mark.parametrize("row", cases("update", "blobs"))
def test_a_golden_blob_reads_the_same_elsewhere(row: Row) -> None:
    raw = bytes.fromhex(row["bytes"])
    vector = reference.decoded(raw)
    assert row["vector"] == vector
    assert decode(raw, expected=expecting(kind=BlobKind(row["kind"]))).vector.tolist() == vector
    cid = Cid.parse(row["root"])
    assert cid.digest == hashlib.sha256(raw).digest()
    numbers = b"".join(number.to_bytes(4, "little", signed=True) for number in vector)
    content = reference.tagged("hanse/update-content/1", LAYOUT.digest + numbers)
    assert content.hex() == row["content"]


@pytest.mark.parametrize("row", cases("update", "blobs"))
def test_a_golden_norm_and_clipped_vector_are_those_of_python_integers(row: Row) -> None:
    vector = row["vector"]
    assert row["norm"] == isqrt(sum((number >> 8) ** 2 for number in vector))
    factor = CLIP * 2**16 // row["norm"] if row["norm"] > CLIP else 2**16
    assert row["clipped"] == [(number * factor + 2**15) >> 16 for number in vector]


@pytest.mark.parametrize("row", cases("update", "facts"))
def test_golden_facts_are_those_of_python_integers(row: Row) -> None:
    found = reference.facts(row["updates"], deltas=row["deltas"], earlier=row["earlier"])
    assert row["facts"] == found


@pytest.mark.parametrize("row", cases("update", "invalid"))
def test_a_golden_invalid_blob_is_refused_by_its_field(row: Row) -> None:
    with pytest.raises(MalformedBlobError) as caught:
        decode(bytes.fromhex(row["bytes"]), expected=expecting())
    assert caught.value.field == row["field"]
