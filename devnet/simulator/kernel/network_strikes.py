"""What a nemesis does to the network for a while: partitions, clogs and slow links."""

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

from devnet.simulator.kernel.dice import subset, uniform
from devnet.simulator.kernel.faults import FaultKind
from devnet.simulator.kernel.network import Link, Network

# Undoes a fault after so many us, or at the healing if that is earlier.
Hold = Callable[[int, Callable[[], None]], None]
# Begins one episode of at most so many us; returns whether it found something to strike.
Strike = Callable[[Random, int], bool]


class NetworkStrikes:
    """Strikes on links; overlapping ones add up and end each in its own time."""

    def __init__(
        self, network: Network[Any], nodes: Sequence[int], *, slow_link_us: int, hold: Hold
    ) -> None:
        self._network = network
        self._nodes = nodes
        self._slow_link_us = slow_link_us
        self._hold = hold

    def by_kind(self) -> dict[FaultKind, Strike]:
        """Return the strike of each kind."""
        return {
            FaultKind.PARTITION_SYMMETRIC: self._partition,
            FaultKind.PARTITION_ASYMMETRIC: self._partition_one_way,
            FaultKind.CLOG: self._clog,
            FaultKind.SLOW_LINKS: self._slow,
        }

    def _partition(self, rng: Random, length_us: int) -> bool:
        """Split the nodes in two groups that do not hear each other."""
        links = self._links_out_of_a_group(rng)
        return self._block(links + [(target, source) for source, target in links], length_us)

    def _partition_one_way(self, rng: Random, length_us: int) -> bool:
        """Let one group hear the other but not be heard."""
        return self._block(self._links_out_of_a_group(rng), length_us)

    def _block(self, links: list[Link], length_us: int) -> bool:
        """Cut links for a while."""
        self._network.block(links)
        self._hold(length_us, lambda: self._network.unblock(links))
        return bool(links)

    def _clog(self, rng: Random, length_us: int) -> bool:
        """Clog some nodes at once and unclog them one by one, in random order (swizzle)."""
        nodes = subset(rng, self._nodes, size=uniform(rng, 1, len(self._nodes)))
        for node in nodes:
            self._network.clog(node)
            self._hold(uniform(rng, 1, length_us), partial(self._network.unclog, node))
        return True

    def _slow(self, rng: Random, length_us: int) -> bool:
        """Slow the links from one group of nodes to the others."""
        links = self._links_out_of_a_group(rng)
        self._network.slow(links, self._slow_link_us)
        self._hold(length_us, lambda: self._network.slow(links, -self._slow_link_us))
        return bool(links)

    def _links_out_of_a_group(self, rng: Random) -> list[Link]:
        """Return the links from a random group, neither empty nor everyone, to the others."""
        if len(self._nodes) < 2:
            return []
        group = subset(rng, self._nodes, size=uniform(rng, 1, len(self._nodes) - 1))
        others = [node for node in self._nodes if node not in group]
        return [(source, target) for source in group for target in others]
