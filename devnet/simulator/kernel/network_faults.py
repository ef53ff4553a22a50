"""What a bad link does to single messages: loss, duplication, reordering, spikes, flipped bits.

Invariant: each kind of fault draws from its own dice and only while it is on, so that switching one
on does not shift those of another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar, cast

from devnet.simulator.kernel.dice import PERMILLE, uniform
from devnet.simulator.kernel.scheduler import Scheduler

MessageT = TypeVar("MessageT")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFaults:
    """How often messages suffer, per mille; the default is a perfect link."""

    loss_permille: int = 0
    duplicate_permille: int = 0
    reorder_permille: int = 0
    reorder_us_max: int = 0
    spike_permille: int = 0
    spike_us_min: int = 0
    spike_us_max: int = 0
    corrupt_permille: int = 0


@dataclass(slots=True)
class NetworkCounters:
    """How many messages met which fate since the start."""

    sent: int = 0
    delivered: int = 0
    lost: int = 0
    blocked: int = 0
    undeliverable: int = 0
    overflowed: int = 0
    duplicated: int = 0
    reordered: int = 0
    spiked: int = 0
    corrupted: int = 0
    unreadable: int = 0
    clogged: int = 0
    slowed: int = 0
    rescheduled: int = 0

    @property
    def dropped(self) -> int:
        """Return how many messages, copies included, never reached anyone."""
        return self.lost + self.blocked + self.undeliverable + self.overflowed + self.unreadable


class LinkDisturber(Generic[MessageT]):
    """Applies link faults to one message at a time."""

    def __init__(
        self,
        scheduler: Scheduler,
        counters: NetworkCounters,
        corrupt: Callable[[MessageT, Random], MessageT | None] | None,
    ) -> None:
        self.faults = LinkFaults()
        self._counters = counters
        self._corrupt = corrupt
        self._loss = scheduler.rng("network.loss")
        self._duplicate = scheduler.rng("network.duplicate")
        self._reorder = scheduler.rng("network.reorder")
        self._spike = scheduler.rng("network.spike")
        self._flip = scheduler.rng("network.corrupt")

    def disturb(self, message: MessageT, delay_us: int) -> list[tuple[MessageT, int]]:
        """Return what is left of a message: no, one or two copies, each with its delay."""
        faults, counters = self.faults, self._counters
        # The comparisons are written out: calls to dice.chance cost 2 us per message.
        if faults.loss_permille and self._loss.random() * PERMILLE < faults.loss_permille:
            counters.lost += 1
            return []
        if faults.reorder_permille and self._reorder.random() * PERMILLE < faults.reorder_permille:
            counters.reordered += 1
            delay_us += uniform(self._reorder, 1, faults.reorder_us_max)
        if faults.spike_permille and self._spike.random() * PERMILLE < faults.spike_permille:
            counters.spiked += 1
            delay_us += uniform(self._spike, faults.spike_us_min, faults.spike_us_max)
        copies = [(message, delay_us)]
        if (
            faults.duplicate_permille
            and self._duplicate.random() * PERMILLE < faults.duplicate_permille
        ):
            counters.duplicated += 1
            copies.append((message, delay_us + uniform(self._duplicate, 0, 2 * delay_us)))
        if faults.corrupt_permille and self._flip.random() * PERMILLE < faults.corrupt_permille:
            counters.corrupted += 1
            # Only the first copy: the twin shows whether the receiver recovers from the damage.
            damaged = self._damage(message)
            copies[:1] = [] if damaged is None else [(damaged, delay_us)]
        return copies

    def _damage(self, message: MessageT) -> MessageT | None:
        """Return a damaged message, or None when nothing readable is left."""
        damaged = None
        if self._corrupt is not None:
            damaged = self._corrupt(message, self._flip)
        elif isinstance(message, bytes) and message:
            damaged = cast(MessageT, flip_bit(message, self._flip))
        if damaged is None:
            self._counters.unreadable += 1
        return damaged


def flip_bit(payload: bytes, rng: Random) -> bytes:
    """Return a payload with one random bit flipped; an empty one has none to flip."""
    if not payload:
        return payload
    position = uniform(rng, 0, len(payload) * 8 - 1)
    damaged = bytearray(payload)
    damaged[position // 8] ^= 1 << position % 8
    return bytes(damaged)
