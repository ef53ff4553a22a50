"""The jobs: what a node asks of a worker. What is large is named by path, with its content id.

A job is plain values in canonical form without floats, so that a log of jobs can be replayed. What
a file must hold is said in the job and checked by the worker, because the disk may be damaged and
blobs come from strangers. Files that a job writes are put into `folder` under their content id, so
doing a job twice is harmless.
"""

from typing import Annotated, Final, Generic, TypeVar

import msgspec

from fl.jobs.bounds import Count, DigestBytes, PathText, Percent, StoredBlob
from fl.jobs.local_terms import LocalTerms
from fl.jobs.results import (
    AggregateResult,
    AnyResult,
    EvaluateResult,
    InspectResult,
    PrepareResult,
    ScoreResult,
    TrainResult,
    WarmResult,
)
from fl.jobs.subject import AdaptedModel, ExampleSource, LoraLayout, PanelSource
from fl.rules.aggregation.outer import OuterRule
from fl.rules.aggregation.rule import Rule
from fl.rules.limits import ONE, UPDATES_MAX
from fl.rules.update.layout import TensorLayout
from fl.rules.update.similarity import GLOBAL_DELTAS_MAX

EARLIER_MAX: Final = GLOBAL_DELTAS_MAX * UPDATES_MAX
"""Updates of the last rounds that those of a round are compared with."""

NOBODY: Final = -1
"""The place of a trainer who has no update in the round."""

Result = TypeVar("Result")

Updates = Annotated[tuple[StoredBlob, ...], msgspec.Meta(max_length=UPDATES_MAX)]


class Pins(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """What a task pins: the digests of its base model and tokenizer."""

    model: DigestBytes
    tokenizer: DigestBytes


class Job(
    msgspec.Struct,
    Generic[Result],
    frozen=True,
    array_like=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="kind",
):
    """The root of the tagged union, and the type of what comes back."""


class PrepareJob(Job[PrepareResult], frozen=True, kw_only=True, tag=1):
    """Look at a base model, and write W_0: the adapter as its seed makes it."""

    subject: AdaptedModel
    folder: PathText


class TrainJob(Job[TrainResult], frozen=True, kw_only=True, tag=2):
    """Train on this machine's examples what the round trains, and write the update."""

    subject: AdaptedModel
    round: Count
    examples: ExampleSource
    terms: LocalTerms
    folder: PathText


class Earlier(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An update of an earlier round that went into the model, and the place of its trainer now."""

    blob: StoredBlob
    place: Annotated[int, msgspec.Meta(ge=NOBODY, lt=UPDATES_MAX)]


class InspectJob(Job[InspectResult], frozen=True, kw_only=True, tag=3):
    """Establish the facts about the updates of a round; needs no torch.

    Args:
        updates: in the order of the round.
        earlier: updates in this layout, of rounds that changed the model and no others.
        global_deltas: what the last rounds of this layout added to the model.
        layout: of what this round trains.
    """

    updates: Updates
    earlier: Annotated[tuple[Earlier, ...], msgspec.Meta(max_length=EARLIER_MAX)] = ()
    global_deltas: Annotated[
        tuple[StoredBlob, ...], msgspec.Meta(max_length=GLOBAL_DELTAS_MAX)
    ] = ()
    pins: Pins
    layout: TensorLayout


class Weighted(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An update and its weight, Q16."""

    blob: StoredBlob
    weight: Count


class OuterTerms(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """The outer optimiser of a task, all Q16; see `fl.rules.aggregation.outer`."""

    rule: OuterRule = OuterRule.PLAIN
    rate: Count = ONE
    momentum: Count = 58_982
    memory: Count = 64_881
    floor: Count = 66


class AggregateJob(Job[AggregateResult], frozen=True, kw_only=True, tag=4):
    """Make W_{t+1} of W_t and the updates that were accepted; needs no torch.

    Args:
        updates: in any order, weights that sum to one.
        clip: the norm to which longer updates are scaled down.
        byzantine: how many of the updates are feared to be lies.
        model: the MODEL blob of W_t.
        model_layout: of the model.
        layout: of what this round trains, tensors of the model.
        state: of the outer optimiser; None: before its first round.
        sharing: the layout of the task's adapter. STACK projects every update onto the seeded rows
            before it counts, see `fl.rules.aggregation.stacked`; all others average as they are.
    """

    updates: Annotated[tuple[Weighted, ...], msgspec.Meta(min_length=1, max_length=UPDATES_MAX)]
    pins: Pins
    layout: TensorLayout
    model: StoredBlob
    model_layout: TensorLayout
    clip: Count
    rule: Rule = Rule.TRIMMED_MEAN
    byzantine: Count = 0
    outer: OuterTerms = OuterTerms()
    state: StoredBlob | None = None
    folder: PathText
    sharing: LoraLayout = LoraLayout.ALT


class ScoreJob(Job[ScoreResult], frozen=True, kw_only=True, tag=5):
    """Say how good each update of a round is, on examples of this machine.

    Args:
        updates: valid ones, in the order of the round.
        clip: the norm to which they are cut before they are tried.
        penalty: Zeno's rho, in 100 micro-nats for a squared norm of one.
        seed: of the round.
        rule: by which the task aggregates.
        byzantine_percent: of the updates, how many are feared to be lies.
    """

    subject: AdaptedModel
    round: Count
    updates: Updates
    panel: PanelSource
    clip: Count
    penalty: Count = 0
    seed: Count = 0
    rule: Rule = Rule.TRIMMED_MEAN
    byzantine_percent: Percent = 0


class EvaluateJob(Job[EvaluateResult], frozen=True, kw_only=True, tag=6):
    """Say how a candidate changes what the guard watches, on examples of this machine.

    Args:
        subject: the present model.
        candidate: the MODEL blob of what may follow it.
    """

    subject: AdaptedModel
    candidate: StoredBlob
    panel: PanelSource


class WarmJob(Job[WarmResult], frozen=True, kw_only=True, tag=7):
    """Load torch and what goes with it, so that the first job in earnest need not."""


AnyJob = PrepareJob | TrainJob | InspectJob | AggregateJob | ScoreJob | EvaluateJob | WarmJob

RESULTS: Final[dict[type, type[AnyResult]]] = {
    PrepareJob: PrepareResult,
    TrainJob: TrainResult,
    InspectJob: InspectResult,
    AggregateJob: AggregateResult,
    ScoreJob: ScoreResult,
    EvaluateJob: EvaluateResult,
    WarmJob: WarmResult,
}
"""What each job gives back."""
