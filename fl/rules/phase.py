"""The phases of a round, in order."""

import enum


@enum.unique
class Phase(enum.Enum):
    """Where a round stands; `SELECT` and `SETTLE` go by steps, the others wait for a deadline."""

    COMMIT = "commit"
    REVEAL = "reveal"
    AVAILABILITY = "availability"
    SCORE_COMMIT = "score commit"
    SCORE_REVEAL = "score reveal"
    SELECT = "select"
    AGGREGATE = "aggregate"
    GUARD = "guard"
    SETTLE = "settle"

    @property
    def window(self) -> int | None:
        """Return which of the task's windows this phase lasts, None if it goes by steps."""
        return _WAITING.index(self) if self in _WAITING else None


_WAITING = (
    Phase.COMMIT,
    Phase.REVEAL,
    Phase.AVAILABILITY,
    Phase.SCORE_COMMIT,
    Phase.SCORE_REVEAL,
    Phase.AGGREGATE,
    Phase.GUARD,
)
WINDOWS = len(_WAITING)
