"""Point-to-point delivery between numbered nodes, with everything a network can do to a message.

Invariant: from `gst_us` on, every message that is not dropped takes at most `delta_us`, whatever
the latency model, the delay faults or the adversary say; a message sent before arrives by
`gst_us + delta_us` (partial synchrony: Dwork, Lynch and Stockmeyer 1988). On FIFO links arrivals
keep the order of sending.
"""

import enum
from collections.abc import Callable, Iterable
from random import Random
from typing import Generic, TypeVar

from devnet.simulator.kernel.latency import LatencyModel
from devnet.simulator.kernel.network_faults import LinkDisturber, LinkFaults, NetworkCounters
from devnet.simulator.kernel.scheduler import Scheduler

MessageT = TypeVar("MessageT")

CLOGGED_MESSAGES_MAX = 65_536
DELTA_US = 1_000_000
_TRACED_BYTES_MAX = 32

# A directed link: (source, target).
Link = tuple[int, int]


class LinkOrder(enum.Enum):
    """What a link promises about order."""

    ANY = enum.auto()
    FIFO = enum.auto()


class Network(Generic[MessageT]):
    """Carry immutable messages; nodes are small integers.

    Args:
        deliver: takes (source, target, message) and returns False when the target is down.
        corrupt: returns a damaged message, or None when no decoder would take what is left; without
            it a flipped bit loses a message that is not bytes.
        digest: a few bytes that identify a message in the trace.
        order: FIFO makes every directed link an ordered stream.

    Attributes:
        schedule: the network adversary; returns the us on the wire of a message it cares about, or
            None for what the latency model says. Faults apply to both.
        gst_us: from when on delays are bounded; None for never. Known from the start, it bounds the
            messages that were sent before, too.
        delta_us: the bound.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        latency: LatencyModel,
        deliver: Callable[[int, int, MessageT], bool],
        *,
        corrupt: Callable[[MessageT, Random], MessageT | None] | None = None,
        digest: Callable[[MessageT], bytes] | None = None,
        order: LinkOrder = LinkOrder.ANY,
    ) -> None:
        self.counters = NetworkCounters()
        self.schedule: Callable[[int, int, MessageT], int | None] | None = None
        self.gst_us: int | None = None
        self.delta_us = DELTA_US
        self._scheduler = scheduler
        self._sample_us = latency.sample_us
        self._latency_rng = scheduler.rng("network.latency")
        self._deliver = deliver
        self._digest = _payload_digest if digest is None else digest
        self._disturber: LinkDisturber[MessageT] = LinkDisturber(scheduler, self.counters, corrupt)
        self._is_disturbed = False
        self._last_due_us: dict[Link, int] | None = {} if order is LinkOrder.FIFO else None
        self._blocked: dict[Link, int] = {}
        self._slowed: dict[Link, int] = {}
        self._clogged: dict[int, int] = {}
        self._held: list[tuple[int, int, MessageT]] = []

    def send(self, source: int, target: int, message: MessageT) -> None:
        """Send one message to another node."""
        counters = self.counters
        counters.sent += 1
        # Always drawn, so that faults do not shift the latencies of the messages they spare.
        delay_us = self._sample_us(source, target, self._latency_rng)
        if self.schedule is not None:
            chosen_us = self.schedule(source, target, message)
            if chosen_us is not None:
                counters.rescheduled += 1
                delay_us = chosen_us
        if self._blocked and (source, target) in self._blocked:
            counters.blocked += 1
            return
        if self._slowed:
            extra_us = self._slowed.get((source, target), 0)
            counters.slowed += extra_us > 0
            delay_us += extra_us
        if self._is_disturbed:
            for copy, copy_delay_us in self._disturber.disturb(message, delay_us):
                self._post(source, target, copy, copy_delay_us)
        else:
            self._post(source, target, message, delay_us)

    def set_link_faults(self, faults: LinkFaults) -> None:
        """Replace loss, duplication, reordering, delay spikes and corruption on all links."""
        self._disturber.faults = faults
        self._is_disturbed = faults != LinkFaults()

    def block(self, links: Iterable[Link]) -> None:
        """Cut directed links; what is on the wire is lost too. Blocks of one link add up."""
        for link in links:
            self._blocked[link] = self._blocked.get(link, 0) + 1

    def unblock(self, links: Iterable[Link]) -> None:
        """Take back one block of each link."""
        for link in links:
            _release(self._blocked, link)

    def slow(self, links: Iterable[Link], extra_us: int) -> None:
        """Add to the time of directed links; a negative number takes it back."""
        for link in links:
            slowed_us = self._slowed.pop(link, 0) + extra_us
            if slowed_us > 0:
                self._slowed[link] = slowed_us

    def clog(self, node: int) -> None:
        """Hold what arrives at or comes from a node until `unclog`, as a stuck stream does."""
        self._clogged[node] = self._clogged.get(node, 0) + 1

    def unclog(self, node: int) -> None:
        """Take back one clog and hand over, in order of arrival, what nothing else holds."""
        _release(self._clogged, node)
        if node not in self._clogged:
            held, self._held = self._held, []
            for source, target, message in held:
                self._arrive(source, target, message)

    def heal_all(self) -> None:
        """Remove every fault now; if `gst_us` is not set or later, it becomes now."""
        now_us = self._scheduler.now_us
        if self.gst_us is None or self.gst_us > now_us:
            self.gst_us = now_us
        self.set_link_faults(LinkFaults())
        self._blocked.clear()
        self._slowed.clear()
        for node in list(self._clogged):
            self._clogged[node] = 1
            self.unclog(node)

    def _post(self, source: int, target: int, message: MessageT, delay_us: int) -> None:
        """Schedule one arrival, within the bound and the order that the network promises."""
        scheduler = self._scheduler
        now_us = scheduler.now_us
        due_us = now_us + delay_us
        if self.gst_us is not None:
            due_us = min(due_us, max(now_us, self.gst_us) + self.delta_us)
        if self._last_due_us is not None:
            link = (source, target)
            # Strictly later, as ties may be shuffled: bunched messages pass the bound by 1 us each.
            due_us = max(due_us, self._last_due_us.get(link, -1) + 1)
            self._last_due_us[link] = due_us
        scheduler.at(due_us, self._arrive, source, target, message)

    def _arrive(self, source: int, target: int, message: MessageT) -> None:
        """Hand a message over, unless the network broke while it was on the wire."""
        counters = self.counters
        if self._blocked and (source, target) in self._blocked:
            counters.blocked += 1
            return
        if self._clogged and (source in self._clogged or target in self._clogged):
            self._hold(source, target, message)
            return
        # Both ends in one number: packing the source into the detail would cost another 0.2 us.
        self._scheduler.trace("deliver", source << 16 | target, self._digest(message))
        if self._deliver(source, target, message):
            counters.delivered += 1
        else:
            counters.undeliverable += 1

    def _hold(self, source: int, target: int, message: MessageT) -> None:
        """Keep a message for `unclog`; a full buffer loses the newest, as a full socket does."""
        if len(self._held) >= CLOGGED_MESSAGES_MAX:
            self.counters.overflowed += 1
            return
        self.counters.clogged += 1
        self._held.append((source, target, message))


KeyT = TypeVar("KeyT")


def _release(holds: dict[KeyT, int], key: KeyT) -> None:
    """Take back one of the holds on a key, if there is any left."""
    count = holds.pop(key, 0)
    if count > 1:
        holds[key] = count - 1


def _payload_digest(message: object) -> bytes:
    """Identify a message of bytes by its start and length, and anything else not at all."""
    if isinstance(message, bytes):
        return len(message).to_bytes(4, "little") + message[:_TRACED_BYTES_MAX]
    return b""
