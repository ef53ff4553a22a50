"""Find copies, near-copies and replays among the updates of a round, by exact inner products.

Guards: what ends up in `Facts` is the same for every honest validator, whatever its machine.

Updates of honest trainers resemble each other, and more so the more alike their tasks are; raw
cosines would punish exactly them (the trap of FoolsGold, Fung et al. 2018, arXiv:1808.04866). So
the mean of the round is taken off first, and a pair is near only if its cosine is over three
quarters and stands out, by more than eight robust standard deviations, from the cosines that either
of the two has with everybody else. (Among the cosines of all pairs little stands out: copies pull
the mean to themselves, which spreads the others.) Where most updates are near-copies nothing stands
out from them; two updates whose distance is under a sixteenth of their norm are therefore near
whatever the others do. Trainers whose groups differ by much more than they do within a group would
be taken for near-copies too; they lose no bond, but share one slot.

A replay costs bond and stake, so an update is one for its own numbers alone, whatever others send:
where half of a round is noise, the honest half, which goes much the way of the last rounds, stands
out from it. An update repeats a global delta if a positive multiple of the delta is within a
sixteenth of the update's norm, that is if their raw cosine is over 0.998. Those of honest trainers
stayed under 0.9 in `benchmarks.poisoning`: each has samples of its own and starts from a later
model. A replay under more noise than that passes here and is judged by its scores, as any update.
The same holds for an earlier update of another trainer, which everybody can read once its round is
over. An own one is matched by plain distance: that a trainer with unusual samples moves twice in
the same direction is no fault. It must be of a round that changed the model: whoever trains again
from the same model with the same seed repeats itself honestly.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

from fl.rules.limits import ONE
from fl.rules.scorecard import MALFORMED, REPLAY, VALID, Facts
from fl.rules.update.norms import norm_squared
from fl.rules.update.products import Integers, products
from fl.rules.update.rows import Int32s
from fl.rules.update.spans import ALONE, Execution
from primitives.ids import Digest
from primitives.order import quantile

GLOBAL_DELTAS_MAX: Final = 8
"""Of the last rounds: an update that repeats one of them is a replay."""

DEVIATIONS: Final = 8
# The median absolute deviation of a normal distribution times 1.4826 is its standard deviation.
_DEVIATION_NUMERATOR: Final = 14_826
_DEVIATION_DENOMINATOR: Final = 10_000

DEVIATION_MIN: Final = ONE // 1_024
"""Of the cosines of few updates; their median deviation may be nothing by chance."""

COSINE_MIN: Final = ONE * 3 // 4
NEAR_SQUARED: Final = 256
"""Two vectors are near if their squared distance times this is within either squared norm.

An update repeats a delta if its squared distance from a multiple of it times this is within its own
squared norm.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An update that decoded.

    Args:
        content: the digest of the vector.
        is_again: it repeats an update of an earlier round, see `find_repeats`.
    """

    vector: Int32s
    content: Digest
    is_again: bool = False


@dataclass(frozen=True, slots=True)
class _Round:
    """Products of the updates (left) with the updates and what they may repeat (right)."""

    gram: Integers
    right_squares: list[int]

    @property
    def count(self) -> int:
        return len(self.gram)

    def is_near(self, update: int, right: int) -> bool:
        return _are_near(*self._measures(update, right))

    def is_near_multiple(self, update: int, right: int) -> bool:
        """Tell whether a positive multiple of one on the right is near an update."""
        return _is_multiple(*self._measures(update, right))

    def _measures(self, update: int, right: int) -> tuple[int, int, int]:
        gram, squares = self.gram, self.right_squares
        return int(gram[update, right]), int(gram[update, update]), squares[right]


def find_facts(
    candidates: Sequence[Candidate | None],
    *,
    norms: Sequence[int],
    global_deltas: Sequence[Int32s],
    execution: Execution = ALONE,
) -> list[Facts]:
    """Return the facts about every update of a round, in order.

    Args:
        candidates: None where the blob is malformed.
        norms: of the vectors as they came, before any clipping; ignored for a malformed one.
        global_deltas: of the last rounds, of which the last `GLOBAL_DELTAS_MAX` count.
        execution: who works through how many coordinates at a time.
    """
    places = [place for place, one in enumerate(candidates) if one is not None]
    present = [one for one in candidates if one is not None]
    vectors = [one.vector for one in present]
    past = global_deltas[-GLOBAL_DELTAS_MAX:]
    measured = _measure(vectors, [*vectors, *past], execution=execution)
    originals = _first_of([one.content for one in present], squares=measured.right_squares)
    clusters = _clusters(measured, originals)
    replays = _replays(measured)
    facts = [Facts(MALFORMED, place, place, 0) for place in range(len(candidates))]
    for index, place in enumerate(places):
        is_replay = replays[index] or present[index].is_again
        facts[place] = Facts(
            verdict=REPLAY if is_replay else VALID,
            original=places[originals[index]],
            cluster=places[clusters[index]],
            norm=norms[place],
        )
    return facts


def find_repeats(
    vectors: Sequence[Int32s],
    earlier: Iterable[tuple[Int32s, int]],
    *,
    execution: Execution = ALONE,
) -> list[bool]:
    """Tell of each update whether it is one of an earlier round again.

    Args:
        vectors: the updates.
        earlier: updates of rounds that changed the model and no others, each with the place of its
            trainer's new one, or a number that is no place; one is in memory at a time.
        execution: who works through how many coordinates at a time.
    """
    squares = [norm_squared(vector) for vector in vectors]
    found = [False] * len(vectors)
    for old, own in earlier:
        old_square = norm_squared(old)
        row = products([old], vectors, execution=execution)[0]
        for place, square in enumerate(squares):
            is_same = _are_near if place == own else _is_multiple
            found[place] |= is_same(int(row[place]), square, old_square)
    return found


def cosines(gram: Integers) -> list[list[int]]:
    """Return the Q16 cosines of vectors with each other, the mean taken off.

    Args:
        gram: their products with each other.
    """
    count, rows = len(gram), gram.tolist()
    sums = [sum(row) for row in rows]
    total = sum(sums)
    # The products of what is left without the mean, times the squared count.
    centred = [
        [
            count * (count * product - own_sum - other_sum) + total
            for product, other_sum in zip(row, sums, strict=True)
        ]
        for row, own_sum in zip(rows, sums, strict=True)
    ]
    squares = [row[place] for place, row in enumerate(centred)]
    return [
        [_ratio(product, own * other) for product, other in zip(row, squares, strict=True)]
        for row, own in zip(centred, squares, strict=True)
    ]


def _are_near(product: int, square: int, other_square: int) -> bool:
    """Tell whether two vectors are near, from their product and their squares."""
    lesser = min(square, other_square)
    return lesser > 0 and (square + other_square - 2 * product) * NEAR_SQUARED <= lesser


def _is_multiple(product: int, square: int, other_square: int) -> bool:
    """Tell whether a positive multiple of the other vector is near the first."""
    # The distance from the nearest multiple, squared, times the other's squared norm.
    both = square * other_square
    return product > 0 and (both - product * product) * NEAR_SQUARED <= both


def _replays(measured: _Round) -> list[bool]:
    past = range(measured.count, len(measured.right_squares))
    return [
        any(measured.is_near_multiple(update, right) for right in past)
        for update in range(measured.count)
    ]


def _clusters(measured: _Round, originals: Sequence[int]) -> list[int]:
    """Return for each update the least one that a chain of near pairs leads to."""
    found = cosines(measured.gram[:, : measured.count])
    # What is zero goes in no direction; with the mean taken off it would go in that of others.
    moving = [update for update in range(measured.count) if measured.right_squares[update]]
    pairs = [(low, high) for high in moving for low in moving if low < high]
    limits = [_limit([*row[:update], *row[update + 1 :]]) for update, row in enumerate(found)]
    clusters = list(range(measured.count))
    for low, high in pairs:
        is_copy = originals[low] == originals[high]
        stands_out = found[high][low] > max(limits[low], limits[high])
        if is_copy or stands_out or measured.is_near(low, high):
            kept, gone = sorted((clusters[low], clusters[high]))
            clusters = [kept if cluster == gone else cluster for cluster in clusters]
    return clusters


def _measure(left: Sequence[Int32s], right: Sequence[Int32s], *, execution: Execution) -> _Round:
    """Multiply; the right begins with the left."""
    gram = products(left, right, execution=execution)
    squares = [int(gram[index, index]) for index in range(len(left))]
    squares += [norm_squared(other) for other in right[len(left) :]]
    return _Round(gram, squares)


def _limit(cosines: Sequence[int]) -> int:
    """Return what a cosine must be greater than to stand out."""
    if not cosines:
        return ONE
    median = quantile(cosines, numerator=1, denominator=2)
    deviations = [abs(cosine - median) for cosine in cosines]
    spread = max(DEVIATION_MIN, quantile(deviations, numerator=1, denominator=2))
    above = DEVIATIONS * spread * _DEVIATION_NUMERATOR // _DEVIATION_DENOMINATOR
    return max(median + above, COSINE_MIN)


def _ratio(product: int, squares: int) -> int:
    return product * ONE // isqrt(squares) if squares > 0 else 0


def _first_of(contents: Sequence[Digest], *, squares: Sequence[int]) -> list[int]:
    """Return for each update the first one of the same content; nothing is copied by no one.

    Honest updates can all be zero: where B is zero still, no factor A has a gradient.
    """
    first: dict[Digest, int] = {}
    return [
        first.setdefault(content, index) if squares[index] else index
        for index, content in enumerate(contents)
    ]
