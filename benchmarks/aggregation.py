"""What each rule costs beside a copy of the same updates, and that it has one result.

Updates are 20 vectors of ten million int32 with uneven weights (a million with --quick), four of
them feared. Rules run on one thread; figures are gigabytes of updates read per second of CPU time,
best of several runs; the ceiling is `numpy.copyto` of the same bytes in the same run, and here a
goal is the least ratio that is good enough. A mean that takes one update at a time reads and writes
its sums for each, 20 bytes a number where a copy moves 8. The trimmed mean is also held against
three seconds, and against sorting such columns in float32.

Then one round is aggregated a thousand times, in random orders, by one to four threads, in spans
of random sizes: every rule has one hash, and the mean in real numbers, added in such orders, many.
Last, the error of averaged low-rank factors: A and B each by itself (FedIT), B alone with A frozen
(ALT), and all of them stacked (STACK), relative to the mean of their products in 64 bits.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from benchmarks.comparison import Row, compare, run
from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.aggregation.stack import Factors, stack
from fl.rules.aggregation.stream import MeanStream
from fl.rules.limits import ONE
from fl.rules.select import apportion
from fl.rules.update.rows import Int32s
from fl.rules.update.spans import Execution

COUNT: Final = 20
FEARED: Final = 4
COPY: Final = "memory copy"
BANDWIDTH_UNIT: Final = "GB/s (goal: at least)"
BANDWIDTH_GOAL: Final = 0.25
"""Of the bandwidth of a copy, for the mean."""

TRIMMED_LIMIT_S: Final = 3.0
TRIMMED_LIMIT_SIZE: Final = 10_000_000
ERROR_LIMIT: Final = 1e-4
SHUFFLE_SIZE: Final = 2_000
SCALE: Final = 2**24

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Attributes:
        size: coordinates of an update.
        runs: of which the best counts.
        shuffles: aggregations whose hashes are compared.
    """

    size: int = TRIMMED_LIMIT_SIZE
    runs: int = 3
    shuffles: int = 1_000


QUICK: Final = Effort(size=1_000_000, runs=2, shuffles=100)


def measure_rows(effort: Effort) -> list[Row]:
    """Measure speed, then hashes, then errors."""
    updates, weights = _round(effort.size)
    return [
        *_speed_rows(updates, weights, effort),
        *_hash_rows(effort),
        *_error_rows(),
    ]


def _speed_rows(updates: Sequence[Int32s], weights: Sequence[int], effort: Effort) -> Iterator[Row]:
    gigabytes = COUNT * updates[0].nbytes / 1e9
    # As large as the updates: a target that stays in the cache is no copy of memory.
    targets = [np.empty_like(update) for update in updates]

    def copy() -> None:
        for target, update in zip(targets, updates, strict=True):
            np.copyto(target, update)

    def stream() -> None:
        mean = MeanStream(effort.size)
        for update, weight in zip(updates, weights, strict=True):
            mean.add(update, weight=weight)
        mean.finish()

    copy_s = _cpu_s(copy, runs=effort.runs)
    yield _against_copy(
        "mean, one update at a time", _cpu_s(stream, runs=effort.runs), copy_s, gigabytes
    )
    for rule in Rule:

        def work(rule: Rule = rule) -> None:
            aggregate(updates, weights, rule=rule, byzantine=FEARED)

        ours_s = _cpu_s(work, runs=effort.runs)
        yield _against_copy(rule.value, ours_s, copy_s, gigabytes)
        if rule is Rule.TRIMMED_MEAN:
            yield from _trimmed_rows(updates, weights, effort)


def _against_copy(case: str, ours_s: float, copy_s: float, gigabytes: float) -> Row:
    row = compare(case, BANDWIDTH_UNIT, gigabytes / ours_s, peer_name=COPY, peer=gigabytes / copy_s)
    if case != Rule.MEAN.value:
        return row
    return replace(row, goal=BANDWIDTH_GOAL, met=row.ratio >= BANDWIDTH_GOAL)


def _trimmed_rows(
    updates: Sequence[Int32s], weights: Sequence[int], effort: Effort
) -> Iterator[Row]:
    ours_s = _cpu_s(lambda: aggregate(updates, weights), runs=effort.runs)
    part = slice(0, min(effort.size, 500_000))
    real = np.stack([update[part] for update in updates]).astype(np.float32)
    sort_s = _cpu_s(lambda: np.sort(real, axis=0), runs=effort.runs)
    yield compare(
        f"trimmed, {COUNT} x {effort.size:,}",
        "s of CPU",
        ours_s,
        peer_name="the limit",
        peer=TRIMMED_LIMIT_S * effort.size / TRIMMED_LIMIT_SIZE,
        goal=1.0,
    )
    yield compare(
        "trimmed, whole",
        "ns of CPU a number",
        ours_s * 1e9 / (COUNT * effort.size),
        peer_name="numpy.sort, float32",
        peer=sort_s * 1e9 / real.size,
    )


def _hash_rows(effort: Effort) -> Iterator[Row]:
    updates, weights = _round(SHUFFLE_SIZE)
    control = _hashes_of_real_sums(updates, weights, effort.shuffles)
    for rule in Rule:
        dice = random.Random(1)
        hashes = {_shuffled_hash(updates, weights, rule, dice) for _ in range(effort.shuffles)}
        yield compare(
            f"{rule.value}, {effort.shuffles:,} shuffles",
            "hashes",
            len(hashes),
            peer_name="mean in float32",
            peer=control,
            goal=1 / control,
        )


def _shuffled_hash(
    updates: Sequence[Int32s], weights: Sequence[int], rule: Rule, dice: random.Random
) -> str:
    """Aggregate in a random order, by random threads, in spans of a random size."""
    order = dice.sample(range(COUNT), COUNT)
    with ThreadPoolExecutor(dice.randint(1, 4)) as pool:
        found = aggregate(
            [updates[index] for index in order],
            [weights[index] for index in order],
            rule=rule,
            byzantine=FEARED,
            execution=Execution(columns=dice.randint(100, 2 * SHUFFLE_SIZE), each=pool.map),
        )
    return sha256(found.tobytes()).hexdigest()


def _hashes_of_real_sums(updates: Sequence[Int32s], weights: Sequence[int], shuffles: int) -> int:
    real = [
        update.astype(np.float32) * np.float32(weight / ONE)
        for update, weight in zip(updates, weights, strict=True)
    ]
    dice = random.Random(1)
    hashes = set()
    for _ in range(shuffles):
        total = np.zeros_like(real[0])
        for index in dice.sample(range(COUNT), COUNT):
            total += real[index]
        hashes.add(sha256(total.tobytes()).hexdigest())
    return len(hashes)


def _error_rows() -> Iterator[Row]:
    dice = np.random.default_rng(3)
    weights = apportion(ONE, [int(share) for share in dice.integers(50, 150, COUNT)])
    apart = [
        Factors(down=_quantised(dice, (8, 384)), up=_quantised(dice, (384, 8)))
        for _ in range(COUNT)
    ]
    frozen = [Factors(down=apart[0].down, up=one.up) for one in apart]
    stacked = stack(apart, weights)
    product = (stacked.up / SCALE / ONE) @ (stacked.down / SCALE)
    for case, found, truth in (
        ("FedIT: A and B apart", _averaged(apart, weights), _exact(apart, weights)),
        ("ALT: B with A frozen", _averaged(frozen, weights), _exact(frozen, weights)),
        ("STACK before its projection", product, _exact(apart, weights)),
    ):
        yield compare(
            f"LoRA, {case}",
            "relative error",
            float(np.linalg.norm(found - truth) / np.linalg.norm(truth)),
            peer_name="the limit",
            peer=ERROR_LIMIT,
            goal=None if case.startswith("FedIT") else 1.0,
        )


def _averaged(updates: Sequence[Factors], weights: Sequence[int]) -> Real:
    """Average each factor by itself and multiply."""
    ups = aggregate([one.up.ravel() for one in updates], weights, rule=Rule.MEAN)
    downs = aggregate([one.down.ravel() for one in updates], weights, rule=Rule.MEAN)
    up, down = ups.reshape(updates[0].up.shape), downs.reshape(updates[0].down.shape)
    product: Real = (up / SCALE) @ (down / SCALE)
    return product


def _exact(updates: Sequence[Factors], weights: Sequence[int]) -> Real:
    products = [(one.up / SCALE) @ (one.down / SCALE) for one in updates]
    mean: Real = np.average(products, axis=0, weights=weights)
    return mean


def _quantised(dice: np.random.Generator, shape: tuple[int, int]) -> Int32s:
    matrix: Int32s = np.rint(dice.normal(0, 0.05, shape) * SCALE).astype(np.int32)
    return matrix


def _round(size: int) -> tuple[list[Int32s], list[int]]:
    dice = np.random.default_rng(2)
    updates = [
        (dice.standard_normal(size, dtype=np.float32) * (SCALE // 16)).astype(np.int32)
        for _ in range(COUNT)
    ]
    return updates, apportion(ONE, [int(share) for share in dice.integers(100, 200, COUNT)])


def _cpu_s(work: Callable[[], object], *, runs: int) -> float:
    found = []
    for _ in range(runs):
        began_s = time.process_time()
        work()
        found.append(time.process_time() - began_s)
    return min(found)


if __name__ == "__main__":
    run("aggregation", lambda is_quick: measure_rows(QUICK if is_quick else Effort()))
