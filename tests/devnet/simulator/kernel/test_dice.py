"""Integer draws: ranges, shapes and the values that every machine must agree on."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from devnet.simulator.kernel.dice import chance, heavy_tail, pick, subset, uniform

DRAWS = 10_000


@given(st.integers(0, 2**32), st.integers(-(10**6), 10**6), st.integers(0, 10**12))
def test_uniform_stays_in_its_range(seed: int, low: int, width: int) -> None:
    assert low <= uniform(Random(seed), low, low + width) <= low + width


def test_uniform_reaches_both_ends() -> None:
    rng = Random(1)
    assert {uniform(rng, 3, 5) for _ in range(100)} == {3, 4, 5}


def test_chance_is_never_at_0_and_always_at_1000() -> None:
    rng = Random(1)
    assert not any(chance(rng, 0) for _ in range(100))
    assert all(chance(rng, 1000) for _ in range(100))


def test_chance_comes_per_mille() -> None:
    rng = Random(1)
    assert 250 <= sum(chance(rng, 30) for _ in range(DRAWS)) <= 350


def test_heavy_tail_has_the_promised_shape() -> None:
    rng = Random(1)
    draws = sorted(heavy_tail(rng, 1000) for _ in range(DRAWS))
    assert 900 <= draws[DRAWS // 2] <= 1100
    assert 7_000 <= draws[DRAWS * 99 // 100] <= 13_000
    assert 1_550 <= sum(draws) // DRAWS <= 1_750
    assert draws[-1] <= 64_000


def test_heavy_tail_is_the_same_everywhere() -> None:
    rng = Random(1)
    draws = [heavy_tail(rng, 1_000_000) for _ in range(5)]
    assert draws == [778_320, 2_116_210, 367_187, 606_445, 3_489_257]


def test_subset_draws_different_items() -> None:
    rng = Random(1)
    assert sorted(subset(rng, "abcd", size=4)) == ["a", "b", "c", "d"]
    assert subset(rng, "abcd", size=0) == []
    assert {pick(rng, "abc") for _ in range(100)} == {"a", "b", "c"}
