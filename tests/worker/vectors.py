"""Updates of two small tensors, on disk."""

from pathlib import Path

import numpy as np

from fl.jobs.bounds import StoredBlob
from fl.jobs.work import AggregateJob, InspectJob, Pins, Weighted
from fl.rules.limits import ONE
from fl.rules.select import apportion
from fl.rules.update.blob import encode_model, encode_update
from fl.rules.update.header import BlobKind, Expectation, Width
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.rows import Int32s
from fl.worker.blobs import write_blob
from primitives.ids import Digest

PINS = Pins(model=b"\1" * 32, tokenizer=b"\2" * 32)
FACTOR_A = TensorSpec("q.lora_A.weight", (4, 8))
FACTOR_B = TensorSpec("q.lora_B.weight", (8, 4))
MODEL_LAYOUT = TensorLayout.of([FACTOR_A, FACTOR_B])
LAYOUT = TensorLayout.of([FACTOR_B])


def expected(kind: BlobKind = BlobKind.UPDATE) -> Expectation:
    """Return what a blob of this small task must be."""
    return Expectation(
        kind=kind,
        base_model=Digest(PINS.model),
        tokenizer=Digest(PINS.tokenizer),
        layout=MODEL_LAYOUT if kind is BlobKind.MODEL else LAYOUT,
    )


def vectors(count: int, *, seed: int = 1) -> list[Int32s]:
    """Return updates that point in different directions."""
    dice = np.random.default_rng(seed)
    shape = (count, LAYOUT.size)
    return list(dice.integers(-(1 << 20), 1 << 20, shape, dtype=np.int32))


def store(folder: Path, *updates: Int32s) -> tuple[StoredBlob, ...]:
    """Write updates bit for bit, and return their names."""
    return tuple(
        write_blob(encode_update(one, expected=expected(), width=Width.INT32), folder=folder)
        for one in updates
    )


def store_model(folder: Path, model: Int32s) -> StoredBlob:
    """Write a model, and return its name."""
    return write_blob(encode_model(model, expected=expected(BlobKind.MODEL)), folder=folder)


def inspect_job(*blobs: StoredBlob, deltas: tuple[StoredBlob, ...] = ()) -> InspectJob:
    """Return the job that looks at these updates."""
    return InspectJob(updates=blobs, global_deltas=deltas, pins=PINS, layout=LAYOUT)


def aggregate_job(folder: Path, updates: tuple[StoredBlob, ...]) -> AggregateJob:
    """Return the job that averages these updates into a model of ones."""
    shares = apportion(ONE, [1] * len(updates))
    model = np.full(MODEL_LAYOUT.size, 1 << 24, np.int32)
    return AggregateJob(
        updates=tuple(map(Weighted, updates, shares)),
        pins=PINS,
        layout=LAYOUT,
        model=store_model(folder, model),
        model_layout=MODEL_LAYOUT,
        clip=1 << 40,
        folder=str(folder),
    )
