"""Clocks of nodes: exact conversion, drift, boots and wall clock jumps."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devnet.simulator.kernel.clocks import (
    RATE_ERROR_PERMILLE_MAX,
    WALL_JUMP_MS_MAX,
    WALL_ORIGIN_MS,
    NodeClock,
)

RATES = st.integers(-RATE_ERROR_PERMILLE_MAX, RATE_ERROR_PERMILLE_MAX)
STEPS = st.lists(st.tuples(st.integers(0, 10**7), RATES), max_size=8)


def _drifted(seed: int, steps: list[tuple[int, int]]) -> tuple[NodeClock, int]:
    clock = NodeClock(Random(seed))
    now_us = 0
    for wait_us, rate in steps:
        now_us += wait_us
        clock.set_rate_error(rate, now_us)
    return clock, now_us


@given(st.integers(0, 1000), STEPS, st.integers(-1000, 10**6))
def test_deadline_converts_to_the_first_true_time_that_shows_it(
    seed: int, steps: list[tuple[int, int]], wait_ms: int
) -> None:
    clock, now_us = _drifted(seed, steps)
    deadline_ms = clock.monotonic_ms(now_us) + wait_ms
    due_us = clock.due_us(deadline_ms)
    assert clock.monotonic_ms(due_us) >= deadline_ms
    assert clock.monotonic_ms(due_us - 1) < deadline_ms


@given(st.integers(0, 1000), STEPS, st.integers(0, 10**7), RATES)
def test_monotonic_clock_never_jumps_when_its_rate_changes(
    seed: int, steps: list[tuple[int, int]], wait_us: int, rate: int
) -> None:
    clock, now_us = _drifted(seed, steps)
    now_us += wait_us
    before = clock.instant(now_us)
    clock.set_rate_error(rate, now_us)
    assert clock.rate_error_permille == rate
    assert clock.instant(now_us) == before


@given(STEPS, st.lists(st.integers(0, 10**7), min_size=2, max_size=6))
def test_monotonic_clock_never_goes_back(steps: list[tuple[int, int]], waits: list[int]) -> None:
    clock, now_us = _drifted(1, steps)
    readings_ms = [clock.monotonic_ms(now_us + wait_us) for wait_us in sorted(waits)]
    assert readings_ms == sorted(readings_ms)


def test_fast_clock_is_fast_and_slow_clock_is_slow() -> None:
    for rate, elapsed_ms in ((300, 1300), (-300, 700), (0, 1000)):
        clock = NodeClock(Random(1))
        clock.set_rate_error(rate, 0)
        assert clock.monotonic_ms(1_000_000) - clock.monotonic_ms(0) == elapsed_ms


def test_wall_clock_jumps_and_the_monotonic_does_not() -> None:
    clock = NodeClock(Random(1))
    before = clock.instant(5_000_000)
    for delta_ms in (WALL_JUMP_MS_MAX, -2 * WALL_JUMP_MS_MAX // 2):
        clock.jump_wall(delta_ms)
    clock.jump_wall(-WALL_JUMP_MS_MAX)
    after = clock.instant(5_000_000)
    assert after.monotonic_ms == before.monotonic_ms
    assert after.wall_ms == before.wall_ms - WALL_JUMP_MS_MAX


def test_corrected_wall_clock_shows_the_true_time() -> None:
    clock = NodeClock(Random(1))
    clock.set_rate_error(200, 0)
    clock.jump_wall(1234)
    clock.correct_wall(10_000_000)
    assert clock.instant(10_000_000).wall_ms == WALL_ORIGIN_MS + 10_000


def test_reboot_gives_the_monotonic_clock_a_new_origin() -> None:
    clock = NodeClock(Random(1))
    before = clock.instant(1_000_000)
    clock.reboot(1_000_000)
    after = clock.instant(1_000_000)
    assert after.monotonic_ms != before.monotonic_ms
    assert after.wall_ms == before.wall_ms


@pytest.mark.parametrize("rate", [-RATE_ERROR_PERMILLE_MAX - 1, RATE_ERROR_PERMILLE_MAX + 1])
def test_impossible_clocks_are_refused(rate: int) -> None:
    clock = NodeClock(Random(1))
    with pytest.raises(AssertionError):
        clock.set_rate_error(rate, 0)
    with pytest.raises(AssertionError):
        clock.jump_wall(rate * WALL_JUMP_MS_MAX)
