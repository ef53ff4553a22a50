"""Everything that is no blob of the task is refused, and the error names the field."""

import pickle
from collections.abc import Callable

import msgpack
import numpy as np
import pytest

from fl.rules.update.blob import decode, encode_model, encode_update, size_bytes_max
from fl.rules.update.errors import MalformedBlobError
from fl.rules.update.header import (
    HEADER_SIZE_BYTES_MAX,
    BlobKind,
    Packing,
    Width,
    read_header,
)
from fl.rules.update.layout import TensorLayout, TensorSpec
from primitives.errors import MalformedBytesError
from tests.fl.update.cast import LAYOUT, expecting, seeded_vector

SPARSE_VECTOR = np.where(np.arange(LAYOUT.size) % 5 == 0, 100, 0).astype(np.int32)
DENSE = {
    width: encode_update(seeded_vector(), expected=expecting(), width=width) for width in Width
}
SPARSE = encode_update(
    SPARSE_VECTOR, expected=expecting(), width=Width.INT8, packing=Packing.SPARSE
)
MODEL = expecting(kind=BlobKind.MODEL)
HEADER_END = 8 + int.from_bytes(SPARSE[4:8], "little")
DENSE_END = 8 + int.from_bytes(DENSE[Width.INT8][4:8], "little")
PLACES_AT = HEADER_END + LAYOUT.rows
KEPT = int(np.count_nonzero(SPARSE_VECTOR))
MANTISSAS_AT = PLACES_AT + 4 * KEPT


def refusal(raw: bytes, *, kind: BlobKind = BlobKind.UPDATE) -> MalformedBlobError:
    with pytest.raises(MalformedBlobError) as caught:
        decode(raw, expected=expecting(kind=kind))
    return caught.value


def with_field(index: int, value: object, raw: bytes = DENSE[Width.INT8]) -> bytes:
    """Return the blob with one field of its header replaced."""
    end = 8 + int.from_bytes(raw[4:8], "little")
    fields = msgpack.unpackb(raw[8:end])
    fields[index] = value
    header: bytes = msgpack.packb(fields)
    return raw[:4] + len(header).to_bytes(4, "little") + header + raw[end:]


def with_byte(at: int, value: int, raw: bytes) -> bytes:
    return raw[:at] + bytes([value]) + raw[at + 1 :]


def with_place(index: int, place: int) -> bytes:
    at = PLACES_AT + 4 * index
    return SPARSE[:at] + place.to_bytes(4, "little") + SPARSE[at + 4 :]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (pickle.dumps({"weights": [1, 2]}), "pickle"),
        (b"PK\x03\x04" + bytes(60), "torch.save"),
        (b"\x1f\x8b" + bytes(60), "gzip"),
        (b"\x93NUMPY" + bytes(60), "numpy"),
        (b"\x40\x00\x00\x00\x00\x00\x00\x00{}" + bytes(60), "4000000000000000"),
    ],
)
def test_another_file_is_named_for_what_it_is_and_never_read(raw: bytes, says: str) -> None:
    error = refusal(raw)
    assert error.field == "magic"
    assert says in str(error)


@pytest.mark.parametrize("width", Width)
def test_a_blob_that_ends_early_or_late_is_refused_at_every_length(width: Width) -> None:
    raw = DENSE[width]
    for size in (0, 1, 7, 8, 9, len(raw) // 2, len(raw) - 1):
        assert refusal(raw[:size]).field == "size"
    assert refusal(raw + b"\0").field == "size"


def test_the_size_comes_before_everything_else() -> None:
    error = refusal(b"\x80" * (size_bytes_max(LAYOUT) + 1))
    assert error.field == "size"
    assert "at most" in error.expected


def test_a_header_that_claims_gigabytes_is_refused() -> None:
    raw = b"HNSU" + (HEADER_SIZE_BYTES_MAX + 1).to_bytes(4, "little") + bytes(50)
    assert refusal(raw).field == "header size"


@pytest.mark.parametrize(
    ("index", "value", "field"),
    [
        (0, 2, "version"),
        (1, "model", "width"),
        (1, "gradient", "header"),
        (2, 3, "header"),
        (3, "sparse", "kept"),
        (4, b"\x33" * 32, "base model"),
        (4, b"\x33" * 31, "header"),
        (5, b"\x33" * 32, "tokenizer"),
        (6, LAYOUT.size - 1, "kept"),
        (6, -1, "header"),
        (6, 1.5, "header"),
        (7, [[]], "header"),
        (7, [[["a", [0]]]], "header"),
        (7, [[["a", [3]], ["a", [3]]]], "layout"),
        (7, [[["b", [3]], ["a", [3]]]], "layout"),
        (7, [[["a", [2**28, 2**28]]]], "layout"),
        (7, None, "header"),
    ],
)
def test_a_wrong_field_of_the_header_is_named(index: int, value: object, field: str) -> None:
    assert refusal(with_field(index, value)).field == field


def test_a_header_that_is_not_canonical_is_refused() -> None:
    raw = DENSE[Width.INT8]
    header = raw[8:DENSE_END]
    longer = b"\xdc\x00\x08" + header[1:]
    assert msgpack.unpackb(longer) == msgpack.unpackb(header)
    made = raw[:4] + len(longer).to_bytes(4, "little") + longer + raw[DENSE_END:]
    assert refusal(made).field == "header"


def test_a_blob_of_another_shape_names_the_tensor() -> None:
    other = TensorLayout.of(
        [TensorSpec("head.weight", (8, 3)), *[t for t in LAYOUT.tensors if t.name != "head.weight"]]
    )
    raw = encode_update(seeded_vector(other), expected=expecting(other))
    error = refusal(raw)
    assert error.field == "layout"
    assert error.expected == "'head.weight' (3, 8)"
    assert error.actual == "'head.weight' (8, 3)"


def test_a_blob_with_a_tensor_less_is_refused() -> None:
    other = TensorLayout.of(LAYOUT.tensors[:-1])
    error = refusal(encode_update(seeded_vector(other), expected=expecting(other)))
    assert (error.expected, error.actual) == ("3 tensors", "2")


def test_a_model_is_no_update() -> None:
    raw = encode_model(seeded_vector(), expected=MODEL)
    assert refusal(raw).field == "kind"
    assert refusal(DENSE[Width.INT32], kind=BlobKind.MODEL).field == "kind"


def test_a_model_that_leaves_coordinates_out_is_refused() -> None:
    raw = with_field(1, "model", with_field(2, 4, SPARSE))
    assert refusal(raw, kind=BlobKind.MODEL).field == "packing"


@pytest.mark.parametrize(
    ("width", "mantissa"),
    [(Width.INT8, -(2**7)), (Width.INT16, -(2**15)), (Width.INT32, -(2**31))],
)
def test_a_mantissa_without_a_negative_is_refused(width: Width, mantissa: int) -> None:
    raw = DENSE[width]
    made = raw[: -width.value] + mantissa.to_bytes(width.value, "little", signed=True)
    error = refusal(made)
    assert error.field == "tensor 'layer.lora_A'"
    assert str(mantissa) in error.actual


@pytest.mark.parametrize(("width", "most"), [(Width.INT8, 24), (Width.INT16, 16)])
def test_an_exponent_that_could_overflow_is_refused(width: Width, most: int) -> None:
    end = 8 + int.from_bytes(DENSE[width][4:8], "little")
    error = refusal(with_byte(end, most + 1, DENSE[width]))
    assert error.field == "tensor 'head.bias'"
    assert f"at most {most}" in error.expected


def test_a_row_with_a_greater_exponent_than_it_needs_is_refused() -> None:
    vector = np.full(LAYOUT.size, 3, dtype=np.int32)
    raw = encode_update(vector, expected=expecting(), width=Width.INT8)
    assert "least exponent" in refusal(with_byte(DENSE_END, 1, raw)).expected


def test_a_row_of_zeros_with_an_exponent_is_refused() -> None:
    vector = np.zeros(LAYOUT.size, dtype=np.int32)
    raw = encode_update(vector, expected=expecting(), width=Width.INT8)
    assert "least exponent" in refusal(with_byte(DENSE_END, 1, raw)).expected


@pytest.mark.parametrize(
    "raw",
    [
        with_place(1, 0),
        with_place(1, 1 + LAYOUT.size),
        with_place(0, 30),
        with_place(KEPT - 1, LAYOUT.size),
        with_place(KEPT - 1, 2**32 - 1),
        with_place(2, 5),
    ],
    ids=["twice", "beyond, inside", "first too late", "beyond, last", "greatest", "falling"],
)
def test_places_that_do_not_ascend_within_the_layout_are_refused(raw: bytes) -> None:
    assert refusal(raw).field == "places"


def test_a_sparse_zero_is_refused() -> None:
    assert refusal(with_byte(MANTISSAS_AT, 0, SPARSE)).field == "mantissas"


def test_places_in_the_wrong_block_are_refused() -> None:
    layout = TensorLayout.of([TensorSpec("a", (40_000,)), TensorSpec("b", (40_000,))])
    vector = np.zeros(layout.size, dtype=np.int32)
    vector[[3, 50_000, 70_000]] = 1
    expected = expecting(layout)
    raw = encode_update(vector, expected=expected, width=Width.INT8, packing=Packing.SPARSE)
    places = np.array([3, 70_000, 50_000], dtype="<u4").tobytes()
    swapped = raw[: -len(places) - 3] + places + raw[-3:]
    with pytest.raises(MalformedBlobError, match="places"):
        decode(swapped, expected=expected)
    early = np.array([50_000, 3, 70_000], dtype="<u4").tobytes()
    with pytest.raises(MalformedBlobError, match="places"):
        decode(raw[: -len(places) - 3] + early + raw[-3:], expected=expected)


def test_the_header_alone_can_be_read_for_any_task() -> None:
    header, end = read_header(SPARSE)
    assert header.layout == LAYOUT
    assert end == HEADER_END


FLIPS: list[Callable[[int], int]] = [lambda byte: byte ^ 1, lambda byte: byte ^ 0x80]


@pytest.mark.parametrize("raw", [DENSE[Width.INT8], DENSE[Width.INT16], SPARSE])
def test_every_changed_byte_is_refused_or_is_another_vector(raw: bytes) -> None:
    whole = decode(raw, expected=expecting()).vector
    for at in range(len(raw)):
        for flip in FLIPS:
            changed = with_byte(at, flip(raw[at]), raw)
            try:
                found = decode(changed, expected=expecting()).vector
            except MalformedBytesError:
                continue
            assert found.tolist() != whole.tolist()
