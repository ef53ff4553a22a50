"""What a federation loses by averaging: nothing with ours, much with A and B side by side."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.layouts import LIMIT, error_of, step_of, widened
from fl.jobs.subject import LoraLayout
from fl.rules.update.layout import TensorLayout
from fl.rules.update.parts import Part, part_of
from fl.training.adapters import Adapter, AdapterSpec, attach
from fl.training.examples.example import PlainText
from fl.training.local import train_local
from fl.training.models import LoadedModel
from fl.training.settings import LocalTraining, Steps
from fl.training.start import basis_start, factor_start

Int32s = NDArray[np.int32]
WEIGHTS = [20_000, 30_000, 15_536]
TRAINING = LocalTraining(length=Steps(6), batch_size=4, max_length=32, learning_rate=0.02)


def error_after(start: Int32s, updates: Sequence[Int32s], adapter: Adapter) -> float:
    """Return the error of the step that a federation with the adapter's layout takes."""
    whole = adapter.tensor_layout()
    layout = adapter.spec.layout
    step = step_of(layout, start, updates, weights=WEIGHTS, whole=whole)
    return error_of(step, start=start, updates=updates, weights=WEIGHTS, layout=whole)


def trained_updates(adapter: Adapter, start: Int32s, *, round_number: int) -> list[Int32s]:
    """Train three trainers with texts of their own from one start."""
    whole = adapter.tensor_layout()
    updates = []
    for seed, word in enumerate(("night and day ", "aaa bbb ccc ", "0123456789")):
        adapter.write(start, whole)
        texts = [PlainText(word * times) for times in (2, 3, 4)]
        training = dataclasses.replace(TRAINING, seed=seed)
        result = train_local(adapter, texts, training, round_number=round_number)
        updates.append(widened(result.delta, part=result.layout, whole=whole))
    return updates


def started(loaded: LoadedModel, layout: LoraLayout) -> tuple[Adapter, Int32s]:
    """Return an adapter whose B is not zero, as after a few rounds."""
    adapter = attach(loaded, AdapterSpec(rank=4, layout=layout), seed=3)
    whole = adapter.tensor_layout()
    start = adapter.read_fixed(whole)
    dice = np.random.default_rng(5)
    for name, span in whole.spans.items():
        if part_of(name) is Part.FACTOR_B:
            start[span] = dice.integers(-(2**20), 2**20, start[span].size)
    return adapter, start


@pytest.mark.parametrize(
    ("layout", "round_number"),
    [(LoraLayout.ALT, 0), (LoraLayout.ALT, 1), (LoraLayout.FFA, 0), (LoraLayout.FFA, 1)],
)
def test_with_one_factor_fixed_the_mean_is_exact(
    llama: LoadedModel, layout: LoraLayout, round_number: int
) -> None:
    adapter, start = started(llama, layout)
    updates = trained_updates(adapter, start, round_number=round_number)
    assert error_after(start, updates, adapter) < LIMIT


def test_averaging_both_factors_apart_is_wrong(llama: LoadedModel) -> None:
    adapter, start = started(llama, LoraLayout.FEDIT)
    updates = trained_updates(adapter, start, round_number=0)
    assert error_after(start, updates, adapter) > 1000 * LIMIT


def test_a_stack_is_exact_within_the_rows_it_is_projected_on(llama: LoadedModel) -> None:
    adapter, start = started(llama, LoraLayout.STACK)
    layout = adapter.tensor_layout()
    updates = trained_updates(adapter, start, round_number=0)
    step = step_of(LoraLayout.STACK, start, updates, weights=WEIGHTS, whole=layout)
    for name, span in layout.spans.items():
        assert part_of(name) is Part.FACTOR_B or not step[span].any()
    # A step inside the rows of A_0 loses nothing.
    inside = [np.where(_is_factor_b(layout), update, 0).astype(np.int32) for update in updates]
    assert error_after(start, inside, adapter) < LIMIT


def _is_factor_b(layout: TensorLayout) -> NDArray[np.bool_]:
    chosen = np.zeros(layout.size, np.bool_)
    for name, span in layout.spans.items():
        chosen[span] = part_of(name) is Part.FACTOR_B
    return chosen


def test_a_head_takes_the_mean_beside_a_stack(bert: LoadedModel) -> None:
    adapter, start = started(bert, LoraLayout.STACK)
    layout = adapter.tensor_layout()
    moved = np.full(layout.size, 1000, np.int32)
    updates, weights = [moved, 3 * moved], [2**15, 2**15]
    step = step_of(LoraLayout.STACK, start, updates, weights=weights, whole=layout)
    for name, span in layout.spans.items():
        if part_of(name) is Part.HEAD:
            assert set(step[span].tolist()) == {2000}


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (4, 300), (64, 100)])
def test_the_rows_of_a_basis_are_orthonormal(shape: tuple[int, int]) -> None:
    basis = basis_start(11, name="a", shape=shape).astype(np.float64) / 2**24
    assert np.abs(basis @ basis.T - np.eye(shape[0])).max() < 1e-6


def test_the_first_row_of_a_basis_is_that_of_the_seed() -> None:
    row = basis_start(11, name="a", shape=(4, 50))[0].astype(np.float64)
    plain = factor_start(11, name="a", shape=(4, 50))[0].astype(np.float64)
    assert row / np.linalg.norm(row) == pytest.approx(plain / np.linalg.norm(plain), abs=1e-6)
