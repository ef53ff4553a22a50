"""Say what randomness the machines need; the real dice live in a shell, seeded ones in tests."""

from collections.abc import MutableSequence, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Dice(Protocol):
    """A source of random choices; `random.Random` is one, `secrets.SystemRandom` another."""

    def random(self) -> float:
        """Return a number in [0, 1)."""
        ...

    def shuffle(self, x: MutableSequence[T], /) -> None:
        """Put a sequence into random order, in place."""
        ...

    def sample(self, population: Sequence[T], k: int) -> list[T]:
        """Return k different members; k is at most the number of members."""
        ...

    def randbytes(self, n: int) -> bytes:
        """Return n random bytes."""
        ...
