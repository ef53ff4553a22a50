"""What a local network learns: the examples, the model, and how a round trains and is timed."""

from typing import Annotated, Final

import msgspec

from devnet.local.errors import PlanError
from fl.jobs.bounds import Percent
from fl.jobs.local_terms import RateSchedule
from fl.jobs.subject import LAYERS_MAX
from fl.training.tiny import tiny_model_folder

TINY_MODEL: Final = "hanse-tiny"
"""What tasks call the model that ships."""

NOTES: Final = "synthetic:notes?organisations=2&examples=1600&test=240&style_skew=1"
"""The model that ships knows notes of eight organisations at once; these two can be learnt better,
by 0.01 nats in each of the first rounds."""

_LAYER_DIGITS_MAX: Final = 4

Positive = Annotated[int, msgspec.Meta(ge=1)]


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """What is learnt, and how.

    Args:
        source: of the examples: a folder, `hub:owner/name` or `synthetic:notes?...`.
        model: the base model: `hanse-tiny`, a folder, `package:NAME` or a hub id.
        kind: "causal", "classification", or "auto": a classifier where examples have classes,
            but for the model that ships, which only writes.
        group: a column by which texts are divided where they have no classes.
        alpha: of the Dirichlet division among trainers; small: each has other classes.
        samples: that each trainer learns from in a round.
        held_out: examples that each validator scores with.
        tested: examples of the test split on which models are measured for the report.
        tokens: at which texts are cut.
        batch: examples of a step.
        rank: of the adapter.
        layers: that get adapters, counted from 0; empty: all.
        learning_rate_nano: in units of 10**-9.
        schedule: of the learning rate within a round.
        rate_kept_percent: of it, from each round to the next.
        adjustment_percent: of a trainer's own shares of the classes, taken out of what it learns.
        train_s: the longest that a round waits for updates; it goes on when all have come.
        score_s: the longest that it waits for scores.
        worker_module: started in place of our workers, with the same options and `--node NUMBER`;
            models are not measured then. Empty: ours.
        byzantine_percent: of the updates that the rule of aggregation reckons with.
    """

    source: str = NOTES
    model: str = TINY_MODEL
    kind: str = "auto"
    group: str = ""
    alpha: float = 0.5
    samples: Positive = 128
    held_out: Positive = 48
    tested: Positive = 160
    tokens: Positive = 96
    batch: Positive = 8
    rank: Positive = 8
    layers: tuple[int, ...] = ()
    learning_rate_nano: Positive = 5_000_000
    schedule: RateSchedule = RateSchedule.CONSTANT
    rate_kept_percent: Positive = 100
    adjustment_percent: Percent = 75
    train_s: Positive = 120
    score_s: Positive = 120
    byzantine_percent: int = 25
    worker_module: str = ""

    @property
    def model_place(self) -> str:
        """Return where the base model is on this machine."""
        return str(tiny_model_folder()) if self.model == TINY_MODEL else self.model


def parse_layers(text: str) -> tuple[int, ...]:
    """Return the layers that "4,5" names, sorted; none for all of them.

    Raises:
        PlanError: it is not of that form, or names more than a task may.
    """
    words = [word.strip() for word in text.split(",")] if text.strip() else []
    for word in words:
        # By its length as well: int() refuses very long ones with an error of its own.
        if not (word.isascii() and word.isdigit() and len(word) <= _LAYER_DIGITS_MAX):
            raise PlanError(f"--layers: {word[:40]!r} is no layer; they count from 0, as in 4,5")
    layers = tuple(sorted(set(map(int, words))))
    if len(layers) > LAYERS_MAX:
        raise PlanError(f"--layers: {len(layers)} are too many, a task names {LAYERS_MAX}")
    return layers
