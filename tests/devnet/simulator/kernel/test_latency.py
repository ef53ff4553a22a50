"""Latency models and how an operator names them."""

from random import Random

import pytest

from devnet.simulator.kernel.latency import (
    LAN_US_MAX,
    LAN_US_MIN,
    REGIONS,
    SLOW_TAIL_US_MAX,
    SLOW_TAIL_US_MIN,
    parse_latency,
)
from primitives.errors import ConfigurationError

DRAWS = 10_000


def _draws_us(text: str, source: int = 0, target: int = 1) -> list[int]:
    rng = Random(1)
    model = parse_latency(text)
    return sorted(model.sample_us(source, target, rng) for _ in range(DRAWS))


def test_fixed_is_fixed() -> None:
    assert set(_draws_us("fixed:50")) == {50_000}
    assert set(_draws_us("fixed:0")) == {0}


def test_lan_stays_below_a_millisecond() -> None:
    draws_us = _draws_us("lan")
    assert LAN_US_MIN <= draws_us[0] < 210
    assert 990 < draws_us[-1] <= LAN_US_MAX


@pytest.mark.parametrize(
    ("source", "target", "one_way_us"),
    [
        (0, 1, 36_000),
        (0, 3, 72_500),
        (2, 3, 106_000),
        (3, 4, 128_500),
        (0, 5, 500),
        (7, 8, 106_000),
    ],
)
def test_wan5_is_half_the_round_trip(source: int, target: int, one_way_us: int) -> None:
    assert set(_draws_us("wan5", source, target)) == {one_way_us}
    assert set(_draws_us("wan5", target, source)) == {one_way_us}


def test_five_regions_have_names() -> None:
    assert len(REGIONS) == 5


def test_jitter_only_adds_and_has_a_heavy_tail() -> None:
    draws_us = _draws_us("wan5:jitter", 0, 3)
    assert draws_us[0] >= 72_500
    assert 73_500 < draws_us[DRAWS // 2] < 74_500
    assert 82_000 < draws_us[DRAWS * 99 // 100] < 92_000


def test_tail_gives_some_messages_long_waits() -> None:
    slow_us = [draw_us for draw_us in _draws_us("fixed:10:tail") if draw_us != 10_000]
    assert 50 <= len(slow_us) <= 100
    assert slow_us[0] >= 10_000 + SLOW_TAIL_US_MIN
    assert slow_us[-1] <= 10_000 + SLOW_TAIL_US_MAX


def test_suffixes_combine() -> None:
    assert len(set(_draws_us("lan:jitter:tail"))) > 500


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wan", "unknown latency 'wan'; did you mean 'wan5'?"),
        ("", "unknown latency ''; choose from fixed:MS, lan, wan5"),
        ("fixed", "bad latency 'fixed:'; write whole milliseconds"),
        ("fixed:-1", "bad latency 'fixed:-1'; write whole milliseconds"),
        ("fixed:1.5", "as in fixed:50"),
        ("fixed:60001", "from 0 to 60000"),
        ("lan:jiter", "unknown latency suffix 'jiter'; did you mean 'jitter'?"),
        ("wan5:", "unknown latency suffix ''; choose from jitter, tail"),
    ],
)
def test_bad_latency_is_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_latency(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
