"""Train an adapter on the examples of one trainer, and say in integers how far it moved.

The loop asks the device for nothing but the loss of the first and of every tenth step. Only the
tensors of the round have gradients and a state in the optimiser; layers below the first adapted one
keep no activations, since nothing under them asks for a gradient. Given a seed, the result is the
same bytes on one kind of device with one number of threads.
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from fl.jobs.local_terms import Checkpointing, RateSchedule
from fl.rules.update.layout import TensorLayout
from fl.training.adapters import Adapter
from fl.training.class_shares import adjustment_of
from fl.training.determinism import repeatable
from fl.training.errors import DivergedError, SettingError, TrainingStoppedError
from fl.training.examples.batches import Batch
from fl.training.fixed_point import quantise
from fl.training.flat import FlatParameters
from fl.training.low_rank import lean_layers
from fl.training.settings import LocalTraining, Steps
from fl.training.step import Stepper
from fl.training.stream import Examples, check_examples, training_batches

if TYPE_CHECKING:
    from fl.training.examples.example import LabelledText

REPORT_STEPS: Final = 10
"""How often the loss is looked at after the first step; each look waits for the device."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Attributes:
        step: optimiser steps that are done.
        loss: mean of the steps since the last report.
        tokens: seen so far, padding left out.
    """

    step: int
    loss: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a run calls: `progress` now and then, `should_stop` before every step."""

    progress: Callable[[Progress], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False


SILENT: Final = Hooks()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalResult:
    """What a run did.

    Attributes:
        delta: how far each trained number moved, in units of 2**-24; (layout.size,) int32.
        layout: of what the round trains.
        loss_before: mean loss of the first batch before the run, as it is trained on: with the
            adjustment, so that trainers of other shares have other ones.
        loss_after: of the same batch after it.
        tokens: seen, padding left out.
        samples: rows seen.
        parts: pieces in which batches passed through the model at last.
    """

    delta: NDArray[np.int32]
    layout: TensorLayout
    loss_before: float
    loss_after: float
    steps: int
    tokens: int
    samples: int
    parts: int


def train_local(
    adapter: Adapter,
    examples: Examples,
    training: LocalTraining,
    *,
    round_number: int,
    hooks: Hooks = SILENT,
) -> LocalResult:
    """Train what the round trains, from where the adapter is.

    The adapter is left as trained; after an error it is as it was before.

    Raises:
        SettingError: a setting is out of bounds.
        NoExamplesError: there is nothing to learn from.
        DivergedError: the loss is not finite.
        NotRepresentableError: a trained number is not finite or too large.
        OutOfMemoryError: not even one row fits into memory.
        TrainingStoppedError: `should_stop` said so.
    """
    training.check()
    _check_length(adapter, training)
    check_examples(examples, adapter.loaded)
    layout = adapter.trainable_layout(round_number)
    batches = training_batches(examples, adapter.loaded, training)
    before = adapter.read(layout)
    with (
        _restored_on_failure(adapter, layout),
        repeatable(adapter.device, seed=training.seed),
        _checkpointed(adapter, training.checkpointing),
        lean_layers(adapter),
        torch.enable_grad(),
    ):
        batches, steps = _planned(batches, training)
        stepper = Stepper(
            adapter,
            _only(adapter, layout),
            training,
            adjustment=_adjustment(adapter, examples, training),
        )
        run = _Run(stepper, hooks, falls_over=steps)
        loss_before, loss_after = run.through(batches)
        moved = adapter.read(layout).astype(np.float64) - before
        delta = quantise(moved, layout)
    return LocalResult(
        delta=delta,
        layout=layout,
        loss_before=loss_before,
        loss_after=loss_after,
        steps=run.step,
        tokens=run.tokens,
        samples=run.samples,
        parts=run.stepper.parts,
    )


def _check_length(adapter: Adapter, training: LocalTraining) -> None:
    positions = adapter.loaded.positions
    if positions is not None and training.max_length > positions:
        wanted = f"at most {positions}, the positions of the model"
        raise SettingError("max_length", training.max_length, wanted)


def _adjustment(
    adapter: Adapter, examples: Examples, training: LocalTraining
) -> torch.Tensor | None:
    if not adapter.loaded.labels or not training.adjustment:
        return None
    labelled: Sequence[LabelledText] = examples  # type: ignore[assignment]
    return adjustment_of(labelled, classes=adapter.loaded.labels, tau=training.adjustment)


def _planned(batches: Iterator[Batch], training: LocalTraining) -> tuple[Iterator[Batch], int]:
    """Return the batches, and over how many steps the rate falls to nothing; 0: it stays."""
    match training.schedule, training.length:
        case RateSchedule.CONSTANT, _:
            return batches, 0
        case RateSchedule.LINEAR, Steps(count):
            return batches, count
        case _:
            # How many steps an epoch takes is known once its texts are packed.
            kept = list(batches)
            return iter(kept), len(kept)


class _Run:
    """Counts, reports and watches the loss."""

    def __init__(self, stepper: Stepper, hooks: Hooks, *, falls_over: int) -> None:
        self.stepper = stepper
        self._falls_over = falls_over
        self.step = 0
        self.tokens = 0
        self.samples = 0
        self._hooks = hooks
        self._unseen: list[torch.Tensor] = []

    def through(self, batches: Iterator[Batch]) -> tuple[float, float]:
        """Take every step; return the loss of the first batch before and after all of them."""
        first = next(batches)
        loss_before = None
        for batch in itertools.chain([first], batches):
            if self._hooks.should_stop():
                raise TrainingStoppedError(step=self.step)
            share = 1 - self.step / self._falls_over if self._falls_over else 1.0
            loss = self.stepper.step(batch, share=share)
            loss_before = loss if loss_before is None else loss_before
            self._count(batch, loss)
        self._report()
        loss_after = float(self.stepper.measure(first))
        self._require_finite(loss_after)
        assert loss_before is not None
        return float(loss_before), loss_after

    def _count(self, batch: Batch, loss: torch.Tensor) -> None:
        self.step += 1
        self.tokens += batch.token_count
        self.samples += len(batch.input_ids)
        self._unseen.append(loss)
        if self.step == 1 or self.step % REPORT_STEPS == 0:
            self._report()

    def _report(self) -> None:
        if not self._unseen:
            return
        loss = float(torch.stack(self._unseen).mean())
        self._unseen.clear()
        self._require_finite(loss)
        self._hooks.progress(Progress(self.step, loss, self.tokens))

    def _require_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise DivergedError(step=self.step, loss=loss)


def _only(adapter: Adapter, layout: TensorLayout) -> FlatParameters:
    """Let these tensors of the adapter be trained and no others."""
    names = {spec.name for spec in layout.tensors}
    for name, tensor in adapter.tensors.items():
        tensor.requires_grad_(name in names)
        tensor.grad = None
    return FlatParameters([adapter.tensors[spec.name] for spec in layout.tensors])


@contextlib.contextmanager
def _restored_on_failure(adapter: Adapter, layout: TensorLayout) -> Iterator[None]:
    kept = {spec.name: adapter.tensors[spec.name].detach().clone() for spec in layout.tensors}
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for name, tensor in kept.items():
                adapter.tensors[name].copy_(tensor)
        raise
    finally:
        for tensor in adapter.tensors.values():
            tensor.requires_grad = True
            tensor.grad = None


@contextlib.contextmanager
def _checkpointed(adapter: Adapter, checkpointing: Checkpointing) -> Iterator[None]:
    if checkpointing is Checkpointing.OFF:
        yield
        return
    model: Any = adapter.model.get_base_model()
    # Without dropout the second pass needs no random numbers of the first.
    options = {"use_reentrant": False, "preserve_rng_state": False}
    # transformers 5 renamed the pair on its way.
    getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)(options)
    # That also makes the embeddings ask for gradients, which only a reentrant pass would need.
    model.disable_input_require_grads()
    try:
        yield
    finally:
        getattr(model, "activation_checkpointing_disable", model.gradient_checkpointing_disable)()
