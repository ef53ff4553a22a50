"""Fuzzed of the rules of training: the blob of an update or a model, which any trainer may send."""

from typing import Final

import numpy as np

from fl.rules.update.blob import decode, encode_model, encode_update, iter_chunks, size_bytes_max
from fl.rules.update.errors import MalformedBlobError
from fl.rules.update.header import BlobKind, Expectation, Packing, Width, read_header
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.rows import COORDINATE_MAX, Int32s
from primitives.ids import Digest
from tests.fuzz.target import Target

LAYOUT: Final = TensorLayout.of(
    [TensorSpec("head.bias", (3,)), TensorSpec("head.weight", (3, 8)), TensorSpec("lora_B", (4, 2))]
)


def _expecting(kind: BlobKind) -> Expectation:
    digests = Digest(b"\x11" * 32), Digest(b"\x22" * 32)
    return Expectation(kind=kind, base_model=digests[0], tokenizer=digests[1], layout=LAYOUT)


UPDATE: Final = _expecting(BlobKind.UPDATE)
MODEL: Final = _expecting(BlobKind.MODEL)


def _run_update(raw: bytes) -> None:
    _run(raw, UPDATE)


def _run_model(raw: bytes) -> None:
    _run(raw, MODEL)


def _run(raw: bytes, expected: Expectation) -> None:
    """Decode whole and in chunks; no other bytes say the same in the same form."""
    blob = decode(raw, expected=expected)
    assert len(raw) <= size_bytes_max(expected.layout)
    assert blob.vector.dtype == np.int32
    assert int(blob.vector.min()) >= -COORDINATE_MAX
    chunks = iter_chunks(memoryview(raw), expected=expected)
    assert np.array_equal(np.concatenate([chunk.coordinates for chunk in chunks]), blob.vector)
    header = blob.header
    again = encode_update(
        blob.vector, expected=expected, width=header.width, packing=header.packing
    )
    assert again == raw


def _run_header(raw: bytes) -> None:
    header, end = read_header(raw)
    assert end <= len(raw)
    assert TensorLayout.of(header.layout.tensors) == header.layout


def _vector() -> Int32s:
    dice = np.random.default_rng(1)
    wide = dice.integers(-COORDINATE_MAX, COORDINATE_MAX, LAYOUT.size, endpoint=True)
    vector: Int32s = (wide >> dice.integers(0, 31, LAYOUT.size)).astype(np.int32)
    return vector


def _update_seeds() -> tuple[bytes, ...]:
    sparse = np.where(np.arange(LAYOUT.size) % 3 == 0, _vector(), 0).astype(np.int32)
    dense = [encode_update(_vector(), expected=UPDATE, width=width) for width in Width]
    rare = [
        encode_update(sparse, expected=UPDATE, width=width, packing=Packing.SPARSE)
        for width in Width
    ]
    return (*dense, *rare)


MODEL_SEEDS: Final = (encode_model(_vector(), expected=MODEL),)

UPDATE_TARGETS: Final = (
    Target("update", _run_update, (MalformedBlobError,), _update_seeds()),
    Target("model", _run_model, (MalformedBlobError,), MODEL_SEEDS),
    Target("update-header", _run_header, (MalformedBlobError,), (*_update_seeds(), *MODEL_SEEDS)),
)
