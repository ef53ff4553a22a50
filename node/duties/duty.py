"""Duties: one thing that is due for one task, by name."""

import enum
from dataclasses import dataclass


@enum.unique
class Step(enum.Enum):
    """What is to be done; the value is what people read."""

    READ_TASK = "read task"
    FOLLOW = "follow model"
    CLEAR_UP = "clear up"
    FETCH_DOCUMENT = "fetch document"
    FETCH_MODEL = "fetch model"
    REPLAY = "replay history"
    TRAIN = "train"
    OFFER = "offer update"
    COMMIT_UPDATE = "commit update"
    REVEAL_UPDATE = "reveal update"
    FETCH_UPDATES = "fetch updates"
    ATTEST = "attest"
    JUDGE = "score"
    COMMIT_SCORES = "commit scores"
    REVEAL_SCORES = "reveal scores"
    AGGREGATE = "aggregate"
    VOTE = "vote"
    FETCH_CANDIDATE = "fetch candidate"
    EVALUATE = "evaluate"
    REPORT = "report"
    OPEN_ROUND = "open round"
    ADVANCE = "advance"
    CLAIM = "claim"


@enum.unique
class Trouble(enum.Enum):
    """What keeps a node from a duty, in words for its operator."""

    NOT_REGISTERED = "the account has no identity: register one, or leave out the role trainer"
    QUARANTINED = "the account may not commit updates for now, see its standing"
    LOST_UPDATE = "the committed update is not on this machine: the bond of this round is lost"
    LOST_SCORECARD = "the committed scorecard is not on this machine: it cannot be revealed"
    CANNOT_SCORE = "this node does not score: it only holds, aggregates and votes"
    HISTORY_BEYOND_REACH = (
        "nobody gives what this node missed of the model's history, which a task whose outer "
        "optimiser has a memory needs from its first version on: it neither scores nor votes"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One duty; at most one of a step, round and rung is under way.

    Args:
        round: the running one; for OPEN_ROUND the one to be opened.
        rung: of the ladder.
        bits: updates that are meant, by index.
    """

    step: Step
    task: int
    round: int
    rung: int = 0
    bits: int = 0

    @property
    def key(self) -> tuple[int, int, int, Step]:
        """Return what names it, whatever updates are meant."""
        return self.task, self.round, self.rung, self.step

    def indices(self) -> list[int]:
        """Return the updates that are meant."""
        return [index for index in range(self.bits.bit_length()) if self.bits >> index & 1]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is due, and what keeps this node from more."""

    duties: tuple[Duty, ...] = ()
    troubles: frozenset[Trouble] = frozenset()


def bits_of(indices: list[int]) -> int:
    """Return updates as bits."""
    return sum(1 << index for index in indices)
