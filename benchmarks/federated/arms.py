"""The arms that ours is compared with: central, local, FedAvg and FedIT, all in float32."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.federated.answers import answers_of, metrics_of
from benchmarks.federated.field import Field
from benchmarks.federated.prefix import FrozenPrefix
from benchmarks.federated.products import Averaging, relative_errors
from benchmarks.federated.settings import Answers, Arm, Settings
from fl.jobs.local_terms import PromptLoss
from fl.jobs.subject import LoraLayout
from fl.rules.update.layout import TensorLayout
from fl.training.adapters import Adapter, AdapterSpec
from fl.training.local import LocalResult, train_local
from fl.training.replies import ask
from fl.training.settings import Epochs, LocalTraining, Steps
from fl.training.stream import Examples

Vector = NDArray[np.float32]

# So many numbers per round and client are set apart for the seeds of local runs.
_SEEDS_PER_RUN = 1_000_000
_SEEDS_PER_ROUND = 1_000

LAYOUTS = {
    Arm.POOLED: LoraLayout.FEDIT,
    Arm.LOCAL: LoraLayout.FEDIT,
    Arm.FEDAVG: LoraLayout.ALT,
    Arm.ADJUSTED: LoraLayout.ALT,
    Arm.FEDIT: LoraLayout.FEDIT,
    Arm.OURS: LoraLayout.ALT,
}
"""Who trains alone trains both factors at once; FedAvg gets the layout in which a mean is exact."""


ADJUSTED = frozenset({Arm.ADJUSTED, Arm.OURS})
"""Whose clients take their own shares of the classes out of what they learn."""


@dataclass(slots=True)
class Tally:
    """What training took so far, and errors by name, one entry for each round."""

    samples: int = 0
    tokens: int = 0
    errors: dict[str, list[float]] = field(default_factory=dict)

    def add(self, result: LocalResult) -> None:
        """Count a local run."""
        self.samples += result.samples
        self.tokens += result.tokens

    def note(self, name: str, value: float) -> None:
        """Keep one figure of a round."""
        self.errors.setdefault(name, []).append(value)

    def facts(self) -> dict[str, float]:
        """Return the mean and the greatest of each figure."""
        means = {f"{name}_mean": float(np.mean(values)) for name, values in self.errors.items()}
        return means | {f"{name}_max": max(values) for name, values in self.errors.items()}


@dataclass(frozen=True, slots=True)
class Run:
    """One arm with one seed: a fresh adapter, the texts, and what is counted on the way."""

    arm: Arm
    adapter: Adapter
    field: Field
    settings: Settings
    seed: int
    tally: Tally
    prefix: FrozenPrefix

    def training(self, *, round_number: int, client: int) -> LocalTraining:
        """Return how a client trains in a round."""
        settings = self.settings
        number = round_number * _SEEDS_PER_ROUND + client
        return LocalTraining(
            length=Steps(settings.local_steps) if settings.local_steps else Epochs(1),
            batch_size=settings.batch_size,
            max_length=settings.max_length,
            learning_rate=settings.learning_rate
            * (settings.rate_kept_percent / 100) ** round_number,
            schedule=settings.schedule,
            adjustment=settings.adjustment if self.arm in ADJUSTED else 0.0,
            seed=self.seed * _SEEDS_PER_RUN + number,
            prompt_loss=PromptLoss.IGNORED,
        )

    def whole_training(self, clients: int) -> LocalTraining:
        """Return how to train as much at a stretch as so many clients do in all rounds."""
        rounds = self.settings.rounds
        steps = self.settings.local_steps * clients * rounds
        one = self.training(round_number=0, client=0)
        return replace(one, length=Steps(steps) if steps else Epochs(rounds))

    def train(self, texts: Examples, training: LocalTraining, *, round_number: int) -> LocalResult:
        """Train from where the adapter is, and count it."""
        with self.prefix.remembered():
            result = train_local(self.adapter, texts, training, round_number=round_number)
        self.tally.add(result)
        return result

    def answers(self) -> Answers:
        """Ask the adapter as it is now."""
        replies = ask(
            self.adapter.model,
            self.adapter.loaded,
            self.field.test,
            tokens_max=self.settings.max_length,
        )
        return answers_of(replies, self.adapter.loaded.kind)


def spec_of(settings: Settings, *, arm: Arm, depth: int) -> AdapterSpec:
    """Return the adapter of an arm.

    Args:
        settings: of the run.
        arm: decides the layout.
        depth: layers of the model.
    """
    last = tuple(range(depth - settings.layers, depth)) if settings.layers else None
    return AdapterSpec(
        rank=settings.rank, alpha=2 * settings.rank, layers=last, layout=LAYOUTS[arm]
    )


def train_pooled(run: Run) -> None:
    """Train on all texts at a stretch."""
    run.train(run.field.pooled, run.whole_training(run.settings.clients), round_number=0)


def measure_local(run: Run) -> dict[str, float]:
    """Train every client for itself; return the means of their figures on the test split."""
    layout = run.adapter.tensor_layout()
    start = run.adapter.read(layout)
    found = []
    for texts in run.field.clients:
        put(run.adapter, start, layout)
        run.train(texts, run.whole_training(1), round_number=0)
        found.append(metrics_of(run.answers(), labels=run.field.labels))
    for name in ("accuracy", "loss"):
        run.tally.note(f"client_{name}", min(one[name] for one in found))
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def train_averaging(run: Run) -> None:
    """Average what clients trained, with weights n_i / n, round by round."""
    layout = run.adapter.tensor_layout()
    sizes = [len(texts) for texts in run.field.clients]
    weights = [size / sum(sizes) for size in sizes]
    for number in range(run.settings.rounds):
        start = run.adapter.read(layout)
        ends = list(_ends(run, start, layout, number))
        mean = _mean(ends, weights)
        put(run.adapter, mean, layout)
        errors = relative_errors(Averaging(layout, start, ends, weights, mean))
        for name, error in errors.items():
            run.tally.note(f"error_of_{name}", error)


def put(adapter: Adapter, values: Vector, layout: TensorLayout) -> None:
    """Write float32 numbers into an adapter as they are; (size,) float32."""
    with torch.no_grad():
        for name, span in layout.spans.items():
            tensor = adapter.tensors[name]
            tensor.copy_(torch.from_numpy(values[span]).view(tensor.shape))


def _ends(run: Run, start: Vector, layout: TensorLayout, number: int) -> list[Vector]:
    ends = []
    for client, texts in enumerate(run.field.clients):
        put(run.adapter, start, layout)
        run.train(texts, run.training(round_number=number, client=client), round_number=number)
        ends.append(run.adapter.read(layout))
    return ends


def _mean(vectors: Sequence[Vector], weights: Sequence[float]) -> Vector:
    total = np.zeros(vectors[0].shape, np.float64)
    for vector, weight in zip(vectors, weights, strict=True):
        total += weight * vector
    return total.astype(np.float32)
