"""Blobs: what is written, and that nothing else is read."""

import numpy as np
import pytest
from hypothesis import given, settings

from fl.rules.update.blob import (
    decode,
    encode_model,
    encode_update,
    iter_chunks,
    represented,
    size_bytes_max,
)
from fl.rules.update.errors import MalformedBlobError
from fl.rules.update.header import BlobKind, Packing, Width
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.rows import COORDINATE_MAX, Int32s
from primitives.errors import LocalProtocolError
from tests.fl.update import reference
from tests.fl.update.cast import LAYOUT, expecting, seeded_vector, vectors

ROW_SIZES = [tensor.row_size for tensor in LAYOUT.tensors for _ in range(tensor.rows)]
MODEL = expecting(kind=BlobKind.MODEL)
WIDE_LAYOUT = TensorLayout.of([TensorSpec("a", (3, 70_000)), TensorSpec("b", (200, 700))])

over_widths = pytest.mark.parametrize("width", Width)
over_packings = pytest.mark.parametrize("packing", Packing)


def thinned(vector: Int32s) -> Int32s:
    """Return the vector with two of three coordinates zero."""
    return np.where(np.arange(len(vector)) % 3 == 0, vector, 0).astype(np.int32)


@over_widths
@given(vectors())
@settings(max_examples=30, deadline=None)
def test_a_blob_decodes_to_the_nearest_vector_that_it_can_hold(
    width: Width, vector: Int32s
) -> None:
    raw = encode_update(vector, expected=expecting(), width=width)
    found = decode(raw, expected=expecting()).vector.tolist()
    assert found == reference.decoded(raw)
    assert found == represented(vector, layout=LAYOUT, width=width).tolist()
    if width is Width.INT32:
        assert found == vector.tolist()
    else:
        assert found == reference.rounded(vector.tolist(), ROW_SIZES, width.value)


@over_widths
@over_packings
@given(vectors())
@settings(max_examples=15, deadline=None)
def test_what_decodes_encodes_to_the_same_bytes(
    width: Width, packing: Packing, vector: Int32s
) -> None:
    raw = encode_update(thinned(vector), expected=expecting(), width=width, packing=packing)
    found = decode(raw, expected=expecting()).vector
    assert found.tolist() == reference.decoded(raw)
    assert encode_update(found, expected=expecting(), width=width, packing=packing) == raw


@over_widths
@over_packings
def test_chunks_are_the_vector_in_order(width: Width, packing: Packing) -> None:
    vector = thinned(seeded_vector(WIDE_LAYOUT))
    expected = expecting(WIDE_LAYOUT)
    raw = encode_update(vector, expected=expected, width=width, packing=packing)
    chunks = list(iter_chunks(memoryview(raw), expected=expected))
    assert len(chunks) > 3
    assert [chunk.start for chunk in chunks] == [
        sum(len(before.coordinates) for before in chunks[:place]) for place in range(len(chunks))
    ]
    found = np.concatenate([chunk.coordinates for chunk in chunks])
    assert np.array_equal(found, represented(vector, layout=WIDE_LAYOUT, width=width))


@over_widths
@pytest.mark.parametrize("fill", [COORDINATE_MAX, -COORDINATE_MAX])
def test_the_greatest_coordinates_do_not_wrap(width: Width, fill: int) -> None:
    vector = np.full(LAYOUT.size, fill, dtype=np.int32)
    found = represented(vector, layout=LAYOUT, width=width)
    assert (np.sign(found) == np.sign(fill)).all()
    assert (np.abs(found.astype(np.int64)) <= COORDINATE_MAX).all()
    assert (np.abs(found.astype(np.int64) - fill) <= 2**24).all()


def test_rounding_loses_at_most_half_a_step_of_the_mantissa() -> None:
    vector = seeded_vector(WIDE_LAYOUT)
    for width, bits in ((Width.INT8, 6), (Width.INT16, 14)):
        found = represented(vector, layout=WIDE_LAYOUT, width=width).astype(np.int64)
        row = slice(0, 70_000)
        most = int(np.abs(vector[row].astype(np.int64)).max())
        assert int(np.abs(found - vector)[row].max()) <= most >> bits


@over_widths
def test_a_model_is_written_whole_or_not_at_all(width: Width) -> None:
    vector = seeded_vector()
    raw = encode_model(vector, expected=MODEL)
    assert decode(raw, expected=MODEL).vector.tolist() == vector.tolist()
    with pytest.raises(LocalProtocolError, match="update"):
        encode_model(vector, expected=expecting())
    if width is not Width.INT32:
        cut = encode_update(vector, expected=MODEL, width=width)
        with pytest.raises(MalformedBlobError, match="width"):
            decode(cut, expected=MODEL)


def test_no_blob_is_longer_than_its_bound() -> None:
    for width in Width:
        raw = encode_update(seeded_vector(), expected=expecting(), width=width)
        assert len(raw) <= size_bytes_max(LAYOUT)


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(LAYOUT.size - 1, dtype=np.int32),
        np.zeros(LAYOUT.size, dtype=np.int64),
        np.full(LAYOUT.size, -(2**31), dtype=np.int32),
    ],
)
def test_own_vectors_that_do_not_fit_are_a_bug_of_ours(vector: Int32s) -> None:
    with pytest.raises(LocalProtocolError):
        encode_update(vector, expected=expecting())


def test_a_vector_that_is_mostly_not_zero_is_not_sparse() -> None:
    with pytest.raises(LocalProtocolError, match="not sparse"):
        encode_update(seeded_vector(), expected=expecting(), packing=Packing.SPARSE)
