"""Medians, bands, copies and weights, by hand and as properties."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.rules.limits import ONE, UPDATES_MAX
from fl.rules.select import (
    Candidate,
    Consensus,
    Found,
    Origin,
    agree,
    apportion,
    copies,
    credit,
    fill,
    is_support,
    next_clip,
    quorum_choice,
    slot_cap,
    tilt,
    weigh,
    worst_first,
)

SCORES = st.integers(-(2**31), 2**31 - 1)
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        score=st.integers(1, 2**31 - 1),
        effect=st.integers(ONE // 4, ONE),
        cluster=st.integers(0, 99),
    ),
    min_size=1,
    max_size=UPDATES_MAX,
)


def test_consensus_by_hand() -> None:
    # Powers 3, 2, 2, 2, 1 of ten. Sorted scores -50 (2), 90 (2), 100 (3), 110 (2), 900 (1): five
    # tenths are reached at 100. Deviations 0 (3), 10 (2) reach half at 10, so the band is 30.
    found = agree([100, 90, -50, 110, 900], [3, 2, 2, 2, 1], band_min=20)
    assert found == Consensus(score=100, band=30)
    assert [credit(score, found) for score in (100, 90, -50, 110, 900)] == [30, 20, 0, 20, 0]


def test_band_is_never_less_than_its_minimum() -> None:
    assert agree([5, 5, 5], [1, 1, 1], band_min=20) == Consensus(score=5, band=20)


@pytest.mark.parametrize(
    ("score", "consensus", "expected"),
    [
        (11, Consensus(100, 20), True),
        (10, Consensus(100, 20), False),
        (-50, Consensus(100, 20), False),
        (900, Consensus(-20, 31), True),
        (900, Consensus(-20, 30), False),
    ],
)
def test_support_is_a_score_above_the_threshold_within_reason(
    score: int, consensus: Consensus, *, expected: bool
) -> None:
    assert is_support(score, consensus, threshold=10) is expected


@given(st.lists(SCORES, min_size=3, max_size=20), st.lists(SCORES, max_size=19))
def test_minority_of_liars_cannot_leave_the_honest_range(
    honest: list[int], lies: list[int]
) -> None:
    lies = lies[: len(honest) - 1]
    everyone = honest + lies
    found = agree(everyone, [1] * len(everyone), band_min=1)
    assert min(honest) <= found.score <= max(honest)


@pytest.mark.parametrize(
    ("choices", "powers", "expected"),
    [
        ([b"a", b"b", b"a"], [3, 3, 4], b"a"),
        ([b"a", b"b", b"a"], [3, 4, 3], None),
        ([b"a"], [7], b"a"),
        ([b"a"], [6], None),
        ([], [], None),
    ],
)
def test_choice_needs_a_quorum(
    choices: list[bytes], powers: list[int], expected: bytes | None
) -> None:
    assert quorum_choice(choices, powers, quorum=7) == expected


def test_later_copy_loses_and_equal_heights_are_twins() -> None:
    found = [Found(0, 5), Found(0, 6), Found(2, 5), Found(2, 5), Found(2, 6), Found(5, 6)]
    assert copies(found) == [
        Origin.OWN,
        Origin.LATER,
        Origin.TWIN,
        Origin.TWIN,
        Origin.LATER,
        Origin.OWN,
    ]


def test_worst_comes_first_and_of_equals_the_later() -> None:
    assert worst_first([(0, 5), (3, -2), (7, 5), (99, -2)]) == [99, 3, 7, 0]


@pytest.mark.parametrize(
    ("score", "expected"),
    [(0, ONE), (50, ONE + ONE // 2), (100, 2 * ONE), (10_000, 2 * ONE)],
)
def test_tilt_is_between_one_and_two(score: int, expected: int) -> None:
    assert tilt(score, median_score=100) == expected


@pytest.mark.parametrize(
    ("slots", "expected"),
    # Even shares up to six slots; then 15 %; from fourteen slots on twice the even share.
    [(1, 65_536), (2, 32_768), (3, 21_846), (6, 10_923), (7, 9_830), (13, 9_830), (14, 9_362)],
)
def test_slot_cap_by_hand(slots: int, expected: int) -> None:
    assert slot_cap(slots) == expected


def test_weights_by_hand() -> None:
    # Eight slots, scores 10 to 80: the lower median is 40, so the tilts are 1.25, 1.5, 1.75 and
    # then 2 five times: 14.5 in all. 2 / 14.5 = 13.8 % is below the cap of 15 %, nobody is capped.
    # Shares are 5,649.66, 6,779.59, 7,909.52 and 9,039.45 each: the four left go to the greatest
    # remainders, the last of them to the first of the equal five.
    candidates = [Candidate(score=10 * (i + 1), effect=ONE, cluster=i) for i in range(8)]
    assert weigh(candidates) == [5650, 6780, 7910, 9040, 9039, 9039, 9039, 9039]


def test_cap_by_hand() -> None:
    # Reputation 1 against eight newcomers at a quarter: 1 / 3 = 33 % is cut to 15 %, and the other
    # 55,706 are split among eight: 6,963.25, so two of them get one more.
    candidates = [Candidate(score=100, effect=ONE, cluster=0)]
    candidates += [Candidate(score=100, effect=ONE // 4, cluster=i) for i in range(1, 9)]
    assert weigh(candidates) == [9_830, 6_964, 6_964, 6_963, 6_963, 6_963, 6_963, 6_963, 6_963]


def test_cluster_by_hand() -> None:
    # Three slots are even: 21,845.3 each, and the odd grain goes to the first. The cluster's slot
    # of 21,845 is split 2 : 1 by reputation: 14,563.3 and 7,281.7, so the odd one to the second.
    candidates = [
        Candidate(score=100, effect=ONE, cluster=0),
        Candidate(score=100, effect=ONE, cluster=1),
        Candidate(score=100, effect=ONE // 2, cluster=1),
        Candidate(score=100, effect=ONE, cluster=2),
    ]
    assert weigh(candidates) == [21_846, 14_563, 7_282, 21_845]


@given(CANDIDATES)
def test_weights_sum_to_one_and_no_slot_is_above_its_cap(candidates: list[Candidate]) -> None:
    weights = weigh(candidates)
    assert sum(weights) == ONE
    slots: dict[int, int] = {}
    for candidate, weight in zip(candidates, weights, strict=True):
        assert weight >= 0
        slots[candidate.cluster] = slots.get(candidate.cluster, 0) + weight
    assert max(slots.values()) <= slot_cap(len(slots))


@given(CANDIDATES, st.integers(1, 20))
def test_more_sybils_of_one_cluster_get_no_more(candidates: list[Candidate], sybils: int) -> None:
    honest = [one for one in candidates if one.cluster != 0]
    one = Candidate(score=candidates[0].score, effect=ONE // 4, cluster=0)
    few = weigh([*honest, one])[len(honest) :]
    many = weigh([*honest, *[one] * sybils])[len(honest) :]
    # The median may move with the crowd, but a slot never exceeds twice its even share.
    assert sum(many) <= slot_cap(len({other.cluster for other in honest}) + 1)
    assert sum(many) <= 2 * sum(few) + 2


@given(st.integers(0, 2**70), st.lists(st.integers(0, 2**40), min_size=1, max_size=UPDATES_MAX))
def test_apportioned_parts_sum_to_the_total_and_stay_within_one_of_their_share(
    total: int, shares: list[int]
) -> None:
    shares[0] += 1
    parts = apportion(total, shares)
    assert sum(parts) == total
    for part, share in zip(parts, shares, strict=True):
        assert 0 <= part * sum(shares) - total * share + sum(shares) <= 2 * sum(shares)


@given(st.lists(st.integers(1, 2**34), min_size=1, max_size=UPDATES_MAX))
def test_filling_keeps_the_order_of_shares(shares: list[int]) -> None:
    parts = fill(shares, cap=slot_cap(len(shares)))
    assert sum(parts) == ONE
    ranked = sorted(zip(shares, parts, strict=True))
    for (lesser, small), (greater, large) in itertools.pairwise(ranked):
        assert small <= large + 1 or lesser == greater


@pytest.mark.parametrize(
    ("clip", "norms", "expected"),
    [
        (3_000, [2_500], 2_500),
        (3_000, [0, 0, 9_000], 2_250),
        (3_000, [9_000], 4_000),
        (400, [0], 350),
        (3_000, [2_800, 2_900, 3_100, 3_200], 2_900),
    ],
)
def test_clip_follows_the_median_accepted_norm_slowly(
    clip: int, norms: list[int], expected: int
) -> None:
    assert next_clip(clip, norms, clip_min=350) == expected
