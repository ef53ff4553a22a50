"""All Twins scenarios of one size, and an order in which to walk them without repetition.

A scenario fixes, for each of the first rounds, who leads it and which instances hear each
other's blocks of it in time. The leaders of a round follow from the epoch seed and nothing
else, so they are enumerated as chains: every leader sequence belongs to some chain id, and as
many chains are counted as there are sequences (about 63 % of these are then met). Partitions are
listed up to the naming of their groups.
"""

import enum
import hashlib
from collections.abc import Iterator

import msgspec

GROUPS_MAX = 2
FEISTEL_ROUNDS = 4

Partition = tuple[int, ...]
"""The group of every instance; groups are numbered in the order of their first member."""


class Crossing(enum.Enum):
    """What becomes of a block that its partition keeps from an instance."""

    LATE = "late"
    LOST = "lost"


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario.

    Args:
        index: its place in the walk; with size and seed it names the scenario.
        chain: number of the chain, which settles the leaders.
        partitions: one for each of the first rounds, from round 1 on.
    """

    index: int
    chain: int
    crossing: Crossing
    partitions: tuple[Partition, ...]

    def parts(self, number: int, first: int, second: int) -> bool:
        """Tell whether blocks of a round do not pass between two instances in time."""
        if number > len(self.partitions):
            return False
        partition = self.partitions[number - 1]
        return partition[first] != partition[second]


class Space:
    """The product of chains, partitions of every round, and fates of what crosses them.

    Args:
        seed: settles the order of the walk; the scenarios of the space are the same.
    """

    def __init__(self, *, nodes: int, rounds: int, seed: int) -> None:
        faulty = (nodes - 1) // 3
        self._rounds = rounds
        self._chains = nodes**rounds
        self._crossings = tuple(Crossing)
        self._partitions = tuple(partitions(nodes + faulty, groups_max=GROUPS_MAX))
        self.size = self._chains * len(self._partitions) ** rounds * len(self._crossings)
        self._order = Permutation(self.size, seed=seed)

    def at(self, index: int) -> Scenario:
        """Return the scenario at a place of the walk."""
        rest, crossing = divmod(self._order.at(index), len(self._crossings))
        chosen = []
        for _ in range(self._rounds):
            rest, place = divmod(rest, len(self._partitions))
            chosen.append(self._partitions[place])
        return Scenario(
            index=index,
            chain=rest,
            crossing=self._crossings[crossing],
            partitions=tuple(chosen),
        )


class Permutation:
    """A seeded bijection of the numbers below a size: a Feistel network, walked in cycles.

    Numbers that the network maps beyond the size are mapped again; since it is a bijection of the
    next power of four, that ends, after less than four turns on average.
    """

    def __init__(self, size: int, *, seed: int) -> None:
        self._size = size
        self._half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
        self._key = seed.to_bytes(16, "big")

    def at(self, place: int) -> int:
        """Return the number at a place, 0 to size - 1."""
        assert 0 <= place < self._size, "place out of range"
        number = self._turn(place)
        while number >= self._size:
            number = self._turn(number)
        return number

    def _turn(self, number: int) -> int:
        mask = (1 << self._half_bits) - 1
        left, right = number >> self._half_bits, number & mask
        for step in range(FEISTEL_ROUNDS):
            message = step.to_bytes(1, "big") + right.to_bytes(64, "big")
            digest = hashlib.blake2b(message, key=self._key).digest()
            left, right = right, left ^ int.from_bytes(digest, "big") & mask
        return left << self._half_bits | right


def partitions(count: int, *, groups_max: int) -> Iterator[Partition]:
    """Yield the partitions of `count` instances into 1 to `groups_max` groups, each once."""

    def extend(prefix: Partition, groups: int) -> Iterator[Partition]:
        if len(prefix) == count:
            yield prefix
            return
        for group in range(min(groups + 1, groups_max)):
            yield from extend((*prefix, group), max(groups, group + 1))

    yield from extend((), 0)
