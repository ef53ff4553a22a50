"""All Twins scenarios of one size, and an order in which to walk them without repetition.

A scenario fixes, for each of the first rounds, who leads it and which instances hear each
other's blocks of it. The leaders follow from the epoch seed and nothing else, so they are
enumerated as chains, as many as there are leader sequences; being drawn, about 63 % of the
sequences occur in the whole space. A partition puts every instance at one of three places in a
line: blocks reach the own place in time, the next one late, and the far one not at all. With two
groups alone, skipping on f + 1 blames was not found in 500 scenarios; like this, in 57.
"""

import hashlib
import itertools
from collections.abc import Iterator

import msgspec

PLACES = 3
FAR = PLACES - 1
FEISTEL_ROUNDS = 4

Partition = tuple[int, ...]
"""The place of every instance, 0 to `FAR`."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario.

    Args:
        index: its place in the walk; with size and seed it names the scenario.
        chain: number of the chain, which settles the leaders.
        partitions: one for each of the first rounds, from round 1 on.
    """

    index: int
    chain: int
    partitions: tuple[Partition, ...]

    def distance(self, number: int, first: int, second: int) -> int:
        """Return how far two instances are from each other for the blocks of a round."""
        if number > len(self.partitions):
            return 0
        partition = self.partitions[number - 1]
        return abs(partition[first] - partition[second])


class Space:
    """The product of chains and of the partitions of every round.

    Args:
        seed: settles the order of the walk; the scenarios of the space are the same.
    """

    def __init__(self, *, nodes: int, rounds: int, seed: int) -> None:
        faulty = (nodes - 1) // 3
        self._rounds = rounds
        self._chains = nodes**rounds
        self._partitions = tuple(partitions(nodes + faulty))
        self.size = self._chains * len(self._partitions) ** rounds
        self._order = Permutation(self.size, seed=seed)

    def at(self, index: int) -> Scenario:
        """Return the scenario at a place of the walk."""
        rest = self._order.at(index)
        chosen = []
        for _ in range(self._rounds):
            rest, place = divmod(rest, len(self._partitions))
            chosen.append(self._partitions[place])
        return Scenario(index=index, chain=rest, partitions=tuple(chosen))


class Permutation:
    """A seeded bijection of the numbers below a size: a Feistel network, walked in cycles.

    Numbers that the network maps beyond the size are mapped again. It is a bijection of the next
    power of four, so that ends, after less than four turns on average.
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


def partitions(count: int) -> Iterator[Partition]:
    """Yield the ways to place `count` instances, each pattern of distances once."""
    for places in itertools.product(range(PLACES), repeat=count):
        highest = max(places)
        if min(places) == 0 and places <= tuple(highest - place for place in places):
            yield places
