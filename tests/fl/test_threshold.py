"""How much an update must gain, and what counts as harm: told by what the task achieves itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.rules.effects import Reason
from fl.rules.limits import ONE
from fl.rules.reputation import INITIAL
from fl.rules.scorecard import REPLAY
from fl.rules.select import level_of, threshold_of
from fl.rules.state import Identity
from primitives.ids import Height
from tests.fl.cast import BAD_REPORT, Offer, Opinion, Opinions, address
from tests.fl.play import Play

FREE = Offer(epsilon=0)
"""A task whose threshold is what its rounds make of it."""


def _all(play: Play, alone: int) -> Opinions:
    return dict.fromkeys(play.trainers, Opinion(alone=alone))


def _refused_by_the_guard(play: Play, opinions: Opinions) -> None:
    play.until_vote(opinions)
    while play.task.running is not None:
        play.vote()
        play.report(changes=BAD_REPORT)
        play.wait(1_000)
    assert play.outcome() == "null"


@pytest.mark.parametrize(
    ("scores", "level"),
    [
        ([], 0),
        ([-5, 0], 0),
        ([10], 10),
        ([10, 20, 30], 30),
        ([40, 10, 30, 20], 30),
        ([40, 10, 30, 20, 0, -100, -1], 30),
        ([10, 20, 30, 40, 50], 40),
    ],
)
def test_level_is_the_upper_quartile_of_what_helps(scores: list[int], level: int) -> None:
    assert level_of(scores) == level


@given(
    st.lists(st.integers(1, 2**31 - 1), min_size=3, max_size=75),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=25),
)
def test_level_stays_in_the_range_of_three_quarters_of_what_helps(
    most: list[int], others: list[int]
) -> None:
    assert level_of(most + others[: len(most) // 3]) <= max(most)


@pytest.mark.parametrize(
    ("level", "epsilon", "peak", "threshold"),
    [(0, 0, 0, 0), (103, 0, 0, 25), (103, 26, 0, 26), (103, 0, 1_663, 25), (103, 0, 1_664, 26)],
)
def test_threshold_is_a_part_of_the_level_and_of_the_peak(
    level: int, epsilon: int, peak: int, threshold: int
) -> None:
    assert threshold_of(level, epsilon=epsilon, peak=peak) == threshold


@pytest.mark.parametrize(("level", "reasons"), [(103, []), (104, [Reason.LOW_QUALITY])])
def test_what_chance_makes_positive_is_refused_beside_what_learns(
    level: int, reasons: list[Reason]
) -> None:
    play = Play(trainers=5, offer=FREE)
    play.whole_round({**_all(play, level), "trainer0": Opinion(alone=26)})
    assert play.reasons("trainer0") == reasons
    assert (play.standing("trainer0").reputation < INITIAL) is bool(reasons)
    assert play.standing("trainer1").reputation > INITIAL


def test_same_small_gain_is_accepted_where_nobody_gains_more() -> None:
    play = Play(trainers=5, offer=FREE)
    play.whole_round(_all(play, 1))
    assert play.outcome() == "committed"


def test_round_without_gain_accepts_nothing() -> None:
    play = Play(offer=FREE)
    play.whole_round(_all(play, 0))
    assert play.outcome() == "null"
    assert play.reasons("trainer0") == [Reason.LOW_QUALITY]


def test_copies_and_replays_say_nothing_about_the_level() -> None:
    play = Play(trainers=5, offer=FREE)
    twin = Opinion(alone=10_000, original=0)
    play.whole_round(
        {
            **_all(play, 100),
            "trainer0": twin,
            "trainer1": twin,
            "trainer2": Opinion(alone=10_000, verdict=REPLAY),
        }
    )
    assert play.task.peak == 100
    assert play.earned("trainer3") > 0


def test_judge_supports_only_what_it_scores_above_the_threshold() -> None:
    play = Play(validators=5, offer=FREE)
    play.until_scores()
    play.score(liars={"validator0": _all(play, 25), "validator1": _all(play, 81)})
    play.vote()
    play.report()
    play.settle()
    supporters = play.standing("trainer0").supporters
    steady = [supporters[Identity(address(name), Height(1))] for name in play.validators[:2]]
    assert steady == [0, ONE // 10]


def test_once_a_task_gains_less_than_a_64th_of_its_peak_it_is_over() -> None:
    play = Play(offer=FREE, rounds=4)
    play.whole_round(_all(play, 6_400))
    assert play.task.peak == 6_400
    play.whole_round(_all(play, 101))
    assert (play.outcome(), play.task.peak) == ("committed", 6_400)
    paid = play.paid("validator0")
    escrow = play.task.escrow
    play.whole_round(_all(play, 100))
    assert play.outcome() == "null"
    assert (play.paid("validator0"), play.task.escrow) == (paid, escrow)


def test_gain_that_the_guard_refused_moves_no_peak() -> None:
    play = Play(offer=FREE)
    _refused_by_the_guard(play, _all(play, 100_000))
    assert play.task.peak == 0
    play.whole_round(_all(play, 100))
    assert (play.outcome(), play.task.peak) == ("committed", 100)


@pytest.mark.parametrize(("alone", "slashes"), [(-1_020, 0), (-1_021, 1)])
def test_harm_is_only_what_costs_more_than_the_task_ever_gained(alone: int, slashes: int) -> None:
    play = Play(rounds=4)
    play.whole_round(_all(play, 1_000))
    for _ in range(3):
        play.whole_round({"trainer0": Opinion(alone=alone)})
    assert len(play.slashes("trainer0")) == slashes


def test_rounds_that_change_nothing_neither_count_as_harm_nor_make_it_forgotten() -> None:
    play = Play(rounds=20)
    harm = {"trainer0": Opinion(alone=-500)}
    for _ in range(2):
        play.whole_round(harm)
    for _ in range(3):
        _refused_by_the_guard(play, harm)
        play.whole_round(_all(play, -500))
    assert not any(play.slashes(name) for name in play.trainers)
    play.whole_round(harm)
    assert len(play.slashes("trainer0")) == 1
