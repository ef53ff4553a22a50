"""How full the pool is, by whom, and who goes first when it is too full."""

from collections import Counter

from node.mempool.entry import LOCAL, Entry
from node.mempool.errors import PoolShareError
from node.mempool.lazy_heap import LazyHeap
from node.mempool.limits import PoolLimits


class Space:
    """Counts bytes.

    Attributes:
        used_bytes: by everything that waits.
    """

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        self._by_origin: Counter[bytes] = Counter()
        self._cheapest: LazyHeap[Entry] = LazyHeap(_may_leave)
        self.used_bytes = 0

    def check_share(self, entry: Entry) -> None:
        """Check that no peer alone can fill the pool.

        Raises:
            PoolShareError: the pool is more than half full, and this peer has filled its share.
        """
        if entry.origin == LOCAL or self.used_bytes <= self._limits.bytes_max // 2:
            return
        share_bytes = self._limits.bytes_max // self._limits.origin_share
        used_bytes = self._by_origin[entry.origin] + entry.size_bytes
        if used_bytes > share_bytes:
            raise PoolShareError(actual=used_bytes, limit=share_bytes)

    def lacks(self, size_bytes: int) -> bool:
        """Tell whether so many bytes more are too many."""
        return self.used_bytes + size_bytes > self._limits.bytes_max

    def add(self, entry: Entry) -> None:
        """Count a transaction."""
        self.used_bytes += entry.size_bytes
        self._by_origin[entry.origin] += entry.size_bytes
        self.offer(entry)

    def offer(self, entry: Entry) -> None:
        """Let a transaction be among those that may have to go; among equals the newest goes."""
        self._cheapest.push(entry, key=(entry.price, -entry.order))

    def remove(self, entry: Entry) -> None:
        """Count a transaction no longer."""
        self.used_bytes -= entry.size_bytes
        self._by_origin[entry.origin] -= entry.size_bytes
        if self._by_origin[entry.origin] == 0:
            del self._by_origin[entry.origin]

    def cheapest(self) -> Entry | None:
        """Return what pays least of that which may go, None if nothing may."""
        return self._cheapest.peek()


def _may_leave(entry: Entry, ticket: int) -> bool:
    del ticket
    return not entry.is_gone and not entry.is_in_flight
