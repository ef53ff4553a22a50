"""What jobs of training and scoring are about: a base model, an adapter, examples, in wire form.

`Precision` has one member more than that of `fl.training`, which this room must not import since
that loads torch; equal values stand for each other.
"""

import enum
from typing import Annotated, Final

import msgspec

from fl.jobs.bounds import Count, DigestBytes, PathText, Percent, StoredBlob

TARGETS_MAX: Final = 64
LAYERS_MAX: Final = 1_024
LABELS_MAX: Final = 10_000
PROBES_MAX: Final = 16
CHOSEN_MAX: Final = 100_000
"""Examples that a job may choose by number; a frame holds no more."""

Name = Annotated[str, msgspec.Meta(max_length=256)]


@enum.unique
class ModelKind(enum.Enum):
    """What a model is trained for."""

    CAUSAL_LM = "causal"
    CLASSIFICATION = "classification"


@enum.unique
class Precision(enum.Enum):
    """In which type the frozen weights are multiplied."""

    AUTO = "auto"
    """bfloat16 on an accelerator that has it, else float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@enum.unique
class LoraLayout(enum.Enum):
    """How a federation shares the two factors of an adapter.

    ALT is the default because it loses nothing; STACK drops what lies outside of the seeded rows.
    """

    ALT = "alt"
    FFA = "ffa"
    FEDIT = "fedit"
    STACK = "stack"


@enum.unique
class Scaling(enum.Enum):
    """The factor of an adapter: alpha / rank, or alpha / sqrt(rank) (arXiv:2312.03732)."""

    BY_RANK = "rank"
    BY_ROOT = "root"


@enum.unique
class Half(enum.Enum):
    """Which part of a source is read."""

    TRAIN = "train"
    TEST = "test"

    HELD_OUT = "held out"
    """All of a folder that was set apart, unless it has files for both; else the test half."""


class _Part(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """The root of the parts of jobs."""


class FrozenModel(_Part, frozen=True, kw_only=True):
    """A base model as a task names it.

    Args:
        source: a folder, `package:NAME` or a hub id.
        labels: classes of a classifier; 0 for a language model.
        digest: of weights and configuration; None: any, and the result says which it was.
        tokenizer: digest of the tokenizer; None: any.
    """

    source: PathText
    kind: ModelKind
    labels: Annotated[int, msgspec.Meta(ge=0, le=LABELS_MAX)] = 0
    digest: DigestBytes | None = None
    tokenizer: DigestBytes | None = None


class AdapterShape(_Part, frozen=True, kw_only=True):
    """The shape of an adapter.

    Args:
        targets: last parts of the names of linear layers; empty: the usual ones.
        layers: counted from 0; None: all.
        seed: big-endian; A_0 and the head follow from it.
    """

    rank: Count = 8
    alpha: Count = 16
    targets: Annotated[tuple[Name, ...], msgspec.Meta(max_length=TARGETS_MAX)] = ()
    layout: LoraLayout = LoraLayout.ALT
    layers: Annotated[tuple[Count, ...], msgspec.Meta(max_length=LAYERS_MAX)] | None = None
    scaling: Scaling = Scaling.BY_RANK
    seed: DigestBytes = bytes(32)


class AdaptedModel(_Part, frozen=True, kw_only=True):
    """A base model with the adapter as a round finds it.

    Args:
        weights: the MODEL blob of W_t; None: as the seed of the adapter makes it.
    """

    frozen: FrozenModel
    adapter: AdapterShape
    weights: StoredBlob | None = None
    precision: Precision = Precision.AUTO


class ExampleSource(_Part, frozen=True, kw_only=True):
    """Examples on this machine, or on a hub; their texts never travel.

    Args:
        spec: a folder, `hub:owner/name` or `synthetic:...`.
        label_names: the classes of the task, in their order.
        chosen: numbers of the examples to take, in this order; None: all.
    """

    spec: PathText
    half: Half = Half.TRAIN
    text: Name | None = None
    label: Name | None = None
    prompt: Name | None = None
    context: Name | None = None
    answer: Name | None = None
    label_names: Annotated[tuple[Name, ...], msgspec.Meta(max_length=LABELS_MAX)] = ()
    chosen: Annotated[tuple[Count, ...], msgspec.Meta(max_length=CHOSEN_MAX)] | None = None


class PanelSource(_Part, frozen=True, kw_only=True):
    """What a validator scores with.

    Args:
        examples: held out, never trained on.
        probes: sets of texts with a trigger, labelled with their true classes.
        tokens_max: at which a text is cut.
        adjustment_percent: with which trainers train; see `fl.training.scoring.terms.evened`.
    """

    examples: ExampleSource
    probes: Annotated[tuple[ExampleSource, ...], msgspec.Meta(max_length=PROBES_MAX)] = ()
    tokens_max: Annotated[int, msgspec.Meta(ge=2, le=1 << 20)] = 128
    adjustment_percent: Percent = 0
