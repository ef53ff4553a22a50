"""Why updates cannot be scored.

    TrainingError
        ScoringError
            UnscorableModelError
            ScoringStoppedError

Each message is one line: what is wrong, where, and what to do.
"""

from typing import ClassVar

from primitives.errors import TrainingError


class ScoringError(TrainingError):
    """Refuse examples, updates or settings that cannot be scored."""

    code: ClassVar[str] = "scoring"


class UnscorableModelError(ScoringError):
    """Refuse an adapter of a kind that cannot be evaluated for many updates at once."""

    code: ClassVar[str] = "unscorable_model"


class ScoringStoppedError(ScoringError):
    """Report that scoring ended because its caller asked for that.

    Args:
        done: batches that were evaluated, times states.
        total: of how many.
    """

    code: ClassVar[str] = "scoring_stopped"

    def __init__(self, *, done: int, total: int) -> None:
        super().__init__(f"stopped after {done} of {total} batches, as asked")
        self.done = done
        self.total = total
