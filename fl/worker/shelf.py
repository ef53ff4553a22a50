"""Keep the base model of the last job loaded, for the next job nearly always wants the same.

Its adapter stays in it too: to put one in takes a tenth of a small job. Every number of it is then
replaced by those of the job, so that nothing of one job reaches another.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.progress import Stage
from fl.jobs.subject import AdaptedModel, AdapterShape, FrozenModel, Precision
from fl.rules.update.header import BlobKind, Expectation
from fl.training import models
from fl.training.adapters import Adapter, AdapterSpec, attach, detach
from fl.training.models import LoadedModel, Pins, load_model
from fl.worker.blobs import read_accepted
from fl.worker.desk import Desk
from fl.worker.machine import Machine


@dataclass(frozen=True, slots=True)
class _Kept:
    frozen: FrozenModel
    precision: models.Precision
    loaded: LoadedModel


@dataclass(frozen=True, slots=True)
class _Worn:
    shape: AdapterShape
    adapter: Adapter


class ModelShelf:
    """Loads base models onto the device of this worker, and keeps the last one."""

    def __init__(self, machine: Machine) -> None:
        torch.set_num_threads(machine.threads)
        self._device = choose_device(machine.device)
        self._kept: _Kept | None = None
        self._worn: _Worn | None = None

    @property
    def device(self) -> torch.device:
        """Where models are."""
        return self._device

    @contextmanager
    def adapted(self, subject: AdaptedModel, desk: Desk) -> Iterator[Adapter]:
        """Give the model with its adapter; after an error the adapter is taken off again.

        Raises:
            TrainingError: the model or the weights are not what the job names.
            JobFailedError: cancelled.
        """
        loaded = self._loaded(subject, desk)
        adapter = self._dressed(loaded, subject)
        try:
            if subject.weights is not None:
                expected = expectation_of(adapter, BlobKind.MODEL)
                adapter.write(read_accepted(subject.weights, expected=expected), expected.layout)
            yield adapter
        except BaseException:
            self._undress()
            raise

    def clear(self) -> None:
        """Let the model go, so that its memory is free."""
        self._undress()
        self._kept = None
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _dressed(self, loaded: LoadedModel, subject: AdaptedModel) -> Adapter:
        """Return the adapter that is in the model, or a fresh one."""
        worn = self._worn
        # Without weights a job wants the adapter as its seed makes it.
        if worn is not None and worn.shape == subject.adapter and subject.weights is not None:
            return worn.adapter
        self._undress()
        seed = int.from_bytes(subject.adapter.seed, "big")
        adapter = attach(loaded, spec_of(subject.adapter), seed=seed)
        self._worn = _Worn(subject.adapter, adapter)
        return adapter

    def _undress(self) -> None:
        worn, self._worn = self._worn, None
        if worn is not None:
            detach(worn.adapter)

    def _loaded(self, subject: AdaptedModel, desk: Desk) -> LoadedModel:
        precision = precision_on(self._device, subject.precision)
        kept = self._kept
        if kept is not None and (kept.frozen, kept.precision) == (subject.frozen, precision):
            return kept.loaded
        self.clear()
        where = f"on {self._device} in {precision.value}"
        desk.report(Stage.LOADING, note=f"{subject.frozen.source} {where}")
        frozen = subject.frozen
        loaded = load_model(
            frozen.source,
            kind=frozen.kind,
            labels=frozen.labels or None,
            device=str(self._device),
            precision=precision,
            pins=Pins(model=frozen.digest, tokenizer=frozen.tokenizer),
        )
        self._kept = _Kept(frozen, precision, loaded)
        return loaded


def choose_device(name: str) -> torch.device:
    """Return the device of this name; `auto` is the first accelerator, or else the CPU.

    Raises:
        JobFailedError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        text = f"no device {name!r}: use auto, cpu, cuda or cuda:N"
        raise JobFailedError(FailureCode.NO_DEVICE, text) from error
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        text = f"no device {name!r}: torch sees {count} CUDA devices here; use auto or cpu"
        raise JobFailedError(FailureCode.NO_DEVICE, text)
    return device


def precision_on(device: torch.device, wanted: Precision) -> models.Precision:
    """Return in which type a device multiplies the frozen weights."""
    if wanted is not Precision.AUTO:
        return models.Precision(wanted.value)
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return models.Precision.BFLOAT16
    return models.Precision.FLOAT32


def spec_of(shape: AdapterShape) -> AdapterSpec:
    """Return the spec of an adapter from its wire form."""
    return AdapterSpec(
        rank=shape.rank,
        alpha=shape.alpha,
        target_modules=shape.targets,
        layout=shape.layout,
        layers=shape.layers,
        scaling=shape.scaling,
    )


def expectation_of(
    adapter: Adapter, kind: BlobKind, *, round_number: int | None = None
) -> Expectation:
    """Return what a blob of this adapter must be: of all of it, or of what a round trains."""
    layout = (
        adapter.tensor_layout() if round_number is None else adapter.trainable_layout(round_number)
    )
    return Expectation(
        kind=kind,
        base_model=adapter.loaded.digest,
        tokenizer=adapter.loaded.tokenizer_digest,
        layout=layout,
    )
