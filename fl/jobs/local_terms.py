"""How a trainer trains in one round, in wire form: whole numbers, fractions in units of 10**-9."""

import enum
from typing import Annotated, Final

import msgspec

from fl.jobs.bounds import Count, Percent
from fl.rules.update.header import Width

NANO: Final = 1_000_000_000

KeptPercent = Annotated[int, msgspec.Meta(ge=1, le=100)]
Parts = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]


@enum.unique
class Unit(enum.Enum):
    """What the length of a run counts."""

    STEPS = "steps"
    EPOCHS = "epochs"


@enum.unique
class Checkpointing(enum.Enum):
    """Whether layers compute their activations again: less memory, and a third slower."""

    OFF = "off"
    ON = "on"


@enum.unique
class PromptLoss(enum.Enum):
    """Whether a language model is also trained to write the prompts."""

    IGNORED = "ignored"
    TRAINED = "trained"


@enum.unique
class RateSchedule(enum.Enum):
    """How the learning rate goes within one local run."""

    CONSTANT = "constant"
    LINEAR = "linear"
    """Down to nothing: the last steps settle what the first ones found, so less noise travels."""


class LocalTerms(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """The settings of one local run; see `fl.training.settings.LocalTraining`.

    Args:
        prox_nano: mu of FedProx; 0: FedAvg.
        width: of the numbers of the update.
        rate_kept_percent: of the learning rate, from each round to the next.
        adjustment_percent: tau of the logit adjustment in hundredths; 0: plain cross entropy.
        parts: pieces in which a batch goes through the model; more are made when memory is short.
    """

    unit: Unit = Unit.EPOCHS
    length: Count = 1
    batch_size: Count = 16
    max_length: Count = 128
    parts: Parts = 1
    learning_rate_nano: Count = 1_000_000
    weight_decay_nano: Count = 0
    gradient_norm_max_nano: Count = NANO
    prox_nano: Count = 0
    seed: Count = 0
    checkpointing: Checkpointing = Checkpointing.OFF
    prompt_loss: PromptLoss = PromptLoss.IGNORED
    width: Width = Width.INT16
    schedule: RateSchedule = RateSchedule.CONSTANT
    rate_kept_percent: KeptPercent = 100
    adjustment_percent: Percent = 0
