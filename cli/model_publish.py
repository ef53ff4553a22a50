"""`hanse model publish`: the first global model of a task, and the document that describes it.

By an agent with a valid token: Algorithm 2 of Zuo et al. Whether the account is an agent's is asked
before anything is computed, see `check_agent`. A worker process looks at the base model and writes
W_0; this process never loads torch.
"""

import os
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from cli.identity import check_agent
from cli.online import Signing, signing
from cli.printing import print_json, print_record
from cli.reals import real_between

if TYPE_CHECKING:
    from fl.jobs.results import PrepareResult
    from fl.jobs.subject import AdaptedModel, AdapterShape
    from fl.jobs.work import OuterTerms
    from node.federation.document import TaskDocument

_DEADLINE_MS: Final = 1_800_000
_NANO: Final = 10**9
_SEED_SIZE_BYTES: Final = 32
_COUNT_MAX: Final = 2**63 - 1
_PAUSE_S_MAX: Final = 7 * 24 * 3_600
"""What a task document holds at most, as the number before."""

_PROX_MAX: Final = 1_000.0
_OUTER_RATE_MAX: Final = 16.0
"""What `fl.rules.aggregation.outer` takes at most."""

RATE_MIN: Final = 1e-9
RATE_MAX: Final = 10.0
"""Of learning: one unit of the document, and where nothing learns any more."""


class ModelSort(StrEnum):
    """What a model is trained for, as an option names it."""

    CLASSIFICATION = "classification"
    CAUSAL = "causal"


class RateFall(StrEnum):
    """How the learning rate goes within a round, as an option names it."""

    CONSTANT = "constant"
    LINEAR = "linear"


class Sharing(StrEnum):
    """How a federation shares the factors of an adapter, as `fl.training.adapters` says."""

    ALT = "alt"
    FFA = "ffa"
    FEDIT = "fedit"
    STACK = "stack"


class RuleName(StrEnum):
    """How updates are brought together."""

    MEAN = "mean"
    TRIMMED = "trimmed"
    MEDIAN = "median"
    KRUM = "krum"
    MULTIKRUM = "multikrum"
    NNM = "nnm"
    GEOMED = "geomed"
    CCLIP = "cclip"


class OuterName(StrEnum):
    """How the aggregate of a round becomes the step of the model."""

    PLAIN = "plain"
    NESTEROV = "nesterov"
    FEDADAM = "fedadam"


Source: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="The base model: a folder, package:NAME, or a hub id."),
]
Title: TypeAlias = Annotated[str, typer.Option(help="What people call the task.")]
Description: TypeAlias = Annotated[str, typer.Option(help="What it is about.")]
Kind: TypeAlias = Annotated[ModelSort, typer.Option(help="What the model is for.")]
Labels: TypeAlias = Annotated[
    str, typer.Option(metavar="A,B,...", help="The classes of a classifier, in their order.")
]
Rank: TypeAlias = Annotated[int, typer.Option(min=1, max=1_024, help="Of the adapter.")]
Alpha: TypeAlias = Annotated[int, typer.Option(min=1, max=_COUNT_MAX, help="Of the adapter.")]
Targets: TypeAlias = Annotated[
    list[str] | None, typer.Option("--target", help="A linear layer to adapt. Default: the usual.")
]
SharingOption: TypeAlias = Annotated[Sharing, typer.Option("--sharing", help="Of the factors.")]
RuleOption: TypeAlias = Annotated[RuleName, typer.Option("--rule", help="Of aggregation.")]
Byzantine: TypeAlias = Annotated[
    int, typer.Option(min=0, max=49, metavar="PERCENT", help="Updates that may be lies.")
]
StepCount: TypeAlias = Annotated[
    int,
    typer.Option("--steps", min=0, max=_COUNT_MAX, help="Of training in a round; 0: whole epochs."),
]
Epochs: TypeAlias = Annotated[
    int, typer.Option(min=1, max=_COUNT_MAX, help="Of training in a round.")
]
Batch: TypeAlias = Annotated[int, typer.Option(min=1, max=_COUNT_MAX, help="Examples of a step.")]
Rate: TypeAlias = Annotated[
    float,
    typer.Option(
        "--learning-rate",
        parser=real_between(RATE_MIN, RATE_MAX),
        metavar="NUMBER",
        help="Of training.",
    ),
]
Schedule: TypeAlias = Annotated[RateFall, typer.Option(help="Of that rate within a round.")]
RATE_KEPT: Final = typer.Option(
    "--rate-kept", min=1, max=100, metavar="PERCENT", help="Of that rate from round to round."
)
RateKept: TypeAlias = Annotated[int, RATE_KEPT]
ADJUSTMENT: Final = typer.Option(
    "--adjustment",
    min=0,
    max=100,
    metavar="PERCENT",
    help="Of a trainer's own shares of the classes, taken out of what it learns.",
)
Adjustment: TypeAlias = Annotated[int, ADJUSTMENT]
Prox: TypeAlias = Annotated[
    float,
    typer.Option(
        parser=real_between(0, _PROX_MAX), metavar="MU", help="Of FedProx; 0: plain FedAvg."
    ),
]
Checkpoints: TypeAlias = Annotated[
    bool, typer.Option("--checkpointing", help="Train in less memory, a third slower.")
]
Outer: TypeAlias = Annotated[OuterName, typer.Option(help="Optimiser of the model's step.")]
OuterRate: TypeAlias = Annotated[
    float,
    typer.Option(parser=real_between(0, _OUTER_RATE_MAX), metavar="NUMBER", help="Of that step."),
]
Tokens: TypeAlias = Annotated[
    int, typer.Option(min=2, max=_COUNT_MAX, help="At which a text is cut.")
]
Pause: TypeAlias = Annotated[
    float,
    typer.Option(
        parser=real_between(0, _PAUSE_S_MAX), metavar="S", help="Seconds between two rounds."
    ),
]
Seed: TypeAlias = Annotated[
    str, typer.Option(metavar="HEX64", help="It gives W_0. Default: a new one.")
]
Device: TypeAlias = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


@signing
def publish(  # noqa: PLR0913 - an option for each field of the document
    line: Signing,
    *,
    model: Source,
    title: Title,
    description: Description = "",
    kind: Kind = ModelSort.CLASSIFICATION,
    labels: Labels = "",
    rank: Rank = 8,
    alpha: Alpha = 16,
    targets: Targets = None,
    sharing: SharingOption = Sharing.ALT,
    rule: RuleOption = RuleName.TRIMMED,
    byzantine: Byzantine = 25,
    steps: StepCount = 0,
    epochs: Epochs = 1,
    batch: Batch = 16,
    learning_rate: Rate = 1e-3,
    schedule: Schedule = RateFall.CONSTANT,
    rate_kept: RateKept = 100,
    adjustment: Adjustment = 75,
    prox: Prox = 0,
    checkpointing: Checkpoints = False,
    outer: Outer = OuterName.PLAIN,
    outer_rate: OuterRate = 1,
    tokens: Tokens = 128,
    pause: Pause = 0,
    seed: Seed = "",
    device: Device = "auto",
) -> None:
    """As an agent, make W_0 of a base model, and give it and its task document to the node."""
    from fl.jobs.local_terms import Checkpointing, LocalTerms, RateSchedule, Unit
    from fl.rules.aggregation.rule import Rule

    names = _label_names(labels, kind)
    adapter = _adapter(sharing, rank=rank, alpha=alpha, targets=tuple(targets or ()), seed=seed)
    local = LocalTerms(
        unit=Unit.STEPS if steps else Unit.EPOCHS,
        length=steps or epochs,
        batch_size=batch,
        max_length=tokens,
        learning_rate_nano=round(learning_rate * _NANO),
        prox_nano=round(prox * _NANO),
        checkpointing=Checkpointing.ON if checkpointing else Checkpointing.OFF,
        schedule=RateSchedule(schedule.value),
        rate_kept_percent=rate_kept,
        adjustment_percent=adjustment,
    )
    subject = _subject(model, kind, labels=len(names), adapter=adapter)
    check_agent(line)
    fields = {
        "description": description,
        "rule": Rule(rule.value),
        "byzantine_percent": byzantine,
        "outer": _outer(outer, outer_rate),
        "local": local,
        "tokens_max": tokens,
        "round_pause_ms": round(pause * 1_000),
    }
    _make(line, subject, fields, title=title, label_names=names, device=device)


def _make(
    line: Signing,
    subject: "AdaptedModel",
    fields: dict[str, object],
    *,
    title: str,
    label_names: tuple[str, ...],
    device: str,
) -> None:
    from msgspec import structs

    with tempfile.TemporaryDirectory(prefix="hanse-") as folder:
        made = _prepared(subject, Path(folder), device)
        document = _document(subject, made, title=title, label_names=label_names)
        _hand_over(line, structs.replace(document, **fields), made, Path(folder))


def _subject(
    source: str, kind: ModelSort, *, labels: int, adapter: "AdapterShape"
) -> "AdaptedModel":
    from fl.jobs.subject import AdaptedModel, FrozenModel, ModelKind

    frozen = FrozenModel(source=source, kind=ModelKind(kind.value), labels=labels)
    return AdaptedModel(frozen=frozen, adapter=adapter)


def _outer(name: OuterName, rate: float) -> "OuterTerms":
    from fl.jobs.work import OuterTerms
    from fl.rules.aggregation.outer import OuterRule
    from fl.rules.limits import ONE

    return OuterTerms(rule=OuterRule(name.value), rate=round(rate * ONE))


def _adapter(
    sharing: Sharing, *, rank: int, alpha: int, targets: tuple[str, ...], seed: str
) -> "AdapterShape":
    from fl.jobs.subject import AdapterShape, LoraLayout

    layout = LoraLayout(sharing.value)
    return AdapterShape(rank=rank, alpha=alpha, targets=targets, layout=layout, seed=_seed(seed))


def _label_names(labels: str, kind: ModelSort) -> tuple[str, ...]:
    names = tuple(word.strip() for word in labels.split(",") if word.strip())
    if kind is ModelSort.CLASSIFICATION and len(names) < 2:
        raise typer.BadParameter("a classifier needs --labels, two or more with commas between")
    if kind is ModelSort.CAUSAL and names:
        raise typer.BadParameter("a language model has no --labels")
    return names


def _seed(text: str) -> bytes:
    if not text:
        return os.urandom(_SEED_SIZE_BYTES)
    try:
        raw = bytes.fromhex(text)
    except ValueError as error:
        raise typer.BadParameter("--seed takes 64 hexadecimal digits") from error
    if len(raw) != _SEED_SIZE_BYTES:
        raise typer.BadParameter("--seed takes 64 hexadecimal digits")
    return raw


def _prepared(subject: "AdaptedModel", folder: Path, device: str) -> "PrepareResult":
    from cli.worker import run_job
    from fl.jobs.work import PrepareJob
    from node.running.event_loop import run_async

    job = PrepareJob(subject=subject, folder=str(folder))
    return run_async(run_job(job, device=device, deadline_ms=_DEADLINE_MS))


def _document(
    subject: "AdaptedModel", made: "PrepareResult", *, title: str, label_names: tuple[str, ...]
) -> "TaskDocument":
    from fl.jobs.work import Pins
    from node.federation.document import TaskDocument
    from primitives.cid import Cid

    return TaskDocument(
        title=title,
        source=subject.frozen.source,
        kind=subject.frozen.kind,
        label_names=label_names,
        pins=Pins(model=made.model, tokenizer=made.tokenizer),
        adapter=subject.adapter,
        model_layout=made.layout,
        layouts=made.layouts,
        start=Cid.decode(made.weights.cid).digest,
    )


def _hand_over(
    line: Signing, document: "TaskDocument", made: "PrepareResult", folder: Path
) -> None:
    from cli.blob import put_files
    from node.federation.document import write_document

    file = folder / "document"
    file.write_bytes(write_document(document))
    model, about = put_files(line, [Path(made.weights.path), file])
    facts = {
        "document": about.cid,
        "model": model.cid,
        "model_bytes": model.size_bytes,
        "base_model": document.pins.model.hex(),
        "tokenizer": document.pins.tokenizer.hex(),
        "seed": document.adapter.seed.hex(),
    }
    if line.as_json:
        print_json(facts)
        return
    print_record(facts)
    typer.echo(f"\nnext: hanse task create --document {about.cid} --reward ... --escrow ...")
