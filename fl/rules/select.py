"""From validators' scores to weights: medians, bands, copies, tilts and caps, all in integers.

Guards: with honest power above one half a consensus score lies between two honest scores, so no
minority of liars moves it out of the honest range; the weights are whole numbers that sum to
exactly `ONE`. Sorting is over integers alone, with the index of the update inside the number where
a tie must be decided, because the contract's machine sorts nothing else.
Source: Yuma consensus (two-sided here), Zeno, and the weight ramp of Templar.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from fl.rules.limits import LEVEL_PART, ONE, PEAK_PART, SLOT_PERCENT_MAX, UPDATES_MAX
from primitives.order import quantile, weighted_median


@dataclass(frozen=True, slots=True)
class Consensus:
    """The score that counts, and the half-width of the band around it."""

    score: int
    band: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """An accepted update: its score, the Q16 effect of its reputation, and its cluster."""

    score: int
    effect: int
    cluster: int


@dataclass(frozen=True, slots=True)
class Found:
    """Where an update's content is from: a name for equal content, and when it was committed."""

    original: int
    committed_at: int


class Origin(enum.Enum):
    """Whose content an update is."""

    OWN = enum.auto()
    TWIN = enum.auto()
    LATER = enum.auto()


def agree(scores: Sequence[int], powers: Sequence[int], *, band_min: int) -> Consensus:
    """Return the weighted median of the scores and three times their weighted deviation."""
    score = weighted_median(scores, powers)
    deviation = weighted_median([abs(given - score) for given in scores], powers)
    return Consensus(score=score, band=max(band_min, 3 * deviation))


def credit(score: int, consensus: Consensus) -> int:
    """Return how far inside the band a score lies: the band itself for the consensus, 0 outside."""
    return consensus.band - min(consensus.band, abs(score - consensus.score))


def level_of(scores: Sequence[int]) -> int:
    """Return the level of a round: the upper quartile of the positive scores, 0 without any.

    To move it far takes a quarter of the updates that help, with consensus scores as high; no
    minority of liars among the validators gives those, and updates that earn them do help.
    """
    positive = [score for score in scores if score > 0]
    return quantile(positive, numerator=3, denominator=4) if positive else 0


def threshold_of(level: int, *, epsilon: int, peak: int) -> int:
    """Return what a score must exceed, given the level of this round and the peak of the task.

    Gains shrink by orders of magnitude while a model learns, so no fixed number fits all rounds.
    The level keeps out what only chance made positive among those that learn. Once nobody does, the
    level is chance itself; then the peak, from when the task still learned, refuses it.
    """
    return max(epsilon, level // LEVEL_PART, peak // PEAK_PART)


def is_support(score: int, consensus: Consensus, *, threshold: int) -> bool:
    """Tell whether a score supports the update: above the threshold, once cut down to the band.

    Only from above: a low score lifted into the band would be paid as support that nobody gave.
    """
    return min(score, consensus.score + consensus.band) > threshold


def quorum_choice(choices: Sequence[bytes], powers: Sequence[int], *, quorum: int) -> bytes | None:
    """Return the choice that has a quorum of power; there can be only one."""
    power_of: dict[bytes, int] = {}
    for choice, power in zip(choices, powers, strict=True):
        power_of[choice] = power_of.get(choice, 0) + power
    return next((choice for choice in choices if power_of[choice] >= quorum), None)


def copies(found: Sequence[Found]) -> list[Origin]:
    """Tell which updates are copies: in each group of equal content the least height is first.

    Nothing can be read before COMMIT is over, so equal content means that somebody was given it.
    Of several at the least height nobody can say who, so none of them earns and none is punished.
    """
    heights: dict[int, list[int]] = {}
    for one in found:
        heights.setdefault(one.original, []).append(one.committed_at)
    origins: list[Origin] = []
    for one in found:
        group = heights[one.original]
        if one.committed_at > min(group):
            origins.append(Origin.LATER)
        else:
            origins.append(Origin.OWN if group.count(one.committed_at) == 1 else Origin.TWIN)
    return origins


def median(scores: Sequence[int]) -> int:
    """Return the lower median of the scores."""
    return quantile(scores, numerator=1, denominator=2)


def worst_first(scores: Sequence[tuple[int, int]]) -> list[int]:
    """Order (index, score) pairs by score; of equal scores the later index is the worse."""
    ranked = sorted(score * UPDATES_MAX + (UPDATES_MAX - 1 - index) for index, score in scores)
    return [UPDATES_MAX - 1 - rank % UPDATES_MAX for rank in ranked]


def tilt(score: int, *, median_score: int) -> int:
    """Return the Q16 weight that quality alone gives: from one to two, so never more than 2:1."""
    return ONE + min(ONE, score * ONE // max(1, median_score))


def slot_cap(slots: int) -> int:
    """Return the greatest weight of one slot.

    Twice the even share and 15 %, whichever is less; but weights must fill `ONE`, so never less
    than the even share. With six slots or fewer that makes all of them even.
    """
    even = -(-ONE // slots)
    return max(even, min(2 * ONE // slots, ONE * SLOT_PERCENT_MAX // 100))


def apportion(total: int, shares: Sequence[int]) -> list[int]:
    """Split a total in proportion, in whole parts, by largest remainder.

    Args:
        total: what the parts sum to exactly.
        shares: none negative, not all zero, at most `UPDATES_MAX`; of equal remainders the lower
            index wins.
    """
    whole = sum(shares)
    parts = [total * share // whole for share in shares]
    ranked = sorted(
        (
            total * share % whole * UPDATES_MAX + (UPDATES_MAX - 1 - index)
            for index, share in enumerate(shares)
        ),
        reverse=True,
    )
    for rank in ranked[: total - sum(parts)]:
        parts[UPDATES_MAX - 1 - rank % UPDATES_MAX] += 1
    return parts


def fill(shares: Sequence[int], *, cap: int) -> list[int]:
    """Split `ONE` in proportion with no part above the cap.

    From the greatest share down: what would get more than the cap gets the cap, and the rest is
    split anew. As soon as one stays below, all smaller ones do.
    """
    ranked = sorted(
        (share * UPDATES_MAX + (UPDATES_MAX - 1 - index) for index, share in enumerate(shares)),
        reverse=True,
    )
    order = [UPDATES_MAX - 1 - rank % UPDATES_MAX for rank in ranked]
    left, share_left, capped = ONE, sum(shares), 0
    while shares[order[capped]] * left > cap * share_left:
        left -= cap
        share_left -= shares[order[capped]]
        capped += 1
    parts = [cap] * len(shares)
    free = sorted(order[capped:])
    for index, part in zip(free, apportion(left, [shares[i] for i in free]), strict=True):
        parts[index] = part
    return parts


def weigh(candidates: Sequence[Candidate]) -> list[int]:
    """Return one weight per candidate; they sum to `ONE`.

    A cluster of near-duplicates is one slot: it counts as its strongest member does and its members
    share what it gets.
    """
    median_score = median([candidate.score for candidate in candidates])
    raw = [tilt(one.score, median_score=median_score) * one.effect for one in candidates]
    members: dict[int, list[int]] = {}
    for index, candidate in enumerate(candidates):
        members.setdefault(candidate.cluster, []).append(index)
    slots = list(members.values())
    shares = [max(raw[index] for index in slot) for slot in slots]
    weights = [0] * len(candidates)
    for slot, weight in zip(slots, fill(shares, cap=slot_cap(len(slots))), strict=True):
        for index, part in zip(slot, apportion(weight, [raw[i] for i in slot]), strict=True):
            weights[index] = part
    return weights


def next_clip(clip: int, norms: Sequence[int], *, clip_min: int) -> int:
    """Return the clip of the next round: the median accepted norm, within a third either way.

    The history of accepted norms decides, not this round's updates: with half of them zero, the
    median of all would be zero and training would stop.
    """
    return max(clip_min, clip * 3 // 4, min(clip * 4 // 3, median(norms)))
