"""How far a job is, in words that a terminal can show."""

import enum
from typing import Annotated

import msgspec

from fl.jobs.bounds import Count

NOTE_LETTERS_MAX = 200


@enum.unique
class Stage(enum.Enum):
    """What the worker does at the moment."""

    LOADING = "loading"
    READING = "reading"
    TRAINING = "training"
    SCORING = "scoring"
    AGGREGATING = "aggregating"
    WRITING = "writing"


class Progress(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """One report; reports of one job may be dropped, but never overtake each other.

    Args:
        done: steps of this stage behind us.
        total: steps of this stage in all; 0: not known.
        loss_micronats: the loss of the last step, or None.
        note: what a person should know, such as that the batch was split; or empty.
    """

    stage: Stage
    done: Count = 0
    total: Count = 0
    loss_micronats: int | None = None
    note: Annotated[str, msgspec.Meta(max_length=NOTE_LETTERS_MAX)] = ""
