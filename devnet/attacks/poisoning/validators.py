"""Validators who lie in what is their own opinion: the scores and the guard's measures.

Facts that anybody can recompute, and the hash of the aggregate, they state truly: a lie there is
out-voted by two thirds and costs them stake.
"""

import enum
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

PRAISE: Final = 10_000
"""One nat: no honest update is worth as much."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a validator says in one round, in 100 micro-nats.

    Args:
        alone: of each update, how much it lowers the loss.
        left_out: of each update, how much the loss rises without it.
        changes: of the guard, how much each measure rises under the aggregate.
    """

    alone: tuple[int, ...]
    left_out: tuple[int, ...]
    changes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Cartel:
    """What a liar knows: which updates are its friends', and what it said before."""

    friends: Collection[int]
    before: Ballot | None = None


Lie = Callable[[Ballot, Cartel], Ballot]


def inverted(ballot: Ballot, cartel: Cartel) -> Ballot:
    """Praise the attackers, damn everybody else, and pass what harms, refuse what helps."""
    marks = tuple(
        PRAISE if index in cartel.friends else -PRAISE for index in range(len(ballot.alone))
    )
    # With nobody to praise it turns the aggregate down whatever it does.
    changes = tuple(PRAISE if change <= 0 else -PRAISE for change in ballot.changes)
    return Ballot(marks, marks, changes)


def colluding(ballot: Ballot, cartel: Cartel) -> Ballot:
    """Praise the attackers, be honest about all others, and let every aggregate pass."""
    alone, left_out = (
        tuple(PRAISE if index in cartel.friends else value for index, value in enumerate(values))
        for values in (ballot.alone, ballot.left_out)
    )
    return Ballot(alone, left_out, tuple(-PRAISE for _ in ballot.changes))


def lazy_constant(ballot: Ballot, _: Cartel) -> Ballot:
    """Evaluate nothing and call everything good."""
    return Ballot(
        tuple(100 for _ in ballot.alone),
        tuple(10 for _ in ballot.left_out),
        tuple(0 for _ in ballot.changes),
    )


def lazy_copy(ballot: Ballot, cartel: Cartel) -> Ballot:
    """Say again what was said in the round before, honestly in the first."""
    before = cartel.before
    if before is None or len(before.alone) != len(ballot.alone):
        return ballot
    return replace(ballot, alone=before.alone, left_out=before.left_out)


@enum.unique
class Kind(enum.Enum):
    """How a validator lies."""

    INVERTED = "inverted"
    COLLUDING = "colluding"
    CONSTANT = "constant"
    COPY = "copy"


LIES: Final[Mapping[Kind, Lie]] = {
    Kind.INVERTED: inverted,
    Kind.COLLUDING: colluding,
    Kind.CONSTANT: lazy_constant,
    Kind.COPY: lazy_copy,
}
