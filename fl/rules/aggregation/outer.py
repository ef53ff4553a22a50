"""Turn the aggregate of a round into the step of the model, by an optimiser on integers.

Deltas point downhill already, so what other texts call the outer gradient is their negative.
Guards: every product fits int64 (bounds beside the constants), every division is a floor, and the
state has one encoding; so two machines take the same step.
Source: Reddi et al. 2021, arXiv:2003.00295 (FedAdam, without bias correction); Douillard et al.
2023, arXiv:2311.08105 (DiLoCo: Nesterov, rate 0.7, momentum 0.9).
"""

import enum
from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np
import numpy.typing as npt

from fl.rules.limits import ONE
from fl.rules.update.products import SHIFT
from fl.rules.update.rows import COORDINATE_MAX, Int32s
from primitives.errors import MalformedBytesError

Int64s = npt.NDArray[np.int64]

MOMENTUM_MAX: Final = 64_880
"""0.99. The momentum of int32 deltas stays under 2**38 then, and its product under 2**54."""

RATE_MAX: Final = 16 * ONE
"""Times a momentum of 2**38 that is under 2**58."""

_HALF: Final = ONE // 2
# A second moment is at most 2**46; its root is found bit by bit, from this bit on.
_ROOT_BIT: Final = 23


class OuterRule(enum.Enum):
    """How a step follows from the deltas of this round and of those before."""

    PLAIN = "plain"
    NESTEROV = "nesterov"
    FEDADAM = "fedadam"


@dataclass(frozen=True, slots=True, kw_only=True)
class OuterOptimizer:
    """A rule with its constants, all Q16.

    Attributes:
        rate: 0 to `RATE_MAX`; 0.7 is DiLoCo's.
        momentum: 0 to `MOMENTUM_MAX`; the share of the old first moment.
        memory: 0 to `ONE` less one; the share of the old second moment, of FEDADAM.
        floor: at least one; FEDADAM adds it to the root of the second moment.

    Raises:
        ValueError: a constant is out of its bounds.
    """

    rule: OuterRule = OuterRule.PLAIN
    rate: int = ONE
    momentum: int = 58_982
    memory: int = 64_881
    floor: int = 66

    def __post_init__(self) -> None:
        bounds = (
            ("rate", self.rate, 0, RATE_MAX),
            ("momentum", self.momentum, 0, MOMENTUM_MAX),
            ("memory", self.memory, 0, ONE - 1),
            ("floor", self.floor, 1, ONE),
        )
        for name, value, least, most in bounds:
            if not least <= value <= most:
                raise ValueError(f"{name} {value}, not {least} to {most}")

    def start(self, size: int) -> "OuterState":
        """Return the state before the first round."""
        has_first = self.rule is not OuterRule.PLAIN
        has_second = self.rule is OuterRule.FEDADAM
        return OuterState(
            first=np.zeros(size if has_first else 0, dtype=np.int64),
            second=np.zeros(size if has_second else 0, dtype=np.int64),
        )

    def step(self, state: "OuterState", delta: Int32s) -> "OuterStep":
        """Return the next state and what to add to the model; nothing is changed in place.

        Args:
            state: of this optimiser, for as many coordinates.
            delta: (coordinate,), int32, the aggregate of the round.
        """
        wide = delta.astype(np.int64)
        match self.rule:
            case OuterRule.PLAIN:
                return OuterStep(state, _applied(_round(self.rate * wide)))
            case OuterRule.NESTEROV:
                first = _round(self.momentum * state.first) + wide
                ahead = _round(self.momentum * first) + wide
                applied = _applied(_round(self.rate * ahead))
                return OuterStep(OuterState(first=first, second=state.second), applied)
            case OuterRule.FEDADAM:
                return self._adapt(state, wide)
            case _:
                assert_never(self.rule)

    def _adapt(self, state: "OuterState", wide: Int64s) -> "OuterStep":
        first = _round(self.momentum * state.first + (ONE - self.momentum) * wide)
        # Squares of 24 bits have 46; one more factor of 2**16 still fits.
        square = np.square(wide >> SHIFT)
        second = _round(self.memory * state.second + (ONE - self.memory) * square)
        applied = self.rate * first // (_root(second) + self.floor)
        return OuterStep(OuterState(first=first, second=second), _applied(applied))


@dataclass(frozen=True, slots=True)
class OuterState:
    """Moments of the coordinates, int64; empty where the rule has none.

    Attributes:
        first: mean or sum of deltas, at scale 2**24.
        second: mean of squared deltas, at scale 2**32.
    """

    first: Int64s
    second: Int64s

    def part(self, places: Int64s) -> "OuterState":
        """Return the moments of some coordinates, for a round that trains only these."""
        return OuterState(
            first=self.first[places] if len(self.first) else self.first,
            second=self.second[places] if len(self.second) else self.second,
        )

    def put(self, places: Int64s, part: "OuterState") -> None:
        """Write the moments of some coordinates, in place."""
        if len(self.first):
            self.first[places] = part.first
        if len(self.second):
            self.second[places] = part.second

    def encode(self) -> bytes:
        """Return the state as bytes: the moments one after the other, little-endian int64."""
        return self.first.astype("<i8").tobytes() + self.second.astype("<i8").tobytes()


@dataclass(frozen=True, slots=True)
class OuterStep:
    """The state after a round, and the int32 vector to add to the model."""

    state: OuterState
    applied: Int32s


def read_state(raw: bytes, *, optimizer: OuterOptimizer, size: int) -> OuterState:
    """Return the state with this encoding.

    Raises:
        MalformedBytesError: it is not as long as a state of this optimiser and size.
    """
    empty = optimizer.start(size)
    expected = empty.first.nbytes + empty.second.nbytes
    if len(raw) != expected:
        raise MalformedBytesError(f"a state of {len(raw)} bytes, not {expected}")
    moments = np.frombuffer(raw, dtype="<i8").astype(np.int64)
    return OuterState(first=moments[: len(empty.first)], second=moments[len(empty.first) :])


def apply(model: Int32s, step: Int32s) -> Int32s:
    """Return the model after a step, each coordinate held within what int32 can negate."""
    return _applied(model.astype(np.int64) + step)


def _round(product: Int64s) -> Int64s:
    product += _HALF
    product >>= 16
    return product


def _applied(wide: Int64s) -> Int32s:
    return np.clip(wide, -COORDINATE_MAX, COORDINATE_MAX).astype(np.int32)


def _root(squares: Int64s) -> Int64s:
    """Return the integer roots of numbers under 2**48, one bit at a time, the highest first."""
    root = np.zeros_like(squares)
    for place in range(_ROOT_BIT, -1, -1):
        wider = root + (1 << place)
        np.copyto(root, wider, where=np.square(wider) <= squares)
    return root
