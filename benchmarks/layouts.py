"""What averaging low-rank updates costs in exactness: FedIT's error, and that of our layouts.

Four organisations train the tiny model of this repository on their own notes from one start, once
with each layout; the error is that of the averaged product B A against the exact weighted mean of
the products, relative to that mean. The peer of every row is FedIT, which averages A and B side by
side; the rows with a goal hold an error against its limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks.comparison import Row, compare, run
from fl.jobs.subject import LoraLayout, ModelKind
from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.aggregation.stacked import projected
from fl.rules.update.layout import TensorLayout
from fl.rules.update.parts import Part, part_of, partner_of
from fl.training.adapters import Adapter, AdapterSpec, attach, detach
from fl.training.examples.partition import by_group
from fl.training.examples.sources import open_plain
from fl.training.local import train_local
from fl.training.models import load_model
from fl.training.settings import LocalTraining, Steps
from fl.training.stream import Examples
from fl.training.tiny import tiny_model_folder

Int32s = NDArray[np.int32]

LIMIT: Final = 1e-4
ORGANISATIONS: Final = 4
# Unequal, so that nothing is exact by symmetry.
WEIGHTS: Final = (20_000, 25_000, 12_000, 8_536)
CASES: Final = (
    ("ALT, a round that trains B", LoraLayout.ALT, 0),
    ("ALT, a round that trains A", LoraLayout.ALT, 1),
    ("FFA", LoraLayout.FFA, 0),
)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Attributes:
        steps: of local training; the factors drift apart with them.
        warm_up: steps before the round, after which B is not zero.
    """

    steps: int = 40
    warm_up: int = 20


QUICK: Final = Effort(steps=8, warm_up=4)


def measure_rows(effort: Effort) -> list[Row]:
    """Measure one round with every layout."""
    field = _field()
    apart = _measure(LoraLayout.FEDIT, 0, effort, field)
    rows = []
    for name, layout, number in track(CASES, description="layouts", console=Console(stderr=True)):
        error = _measure(layout, number, effort, field)
        unit = "relative error"
        rows.append(compare(name, unit, error, peer_name="FedIT", peer=apart))
        rows.append(compare(f"{name}: limit", unit, error, peer_name="limit", peer=LIMIT, goal=1.0))
    stacked = _measure(LoraLayout.STACK, 0, effort, field)
    # What lies outside of the seeded rows is lost on purpose, so there is no limit for it.
    rows.append(
        compare("STACK, projected", "relative error", stacked, peer_name="FedIT", peer=apart)
    )
    return rows


def products(flat: Int32s, layout: TensorLayout) -> NDArray[np.float64]:
    """Return every B A of a model, joined, in float64."""
    spans = layout.spans
    found = []
    for spec in layout.tensors:
        if part_of(spec.name) is Part.FACTOR_B:
            up = flat[spans[spec.name]].astype(np.float64).reshape(spec.shape)
            down = flat[spans[partner_of(spec.name)]].astype(np.float64)
            found.append((up @ down.reshape(spec.shape[1], -1)).reshape(-1))
    return np.ldexp(np.concatenate(found), -48)


def error_of(
    step: Int32s,
    *,
    start: Int32s,
    updates: Sequence[Int32s],
    weights: Sequence[int],
    layout: TensorLayout,
) -> float:
    """Return how far a step is from the mean of what the updates do, relative to that mean."""
    began = products(start, layout)
    moves = [products(start + update, layout) - began for update in updates]
    exact = np.einsum("i,ij->j", np.ldexp(np.array(weights), -16), np.array(moves))
    missed = products(start + step, layout) - began - exact
    return float(np.linalg.norm(missed) / np.linalg.norm(exact))


def widened(delta: Int32s, *, part: TensorLayout, whole: TensorLayout) -> Int32s:
    """Return an update of a round as one of all tensors; what the round leaves alone is zero."""
    result = np.zeros(whole.size, np.int32)
    spans = whole.spans
    for name, span in part.spans.items():
        result[spans[name]] = delta[span]
    return result


def step_of(
    layout: LoraLayout,
    start: Int32s,
    updates: Sequence[Int32s],
    *,
    weights: Sequence[int],
    whole: TensorLayout,
) -> Int32s:
    """Return the step that a federation with this layout takes."""
    if layout is LoraLayout.STACK:
        updates = [projected(update, model=start, layout=whole) for update in updates]
    return aggregate(updates, weights, rule=Rule.MEAN)


def _field() -> list[Examples]:
    """Return the notes of each organisation."""
    source = open_plain(f"synthetic:notes?organisations={ORGANISATIONS}&examples=400&test=4")
    groups = by_group(source.train.groups, clients=ORGANISATIONS)
    return [source.train.part(group) for group in groups]


def _measure(
    layout: LoraLayout, round_number: int, effort: Effort, field: Sequence[Examples]
) -> float:
    loaded = load_model(str(tiny_model_folder()), kind=ModelKind.CAUSAL_LM)
    adapter = attach(loaded, AdapterSpec(layout=layout), seed=1)
    whole = adapter.tensor_layout()
    seeded = adapter.read_fixed(whole)
    _train(adapter, field[0], effort.warm_up, round_number=0)
    start = adapter.read_fixed(whole)
    for name, span in whole.spans.items():
        if layout is LoraLayout.STACK and part_of(name) is Part.FACTOR_A:
            # Every round with STACK begins at the seeded rows.
            start[span] = seeded[span]
    updates = []
    for examples in field:
        adapter.write(start, whole)
        updates.append(_train(adapter, examples, effort.steps, round_number=round_number))
    detach(adapter)
    step = step_of(layout, start, updates, weights=WEIGHTS, whole=whole)
    return error_of(step, start=start, updates=updates, weights=WEIGHTS, layout=whole)


def _train(adapter: Adapter, examples: Examples, steps: int, *, round_number: int) -> Int32s:
    training = LocalTraining(length=Steps(steps), batch_size=8, max_length=64)
    result = train_local(adapter, examples, training, round_number=round_number)
    return widened(result.delta, part=result.layout, whole=adapter.tensor_layout())


if __name__ == "__main__":
    run("layouts", lambda quick: measure_rows(QUICK if quick else Effort()))
