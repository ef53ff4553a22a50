"""Run one arm with one seed, from the source to a record."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.federated.answers import metrics_of
from benchmarks.federated.arms import (
    Run,
    Tally,
    measure_local,
    spec_of,
    train_averaging,
    train_pooled,
)
from benchmarks.federated.export import check_export
from benchmarks.federated.field import lay_out, open_texts
from benchmarks.federated.ours import train_ours
from benchmarks.federated.prefix import FrozenPrefix
from benchmarks.federated.settings import Arm, Record, Settings
from fl.training.adapters import attach
from fl.training.lineage import Lineage, LineageStep
from fl.training.models import load_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One arm with one seed.

    Attributes:
        export: where the adapter of our arm goes; empty for a folder that is removed again.
        threads: of torch.
    """

    settings: Settings
    arm: Arm
    seed: int
    export: str = ""
    threads: int = 1


def carry_out(order: Order) -> Record:
    """Train and measure."""
    torch.set_num_threads(order.threads)
    settings = order.settings
    began = time.perf_counter()
    field = lay_out(open_texts(settings), settings, seed=order.seed)
    loaded = load_model(settings.model, kind=settings.task, labels=field.labels or None)
    spec = spec_of(settings, arm=order.arm, depth=loaded.model.config.num_hidden_layers)
    adapter = attach(loaded, spec, seed=order.seed)
    run = Run(order.arm, adapter, field, settings, order.seed, Tally(), FrozenPrefix(adapter))
    run.tally.note("client_texts", min(map(len, field.clients)))
    metrics, steps = _train(run, order.arm)
    answers = None if order.arm is Arm.LOCAL else run.answers()
    if answers is not None:
        metrics = metrics_of(answers, labels=field.labels)
    facts = run.tally.facts()
    if order.arm is Arm.OURS:
        facts |= _export(order, run, steps)
    return Record(
        key=settings.key,
        arm=order.arm,
        seed=order.seed,
        seconds=round(time.perf_counter() - began, 1),
        samples=run.tally.samples,
        tokens=run.tally.tokens,
        metrics=metrics,
        facts=facts,
        labels=field.labels,
        answers=answers,
    )


def _train(run: Run, arm: Arm) -> tuple[dict[str, float], tuple[LineageStep, ...]]:
    match arm:
        case Arm.POOLED:
            train_pooled(run)
        case Arm.LOCAL:
            return measure_local(run), ()
        case Arm.FEDAVG | Arm.ADJUSTED | Arm.FEDIT:
            train_averaging(run)
        case Arm.OURS:
            return {}, train_ours(run)
    return {}, ()


def _export(order: Order, run: Run, steps: tuple[LineageStep, ...]) -> dict[str, float]:
    loaded = run.adapter.loaded
    lineage = Lineage(
        title=f"Adapter of a federation of {order.settings.clients}, seed {order.seed}",
        base_model_source=loaded.folder.name if Path(loaded.source).is_dir() else loaded.source,
        base_model=loaded.digest.hex(),
        tokenizer=loaded.tokenizer_digest.hex(),
        layout=run.adapter.tensor_layout().digest.hex(),
        seed=f"{order.seed:02x}" if order.seed > 15 else f"0{order.seed:x}",
        task=Path(order.settings.data).name,
        adjustment_percent=round(100 * order.settings.adjustment) if run.field.labels else 0,
        steps=steps,
    )
    if order.export:
        return check_export(Path(order.export) / f"seed-{order.seed}", run, lineage)
    with tempfile.TemporaryDirectory() as folder:
        return check_export(Path(folder), run, lineage)
