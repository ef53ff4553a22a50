"""What a local training run is told."""

from dataclasses import dataclass

from fl.jobs.local_terms import Checkpointing, PromptLoss, RateSchedule
from fl.training.errors import SettingError

TOKENS_MIN = 2


@dataclass(frozen=True, slots=True)
class Steps:
    """Train for so many optimiser steps, going through the examples again as often as needed."""

    count: int


@dataclass(frozen=True, slots=True)
class Epochs:
    """Go through all examples so many times."""

    count: int


@dataclass(frozen=True, slots=True)
class FedAvg:
    """Minimise the loss of the own examples (McMahan et al. 2017, arXiv:1602.05629)."""


@dataclass(frozen=True, slots=True)
class FedProx:
    """Add mu / 2 times the squared distance from where the round began (arXiv:1812.06127)."""

    mu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTraining:
    """How to train on the examples of one trainer, with AdamW.

    Attributes:
        length: when to end.
        batch_size: examples, or packed rows, of one optimiser step.
        max_length: tokens at which a text is cut, and the length of packed rows.
        parts: pieces in which a batch passes through the model; the gradients are summed, so only
            memory and rounding depend on it. More are made when memory does not suffice.
        seed: of the order of examples.
        gradient_norm_max: longer gradients are scaled down to it.
        schedule: of the learning rate, from the first step to the last.
        adjustment: tau of `fl.training.class_shares`, for classifiers; 0: plain cross entropy.
        prompt_loss: whether a language model is also trained to write the prompts.
    """

    length: Steps | Epochs = Epochs(1)
    batch_size: int = 16
    max_length: int = 128
    parts: int = 1
    learning_rate: float = 1e-3
    schedule: RateSchedule = RateSchedule.CONSTANT
    weight_decay: float = 0.0
    gradient_norm_max: float = 1.0
    objective: FedAvg | FedProx = FedAvg()
    adjustment: float = 0.0
    seed: int = 0
    checkpointing: Checkpointing = Checkpointing.OFF
    prompt_loss: PromptLoss = PromptLoss.IGNORED

    def check(self) -> None:
        """Refuse settings that cannot be followed.

        Raises:
            SettingError: names the setting and its bound.
        """
        for name, value, least in (
            ("length", self.length.count, 1),
            ("batch_size", self.batch_size, 1),
            ("max_length", self.max_length, TOKENS_MIN),
            ("parts", self.parts, 1),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise SettingError(name, value, f"at least {least}")
        # A comparison with NaN is false, so these are asked for what they must be.
        if not 0 < self.learning_rate < float("inf"):
            raise SettingError("learning_rate", self.learning_rate, "positive and finite")
        if not self.gradient_norm_max > 0:
            raise SettingError("gradient_norm_max", self.gradient_norm_max, "positive")
        if not 0 <= self.adjustment <= 1:
            raise SettingError("adjustment", self.adjustment, "from 0 to 1")
        if not 0 <= self.weight_decay < 1:
            raise SettingError("weight_decay", self.weight_decay, "from 0 to 1")
        if isinstance(self.objective, FedProx) and not 0 <= self.objective.mu < float("inf"):
            raise SettingError("mu", self.objective.mu, "not negative")
