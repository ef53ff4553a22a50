"""How long a message takes from one node to another when nothing is broken.

Every draw is integer arithmetic (see dice.py), so that a trace hash is the same on every machine.
"""

from collections.abc import Callable
from random import Random
from typing import Protocol

from devnet.simulator.kernel.choices import UnknownChoiceError
from devnet.simulator.kernel.dice import chance, heavy_tail, uniform
from primitives.errors import ConfigurationError

REGIONS = ("us-east", "us-west", "eu-west", "ap-northeast", "sa-east")

# Average round trips in ms between N. Virginia, N. California, Ireland, Tokyo and Sao Paulo, AWS,
# as tabulated by acomputerscientistlearnsaws.blogspot.com/2017/04/aws-regions.html. Today's are up
# to 10 % shorter; the pessimistic figure is kept. Within a region: two availability zones.
_ROUND_TRIP_MS = (
    (1, 72, 80, 145, 120),
    (72, 1, 153, 102, 193),
    (80, 153, 1, 212, 191),
    (145, 102, 212, 1, 257),
    (120, 193, 191, 257, 1),
)
_ONE_WAY_US = tuple(trip_ms * 500 for row in _ROUND_TRIP_MS for trip_ms in row)

LAN_US_MIN = 200
LAN_US_MAX = 1_000
JITTER_MEDIAN_PERMILLE = 20
FIXED_MS_MAX = 60_000
# The Sui simulation tests give 0.5-1 % of the messages 0.3-1.5 s.
SLOW_TAIL_PERMILLE = 7
SLOW_TAIL_US_MIN = 300_000
SLOW_TAIL_US_MAX = 1_500_000


class LatencyModel(Protocol):
    """Gives every message its time on the wire."""

    def sample_us(self, source: int, target: int, rng: Random) -> int:
        """Draw the one-way time of one message."""
        ...


class FixedLatency:
    """Every message takes the same time."""

    def __init__(self, one_way_us: int) -> None:
        self._one_way_us = one_way_us

    def sample_us(self, source: int, target: int, rng: Random) -> int:
        """Return the constant; takes no draw."""
        return self._one_way_us


class LanLatency:
    """One data centre: 0.2 to 1 ms, uniform."""

    def sample_us(self, source: int, target: int, rng: Random) -> int:
        """Draw one way across a data centre."""
        return uniform(rng, LAN_US_MIN, LAN_US_MAX)


class FiveRegionWan:
    """Five cloud regions on four continents; node i lives in region i modulo 5."""

    def sample_us(self, source: int, target: int, rng: Random) -> int:
        """Return half the round trip between the two regions; takes no draw."""
        return _ONE_WAY_US[source % 5 * 5 + target % 5]


class Jitter:
    """Adds a heavy-tailed share of another model's time: median 2 %, p99 about 20 %."""

    def __init__(self, inner: LatencyModel) -> None:
        self._sample_us = inner.sample_us

    def sample_us(self, source: int, target: int, rng: Random) -> int:
        """Draw the inner time and what congestion adds to it."""
        one_way_us = self._sample_us(source, target, rng)
        return one_way_us + heavy_tail(rng, one_way_us * JITTER_MEDIAN_PERMILLE // 1000)


class SlowTail:
    """Gives 0.7 % of the messages of another model 0.3 to 1.5 s more."""

    def __init__(self, inner: LatencyModel) -> None:
        self._sample_us = inner.sample_us

    def sample_us(self, source: int, target: int, rng: Random) -> int:
        """Draw the inner time and, rarely, a long wait."""
        one_way_us = self._sample_us(source, target, rng)
        if chance(rng, SLOW_TAIL_PERMILLE):
            return one_way_us + uniform(rng, SLOW_TAIL_US_MIN, SLOW_TAIL_US_MAX)
        return one_way_us


_WRAPPERS: dict[str, Callable[[LatencyModel], LatencyModel]] = {"jitter": Jitter, "tail": SlowTail}


def parse_latency(text: str) -> LatencyModel:
    """Read `fixed:MS`, `lan` or `wan5`, followed by any of `:jitter` and `:tail`.

    Raises:
        ConfigurationError: with one line that says what would be right.
    """
    name, *words = text.strip().split(":")
    model: LatencyModel
    match name:
        case "fixed":
            model = FixedLatency(_parse_fixed_us(words.pop(0) if words else ""))
        case "lan":
            model = LanLatency()
        case "wan5":
            model = FiveRegionWan()
        case _:
            raise UnknownChoiceError("latency", name, ("fixed:MS", "lan", "wan5"))
    for word in words:
        if word not in _WRAPPERS:
            raise UnknownChoiceError("latency suffix", word, tuple(_WRAPPERS))
        model = _WRAPPERS[word](model)
    return model


def _parse_fixed_us(text: str) -> int:
    """Read whole milliseconds and return microseconds."""
    if not (text.isascii() and text.isdigit() and int(text) <= FIXED_MS_MAX):
        raise ConfigurationError(
            f"bad latency 'fixed:{text}'; write whole milliseconds from 0 to {FIXED_MS_MAX}, "
            "as in fixed:50"
        )
    return int(text) * 1000
