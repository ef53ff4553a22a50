"""What a worker gives back: integers, and files that are in their place by then."""

from typing import Annotated

import msgspec

from fl.jobs.bounds import Count, DigestBytes, StoredBlob, Whole
from fl.rules.limits import UPDATES_MAX
from fl.rules.update.layout import TensorLayout

FAULT_LETTERS_MAX = 300


class _Result(
    msgspec.Struct,
    frozen=True,
    array_like=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="kind",
):
    """The root of the tagged union; the first array element tells which."""


class PrepareResult(_Result, frozen=True, kw_only=True, tag=1):
    """What a task has to name, and W_0.

    Args:
        model: digest of the base model.
        tokenizer: digest of its tokenizer.
        layouts: of what even and odd rounds train.
        weights: the MODEL blob of W_0, whose layout holds both.
    """

    model: DigestBytes
    tokenizer: DigestBytes
    layout: TensorLayout
    layouts: tuple[TensorLayout, TensorLayout]
    weights: StoredBlob


class TrainResult(_Result, frozen=True, kw_only=True, tag=2):
    """An update, and what a trainer wants to know about its run.

    Args:
        update: the UPDATE blob.
        norm: of the update as it was written.
        losses_micronats: of the first batch, before and after.
        tokens: seen, padding left out.
        samples: rows seen.
        parts: pieces in which batches went through the model at last; more than the job asked for
            if memory was short.
    """

    update: StoredBlob
    norm: Count
    losses_micronats: tuple[Whole, Whole]
    steps: Count
    tokens: Count
    samples: Count
    parts: Count


class BlobFacts(
    msgspec.Struct, frozen=True, array_like=True, kw_only=True, forbid_unknown_fields=True
):
    """What validators must agree on about one update, see `fl.rules.scorecard.Facts`.

    Args:
        fault: why the blob is malformed, for a person and not agreed on; empty if it is not.
    """

    verdict: Count
    original: Count
    cluster: Count
    norm: Count
    fault: Annotated[str, msgspec.Meta(max_length=FAULT_LETTERS_MAX)] = ""


class InspectResult(_Result, frozen=True, kw_only=True, tag=3):
    """One entry per update, in the order of the job."""

    facts: Annotated[tuple[BlobFacts, ...], msgspec.Meta(max_length=UPDATES_MAX)]


class AggregateResult(_Result, frozen=True, kw_only=True, tag=4):
    """The next model, bit for bit the same wherever the same job is done.

    Args:
        model: the MODEL blob of W_{t+1}.
        delta: the UPDATE blob of what was added, for later rounds to find replays.
        state: of the outer optimiser after this round, for all of the model.
        norm: of what was added.
    """

    model: StoredBlob
    delta: StoredBlob
    state: StoredBlob
    norm: Count


class Rises(msgspec.Struct, frozen=True, array_like=True, kw_only=True, forbid_unknown_fields=True):
    """How much worse a model is than the present one, in 100 micro-nats.

    Args:
        loss: on all examples, classes weighed as in scores.
        classes: on those of each class; empty for a language model.
        probes: on each set of probes.
    """

    loss: Whole
    classes: tuple[Whole, ...]
    probes: tuple[Whole, ...]


class Vote(msgspec.Struct, frozen=True, array_like=True, kw_only=True, forbid_unknown_fields=True):
    """What a validator says of one update, in 100 micro-nats; see `fl.training.scoring.scores`.

    Args:
        quality: how far it helps, by itself or beside the others.
        left_out: what the aggregate loses without it.
        error: the standard error of the gain in `alone`.
        rises: of half the update alone.
    """

    quality: Whole
    left_out: Whole
    error: Count
    rises: Rises


class ScoreResult(_Result, frozen=True, kw_only=True, tag=5):
    """One vote per update, in the order of the job."""

    votes: Annotated[tuple[Vote, ...], msgspec.Meta(max_length=UPDATES_MAX)]


class EvaluateResult(_Result, frozen=True, kw_only=True, tag=6):
    """What a guard report says of a candidate model."""

    rises: Rises


class WarmResult(_Result, frozen=True, kw_only=True, tag=7):
    """The worker has loaded what its jobs need."""


AnyResult = (
    PrepareResult
    | TrainResult
    | InspectResult
    | AggregateResult
    | ScoreResult
    | EvaluateResult
    | WarmResult
)
