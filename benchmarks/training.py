"""Tokens per second of a local training run, beside a plain transformers Trainer with peft.

Both train the same adapter on the same rows of one length, with the same batch, rate, optimiser,
clipping and type of the frozen weights; ours also turns the texts into tokens, which the Trainer
finds done. They take turns within a run, and a row shows medians over the rounds; the first round
warms up. On a CPU the cost is CPU time of the whole process on one thread, so that other processes
do not count. Models are random, for only their shape matters; `--model` names another one.

On a GPU there are rows for the use of its arithmetic (MFU) and for its memory.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from rich.console import Console
from rich.progress import track

from benchmarks.comparison import Row, compare, run
from benchmarks.training_cases import LABELS, ON_CPU, ON_GPU, Case, write_random_model
from benchmarks.training_peer import PlainTrainer
from fl.jobs.subject import LoraLayout, ModelKind
from fl.training.adapters import AdapterSpec, attach, detach
from fl.training.examples.batches import Batch
from fl.training.local import train_local
from fl.training.models import LoadedModel, load_model
from fl.training.settings import LocalTraining
from fl.training.stream import Examples, training_batches

PEER: Final = "Trainer with peft"
UNIT: Final = "us a token"
CPU_GOAL: Final = 1.0
# At least 1.2 times as many tokens in a second.
GPU_GOAL: Final = 1 / 1.2
# Dense bfloat16 operations per second, from the makers' data sheets.
PEAKS: Final = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Attributes:
        rounds: of each side, after one that warms up.
        steps: of one round.
        cases: what is trained.
    """

    rounds: int
    steps: int
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took.

    Attributes:
        seconds: CPU time on a CPU, time on a GPU.
        memory_bytes: most that was in use on a GPU; 0 on a CPU.
    """

    seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Bench:
    """A loaded model with what it is trained on."""

    loaded: LoadedModel
    examples: Examples
    batches: Sequence[Batch]
    training: LocalTraining

    @property
    def tokens(self) -> int:
        """Tokens of one run."""
        return sum(batch.token_count for batch in self.batches)


def measure_rows(effort: Effort) -> list[Row]:
    """Measure every case."""
    rows: list[Row] = []
    for case in track(effort.cases, description="models", console=Console(stderr=True)):
        with tempfile.TemporaryDirectory() as folder:
            bench = _prepare(case, Path(folder), effort.steps)
        ours, peer, alternating = _take_turns(bench, effort.rounds)
        rows += _rows(case.name, bench, ours=ours, peer=peer)
        rows.append(_speed_row(f"{case.name}, one factor (ALT)", bench, alternating, peer))
        if _is_on_gpu(bench):
            rows += _device_rows(case, bench, ours=ours, peer=peer)
    return rows


def _prepare(case: Case, folder: Path, steps: int) -> Bench:
    is_gpu = torch.cuda.is_available()
    loaded = load_model(
        case.source or str(write_random_model(case, folder)),
        kind=case.kind,
        labels=LABELS if case.kind is ModelKind.CLASSIFICATION else None,
        device="cuda" if is_gpu else "cpu",
        precision=case.precision,
    )
    training, examples = case.training(steps), case.examples(steps)
    return Bench(loaded, examples, list(training_batches(examples, loaded, training)), training)


def _take_turns(bench: Bench, rounds: int) -> tuple[Cost, Cost, Cost]:
    """Return the medians of ours, the Trainer's, and ours with one factor fixed."""
    sides: list[Callable[[], Cost]] = [
        lambda: _run_ours(bench, LoraLayout.FEDIT),
        lambda: _run_peer(bench),
        lambda: _run_ours(bench, LoraLayout.ALT),
    ]
    costs: list[list[Cost]] = [[], [], []]
    for number in range(rounds + 1):
        # Who begins changes, so that a machine that slows down is unfair to nobody.
        for side in range(3) if number % 2 else reversed(range(3)):
            cost = sides[side]()
            if number:
                costs[side].append(cost)
    ours, peer, alternating = (_median(side) for side in costs)
    return ours, peer, alternating


def _run_ours(bench: Bench, layout: LoraLayout) -> Cost:
    adapter = attach(bench.loaded, AdapterSpec(layout=layout), seed=1)
    with contextlib.closing(_Meter(bench)) as meter:
        train_local(adapter, bench.examples, bench.training, round_number=0)
    detach(adapter)
    return meter.cost


def _run_peer(bench: Bench) -> Cost:
    adapter = attach(bench.loaded, AdapterSpec(layout=LoraLayout.FEDIT), seed=1)
    trainer = PlainTrainer(adapter, bench.batches, bench.training)
    with contextlib.closing(_Meter(bench)) as meter:
        trainer.train()
    trainer.close()
    detach(adapter)
    return meter.cost


class _Meter:
    """Measures from when it is made until it is closed."""

    def __init__(self, bench: Bench) -> None:
        self._is_gpu = _is_on_gpu(bench)
        self.cost = Cost(0.0, 0)
        if self._is_gpu:
            torch.cuda.reset_peak_memory_stats()
        self._began = self._now()

    def close(self) -> None:
        """Note what it took."""
        seconds = self._now() - self._began
        self.cost = Cost(seconds, torch.cuda.max_memory_allocated() if self._is_gpu else 0)

    def _now(self) -> float:
        if not self._is_gpu:
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


def _is_on_gpu(bench: Bench) -> bool:
    return bench.loaded.model.device.type == "cuda"


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        max(cost.memory_bytes for cost in costs),
    )


def _rows(name: str, bench: Bench, *, ours: Cost, peer: Cost) -> Iterator[Row]:
    row = _speed_row(name, bench, ours, peer)
    goal = GPU_GOAL if _is_on_gpu(bench) else CPU_GOAL
    yield compare(name, row.unit, row.ours, peer_name=PEER, peer=row.peer, goal=goal)
    # The other way round, as people ask for it.
    speed, other = bench.tokens / ours.seconds, bench.tokens / peer.seconds
    yield compare(f"{name}: speed", "tokens a second", speed, peer_name=PEER, peer=other)


def _speed_row(name: str, bench: Bench, ours: Cost, peer: Cost) -> Row:
    scale = 1e6 / bench.tokens
    return compare(name, UNIT, ours.seconds * scale, peer_name=PEER, peer=peer.seconds * scale)


def _device_rows(case: Case, bench: Bench, *, ours: Cost, peer: Cost) -> Iterator[Row]:
    unit = "GiB at the most"
    memory, other = ours.memory_bytes / 2**30, peer.memory_bytes / 2**30
    yield compare(f"{case.name}: memory", unit, memory, peer_name=PEER, peer=other)
    peak = _peak(torch.cuda.get_device_name())
    if peak is None:
        print("MFU: n/a, the peak of this GPU is not known here", file=sys.stderr)
        return
    work = bench.tokens * flops_per_token(bench.loaded, case.length)
    use, its_use = (100 * work / cost.seconds / peak for cost in (ours, peer))
    yield compare(f"{case.name}: MFU", "% of the peak", use, peer_name=PEER, peer=its_use)


def _peak(name: str) -> float | None:
    return next((peak for part, peak in PEAKS.items() if part in name), None)


def flops_per_token(loaded: LoadedModel, length: int) -> float:
    """Return the operations that training an adapter needs for one token, nothing done twice.

    Two for each weight forwards and two for the gradient of its input; frozen weights need none of
    their own. Attention takes 4 more for each number of a layer and each earlier token, half of
    them seen, and twice that backwards. Adapters are below one percent and left out.
    """
    config: Any = loaded.model.config
    table: Any = loaded.model.get_input_embeddings()
    embeddings = int(table.weight.numel())
    weights = sum(tensor.numel() for tensor in loaded.model.parameters()) - embeddings
    if loaded.kind is ModelKind.CAUSAL_LM and config.tie_word_embeddings:
        weights += embeddings
    attention = 6 * int(config.num_hidden_layers) * int(config.hidden_size) * length
    return 4.0 * weights + attention


def _cases(model: str, *, is_causal: bool) -> tuple[Case, ...]:
    if not model:
        return ON_GPU if torch.cuda.is_available() else ON_CPU
    pattern = ON_CPU[1] if is_causal else ON_CPU[0]
    name = model.rstrip("/").rsplit("/", 1)[-1]
    return (replace(pattern, name=name, source=model, shape=None),)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options of this benchmark, and leave the rest to `run`."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--model", default="", help="a folder, package:NAME or hub id")
    parser.add_argument("--causal", action="store_true", help="the model named is causal")
    parser.add_argument("--threads", type=int, default=1)
    options, rest = parser.parse_known_args(arguments)
    torch.set_num_threads(options.threads)
    cases = _cases(options.model, is_causal=options.causal)
    if not torch.cuda.is_available():
        print("MFU and peak memory: n/a on a CPU", file=sys.stderr)
    effort, quick = Effort(5, 12, cases), Effort(2, 2, cases)
    run("training", lambda is_quick: measure_rows(quick if is_quick else effort), rest)


if __name__ == "__main__":
    main()
