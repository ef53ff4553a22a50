"""The highest round that a quorum makes possible: by power, by distinct authors, forward only."""

import pytest

from consensus.threshold_clock import ThresholdClock
from primitives.ids import AuthorityIndex, Round
from tests.dsl.committee import committee_of


def clock_of(*powers: int) -> ThresholdClock:
    """Return a fresh clock."""
    return ThresholdClock(committee_of(powers))


def observe(clock: ThresholdClock, number: int, *authors: int) -> int:
    """Show the clock one block per author and return its round."""
    for author in authors:
        clock.observe(Round(number), AuthorityIndex(author))
    return clock.round


@pytest.mark.parametrize("size", [1, 4, 7, 10])
def test_quorum_of_authors_moves_the_clock_by_one(size: int) -> None:
    clock = clock_of(*[1] * size)
    quorum = size * 2 // 3 + 1
    assert observe(clock, 1, *range(quorum - 1)) == 1
    assert observe(clock, 1, quorum - 1) == 2


def test_one_author_counts_once_however_often_it_is_seen() -> None:
    clock = clock_of(1, 1, 1, 1)
    assert observe(clock, 1, 0, 0, 0, 1, 1) == 1


def test_power_counts_not_heads() -> None:
    clock = clock_of(5, 1, 1, 1, 1, 1)
    assert observe(clock, 1, 1, 2, 3, 4, 5) == 1
    assert observe(clock, 1, 0) == 2


def test_old_blocks_change_nothing() -> None:
    clock = clock_of(1, 1, 1, 1)
    observe(clock, 1, 0, 1, 2)
    assert observe(clock, 1, 0, 1, 2, 3) == 2


def test_block_above_moves_the_clock_to_its_round() -> None:
    clock = clock_of(1, 1, 1, 1)
    observe(clock, 1, 0, 1)
    assert observe(clock, 7, 2) == 7
    assert observe(clock, 7, 0) == 7
    assert observe(clock, 7, 1) == 8


def test_seat_with_all_the_power_moves_the_clock_alone() -> None:
    clock = clock_of(7)
    assert observe(clock, 4, 0) == 5


def test_rounds_below_the_clock_have_a_quorum() -> None:
    clock = clock_of(1, 1, 1, 1)
    observe(clock, 3, 0, 1, 2)
    assert clock.has_quorum_at(Round(3))
    assert not clock.has_quorum_at(Round(4))
