"""What the aggregate loses without one update: by silencing each, or by tests of random groups.

Who is left out is put as zero and keeps its weight, so the others weigh no more than before: an
update of zeros is worth exactly nothing, whether the aggregate goes too far or not far enough.

Up to `SINGLES_MAX` updates, each is left out by itself, and the worth of an update is told beside
those that do no harm. Who trains on one class pulls the model towards it. Where the sum of all that
came leans one way, each update against it is worth much and each along it harms; a choice by that
leans the other way, further. So the worst of those that harm, a third of them or one, are silenced,
the others are measured again, and so on until none harms.

More updates are dealt at random into groups, several times over, and each group is left out as a
whole; the share of each update is then the solution of least squares of smallest size, which gives
back what every group was measured to be worth.
Source: leave-one-out as in Ghorbani and Zou 2019, arXiv:1904.02868; group tests after Jia et al.
2019, arXiv:1902.10275; backward elimination as in feature selection (Guyon and Elisseeff 2003).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.limits import ONE
from fl.rules.select import apportion
from fl.rules.update.norms import clip
from fl.training.examples.shuffle import permutation

SINGLES_MAX: Final = 32
DEALS: Final = 4
GROUPS: Final = 8
"""Four deals into eight groups: as many evaluations as `SINGLES_MAX`."""

Int32s = NDArray[np.int32]
Aggregate = Callable[[Sequence[int]], Int32s]
"""From the indices of the updates that take part, in order, to the step that the model takes."""
Gains = Callable[[Sequence[Sequence[int]]], NDArray[np.float64]]
"""From sets of indices to what the aggregate of each gains, in nats: (sets,) float64."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What an update is worth beside others.

    Attributes:
        left_out: what the aggregate loses without it, in nats.
        is_wanted: it does no harm beside those that do none; None where groups were left out.
    """

    left_out: float
    is_wanted: bool | None

    def beside(self, count: int) -> float:
        """Return what half of the update is worth beside the others of a round, in nats.

        Of `count` updates with equal weights one has that part of the whole, so that the whole
        update is worth, to first order, `count` times what is lost without it.
        """
        return self.left_out * count / 2

    def quality(self, alone: int, beside: int) -> int:
        """Return the score, in quanta: what is wanted counts for the greater of both.

        What is not is refused. If it helps alone, that is not the harm that is punished. What a
        group is worth says too little of one of its members to accept it for that.
        """
        if self.is_wanted is None:
            return alone
        best = max(alone, beside)
        return best if self.is_wanted else min(0, best)


def worths(count: int, gains: Gains, *, seed: int) -> list[Worth]:
    """Return what each of so many updates is worth, by what aggregates of some of them gain.

    Args:
        count: of the updates of the round.
        gains: measures; with at most `SINGLES_MAX` updates it is called once for each stage.
        seed: of the round, decides groups.
    """
    if count > SINGLES_MAX:
        return [Worth(one, None) for one in _by_groups(count, gains, seed=seed).tolist()]
    kept = list(range(count))
    left_out = np.zeros(count)
    while kept:
        rest = [[one for one in kept if one != gone] for gone in kept]
        whole, *without = gains([kept, *rest])
        left_out[kept] = whole - without
        harmful = sorted((one for one in kept if left_out[one] < 0), key=lambda one: left_out[one])
        worst = set(harmful[: max(1, len(harmful) // 3)])
        # Of the last one the ladder tries a shorter step.
        if len(worst) in {0, len(kept)}:
            break
        kept = [one for one in kept if one not in worst]
    return [Worth(float(one), index in kept) for index, one in enumerate(left_out)]


def _by_groups(count: int, gains: Gains, *, seed: int) -> NDArray[np.float64]:
    groups = deal(count, seed=seed)
    everybody = range(count)
    rest = [[one for one in everybody if one not in group] for group in groups]
    whole, *without = gains([everybody, *rest])
    membership = np.zeros((len(groups), count))
    for test, group in enumerate(groups):
        membership[test, list(group)] = 1
    shares: NDArray[np.float64] = np.linalg.lstsq(membership, whole - without)[0]
    return shares


def deal(count: int, *, seed: int) -> list[frozenset[int]]:
    """Return the groups that are left out together: all updates, dealt anew several times."""
    return [
        frozenset(order[group::GROUPS])
        for number in range(DEALS)
        for order in [permutation(count, seed=seed, epoch=number, stream="left-out")]
        for group in range(GROUPS)
    ]


def by_rule(
    updates: Sequence[Int32s], *, limit: int, rule: Rule, byzantine_percent: int = 0
) -> Aggregate:
    """Return the aggregation of the round's own rule with equal weights, bit for bit.

    Args:
        updates: of the round.
        limit: the norm to which they are clipped.
        rule: of the task.
        byzantine_percent: of all updates, how many are feared to be lies.
    """
    clipped = [clip(update, limit=limit) for update in updates]
    count = len(clipped)

    def aggregated(indices: Sequence[int]) -> Int32s:
        speaking = set(indices)
        return aggregate(
            [one if index in speaking else np.zeros_like(one) for index, one in enumerate(clipped)],
            apportion(ONE, [1] * count),
            rule=rule,
            byzantine=min(count - 1, count * byzantine_percent // 100),
            radius=limit,
        )

    return aggregated
