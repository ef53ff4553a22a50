from collections import Counter
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus.committee import EpochContext
from consensus.parameters import Parameters
from consensus.schedule import (
    LEADERS_CACHED_MAX,
    LeaderSchedule,
    ScheduleRecord,
    first_schedule,
)
from primitives.hashing import Domain, tagged_hash
from primitives.ids import AuthorityIndex, CommitIndex
from tests.dsl.committee import context_of, over_committees, over_leader_counts
from tests.vectors import Row, cases

Powers = tuple[int, ...]


def _schedule(context: EpochContext, excluded: Sequence[int] = ()) -> LeaderSchedule:
    authors = tuple(map(AuthorityIndex, excluded))
    return LeaderSchedule(context, ScheduleRecord(CommitIndex(0), authors))


def _hashes(context: EpochContext, number: int, place: int) -> list[int]:
    """Return the first numbers that a draw takes from the hash, as section 2.7 writes them."""
    seed = context.seed + number.to_bytes(8, "big") + place.to_bytes(4, "big")
    return [
        int.from_bytes(tagged_hash(Domain.LEADER_DRAW, seed + c.to_bytes(4, "big"))[:8], "big")
        for c in range(4)
    ]


def _plain_leaders(context: EpochContext, excluded: Sequence[int], number: int) -> tuple[int, ...]:
    """Draw by the definition: lay the candidates' powers end to end and see where a draw falls."""
    powers = context.committee.powers
    leaders: list[int] = []
    for place in range(context.parameters.leaders_per_round):
        pool = [a for a in range(len(powers)) if a not in leaders and a not in excluded]
        total = sum(powers[author] for author in pool)
        even_share = 2**64 // total * total
        point = next(x for x in _hashes(context, number, place) if x < even_share) % total
        ends = {author: sum(powers[other] for other in pool if other <= author) for author in pool}
        leaders.append(next(author for author in pool if point < ends[author]))
    return tuple(leaders)


@over_leader_counts
def test_leaders_are_those_of_the_definition(powers: Powers, count: int) -> None:
    context = context_of(powers, parameters=Parameters(leaders_per_round=count))
    schedule = first_schedule(context)
    for number in range(1, 60):
        assert schedule.leaders(number) == _plain_leaders(context, (), number)


@over_leader_counts
def test_leaders_of_a_round_are_distinct(powers: Powers, count: int) -> None:
    schedule = first_schedule(context_of(powers, parameters=Parameters(leaders_per_round=count)))
    for number in range(1, 200):
        assert len(set(schedule.leaders(number))) == count


@settings(deadline=None, max_examples=60, database=None)
@given(st.sets(st.integers(0, 6), max_size=5), st.integers(1, 2**40))
def test_excluded_authors_do_not_lead(excluded: set[int], number: int) -> None:
    context = context_of((3, 1, 4, 1, 5, 2, 7), parameters=Parameters(leaders_per_round=2))
    leaders = _schedule(context, sorted(excluded)).leaders(number)
    assert not excluded & set(leaders)
    assert leaders == _plain_leaders(context, sorted(excluded), number)


@over_committees
def test_authors_lead_as_often_as_their_power_says(powers: Powers) -> None:
    schedule = first_schedule(context_of(powers, chain=3))
    rounds = 4_000
    led = Counter(schedule.leaders(number)[0] for number in range(1, rounds + 1))
    for author, power in enumerate(powers):
        share = power * rounds // sum(powers)
        # Five standard deviations of a binomial draw; its variance is below its mean.
        assert (led[AuthorityIndex(author)] - share) ** 2 <= 25 * (share + 1)


def test_another_chain_draws_other_leaders() -> None:
    powers = (1,) * 10
    one, other = (first_schedule(context_of(powers, chain=chain)) for chain in (1, 2))
    rounds = range(1, 50)
    assert [one.leaders(n) for n in rounds] != [other.leaders(n) for n in rounds]


def test_draw_beyond_the_last_full_share_is_drawn_again() -> None:
    # A total just above a half of 2**52 makes the rejected tail as long as it can be.
    powers = (2**51 + 1, 2**50 + 7, 2**50 + 3, 2**50 + 9)
    context = context_of(powers)
    limit = 2**64 // sum(powers) * sum(powers)
    number = next(n for n in count(1) if _hashes(context, n, 0)[0] >= limit)
    assert first_schedule(context).leaders(number) == _plain_leaders(context, (), number)


def test_question_about_many_rounds_keeps_memory_bounded_and_answers_alike() -> None:
    context = context_of((1,) * 7)
    schedule = first_schedule(context)
    early = schedule.leaders(1)
    for number in range(1, LEADERS_CACHED_MAX + 10):
        schedule.leaders(number)
    assert schedule.leaders(1) == early


@pytest.mark.parametrize("row", cases("leader_schedule", "draws"))
def test_draws_are_the_golden_ones(row: Row) -> None:
    parameters = Parameters(leaders_per_round=row["leaders_per_round"])
    context = context_of(row["powers"], parameters=parameters, chain=row["chain"])
    assert context.seed.hex() == row["seed"]
    schedule = _schedule(context, row["excluded"])
    found = [list(schedule.leaders(number)) for number in row["rounds"]]
    assert found == row["leaders"]
