"""What the aggregate loses without one update: by taking away each, or random groups.

What is taken away is the part that an update would have in a mean of all: the others weigh no more
than before, and an update of zeros is worth exactly nothing, whether the aggregate goes too far or
not far enough. The rule itself is not asked again without it: where extremes are trimmed, noise
would be worth what it saves the others from, which zeros in its place do not.
Up to `SINGLES_MAX` updates, each is left out once. More are dealt at random into groups, several
times over, and each group is left out as a whole; the share of each update is then the solution of
least squares of smallest size, which gives back what every group was measured to be worth.
Source: leave-one-out as in Ghorbani and Zou 2019, arXiv:1904.02868; group tests after Jia et al.
2019, arXiv:1902.10275.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fl.rules.aggregation.outer import apply
from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.limits import ONE
from fl.rules.select import apportion
from fl.rules.update.norms import clip, scale
from fl.training.examples.shuffle import permutation

SINGLES_MAX: Final = 32
DEALS: Final = 4
GROUPS: Final = 8
"""Four deals into eight groups: as many evaluations as `SINGLES_MAX`."""

Int32s = NDArray[np.int32]
Aggregate = Callable[[Sequence[int]], Int32s]
"""From the indices of the updates that take part, in order, to the step that the model takes."""


@dataclass(frozen=True, slots=True)
class Removals:
    """Which updates are left out together.

    Attributes:
        count: of the updates of the round.
        groups: the indices left out in each test, in order.
    """

    count: int
    groups: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, count: int, *, seed: int) -> "Removals":
        """Plan the tests of a round."""
        if count <= SINGLES_MAX:
            return cls(count, tuple((index,) for index in range(count)))
        dealt = [
            tuple(sorted(order[group::GROUPS]))
            for deal in range(DEALS)
            for order in [permutation(count, seed=seed, epoch=deal, stream="left-out")]
            for group in range(GROUPS)
        ]
        return cls(count, tuple(dealt))

    @property
    def are_single(self) -> bool:
        """Tell whether each update is left out by itself."""
        return all(len(group) == 1 for group in self.groups)

    def kept(self, test: int) -> list[int]:
        """Return the updates that take part in one test."""
        removed = set(self.groups[test])
        return [index for index in range(self.count) if index not in removed]

    def credit(self, rises: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each update's part of the rises of the loss; (tests,) to (updates,)."""
        if self.are_single:
            return rises
        membership = np.zeros((len(self.groups), self.count))
        for test, group in enumerate(self.groups):
            membership[test, list(group)] = 1
        return np.linalg.lstsq(membership, rises)[0].astype(np.float64)


def by_rule(
    updates: Sequence[Int32s], *, limit: int, rule: Rule, byzantine_percent: int = 0
) -> Aggregate:
    """Return the aggregate of the round's own rule with equal weights, less parts of a mean.

    Of all updates it is that of the rule, bit for bit; the part of each that is left out is taken
    from it.

    Args:
        updates: of the round.
        limit: the norm to which they are clipped.
        rule: of the task.
        byzantine_percent: of all updates, how many are feared to be lies.
    """
    clipped = [clip(update, limit=limit) for update in updates]
    count = len(clipped)
    weights = apportion(ONE, [1] * count)

    @cache
    def of_all() -> Int32s:
        byzantine = min(count - 1, count * byzantine_percent // 100)
        return aggregate(clipped, weights, rule=rule, byzantine=byzantine, radius=limit)

    def aggregated(indices: Sequence[int]) -> Int32s:
        speaking = set(indices)
        step = of_all()
        for index, (one, weight) in enumerate(zip(clipped, weights, strict=True)):
            if index not in speaking:
                step = apply(step, -scale(one, factor=weight))
        return step

    return aggregated
