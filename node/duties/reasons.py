"""Why this node keeps a blob of a task: for the task, a version of its model, a step, a round.

The reasons are texts in the store of blobs, so they are read back after a restart as well.
"""

import enum
import re
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

_NUMBERED: Final = re.compile(r"task ([0-9]{1,18}) (version|step|round) ([0-9]{1,18})\Z")


@enum.unique
class Cause(enum.Enum):
    """What of a task a blob is kept for."""

    VERSION = "version"
    """Somebody may make the version again: its model, and the updates that went in."""

    STEP = "step"
    """The next versions are made from it: what the version added, and the optimiser's state."""

    ROUND = "round"
    """Somebody may look into what happened in the round."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason that has a number; its text is what the store keeps."""

    task: int
    cause: Cause
    number: int

    @override
    def __str__(self) -> str:
        """Return the text."""
        return f"{task_reason(self.task)} {self.cause.value} {self.number}"


def task_reason(task: int) -> str:
    """Return under which reason blobs are kept for as long as there is the task."""
    return f"task {task}"


def read_reason(text: str) -> Reason | None:
    """Return the reason that a text stands for; None for those without a number."""
    found = _NUMBERED.match(text)
    if found is None:
        return None
    return Reason(int(found[1]), Cause(found[2]), int(found[3]))
