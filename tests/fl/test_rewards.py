"""How a reward is split, by hand and as properties."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.rules.limits import ONE, UPDATES_MAX
from fl.rules.rewards import (
    Conduct,
    Merit,
    Pots,
    Reward,
    part,
    smooth,
    split,
    trainer_reward,
    validator_share,
)
from fl.rules.select import apportion
from primitives.ids import Grain

CONDUCT = Conduct(power=100, trust=ONE, duties_kept=4, dividend=0)


def test_reward_is_split_48_48_4() -> None:
    assert split(1_000) == Pots(Grain(480), Grain(480), Grain(40))
    assert split(1) == Pots(Grain(0), Grain(0), Grain(0))


@given(st.integers(0, 2**63 - 1))
def test_pots_never_exceed_the_reward(reward: int) -> None:
    pots = split(reward)
    assert 0 <= reward - pots.trainers - pots.validators - pots.storage < 3


def test_trainer_reward_by_hand() -> None:
    # Of 1,000,000: 700,000 by weight, a tenth of it 70,000 less rounding (6,553 / 65,536 = 9.999 %)
    # and 300,000 by gain, a twentieth of it 15,000.
    reward = trainer_reward(1_000_000, Merit(6_553, 5, 1), gain_total=100, percent_max=15)
    assert reward == Reward(earned=Grain(69_993 + 15_000), burned=Grain(0))


def test_without_any_gain_weight_decides_alone() -> None:
    reward = trainer_reward(1_000_000, Merit(ONE // 8, 0, 1), gain_total=0, percent_max=15)
    assert reward == Reward(earned=Grain(125_000), burned=Grain(0))


@pytest.mark.parametrize(("percent", "capped"), [(15, 150_000), (24, 240_000), (25, 250_000)])
def test_a_cluster_shares_the_cap_of_one_identity(percent: int, capped: int) -> None:
    alone = trainer_reward(1_000_000, Merit(ONE // 4, 0, 1), gain_total=0, percent_max=percent)
    assert alone == Reward(earned=Grain(capped), burned=Grain(250_000 - capped))
    shared = trainer_reward(1_000_000, Merit(ONE // 8, 0, 2), gain_total=0, percent_max=percent)
    least = min(125_000, capped // 2)
    assert shared == Reward(earned=Grain(least), burned=Grain(125_000 - least))


@given(
    st.integers(0, 2**63 - 1),
    st.lists(
        st.tuples(st.integers(0, 2**40), st.integers(0, 2**47)), min_size=1, max_size=UPDATES_MAX
    ),
    st.integers(15, 100),
)
def test_trainers_never_get_more_than_their_pot(
    pot: int, shares: list[tuple[int, int]], percent: int
) -> None:
    weights = apportion(ONE, [weight + 1 for weight, _ in shares])
    gains = [gain for _, gain in shares]
    rewards = [
        trainer_reward(pot, Merit(weight, gain, 1), gain_total=sum(gains), percent_max=percent)
        for weight, gain in zip(weights, gains, strict=True)
    ]
    assert sum(one.earned + one.burned for one in rewards) <= pot
    assert all(one.earned * 100 <= pot * percent for one in rewards)


def test_validator_share_by_hand() -> None:
    full = validator_share(CONDUCT)
    assert full == 100 * ONE * 4 * ONE
    assert validator_share(replace(CONDUCT, trust=ONE // 2)) * 2 == full
    assert validator_share(replace(CONDUCT, duties_kept=3)) * 4 == full * 3
    assert validator_share(replace(CONDUCT, power=50)) * 2 == full
    assert validator_share(replace(CONDUCT, dividend=ONE)) == 2 * full
    assert validator_share(replace(CONDUCT, trust=0)) == 0


def test_parts_by_hand() -> None:
    assert [part(100, share=share, share_total=3) for share in (1, 2)] == [33, 66]
    assert part(100, share=0, share_total=0) == 0


@pytest.mark.parametrize(
    ("average", "sample", "expected"), [(0, ONE, 6_553), (ONE, 0, 58_982), (1, 0, 0), (5, 5, 5)]
)
def test_averages_move_a_tenth(average: int, sample: int, expected: int) -> None:
    assert smooth(average, sample) == expected


@given(st.integers(-(2**50), 2**50), st.integers(-(2**50), 2**50))
def test_averages_stay_between_their_samples(average: int, sample: int) -> None:
    assert min(average, sample) <= smooth(average, sample) <= max(average, sample)
