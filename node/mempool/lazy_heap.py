"""A heap whose items may become void where they lie; they are dropped when they come up.

Guards: at most as many void items as there were items when it was last swept, so memory follows
what is alive; and ties go to what came first.
"""

import heapq
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

ItemT = TypeVar("ItemT")

_SWEEP_MIN: Final = 64


class LazyHeap(Generic[ItemT]):
    """Least key first.

    Args:
        is_alive: tells whether an item with the ticket that it had when pushed still counts.
    """

    def __init__(self, is_alive: Callable[[ItemT, int], bool]) -> None:
        self._is_alive = is_alive
        self._items: list[tuple[Any, int, int, ItemT]] = []
        self._pushes = 0
        self._sweep_at = _SWEEP_MIN

    def push(self, item: ItemT, *, key: object, ticket: int = 0) -> None:
        """Add an item; keys are compared with each other."""
        if len(self._items) >= self._sweep_at:
            self._items = [held for held in self._items if self._is_alive(held[3], held[2])]
            heapq.heapify(self._items)
            self._sweep_at = max(_SWEEP_MIN, 2 * len(self._items))
        self._pushes += 1
        heapq.heappush(self._items, (key, self._pushes, ticket, item))

    def peek(self) -> ItemT | None:
        """Return the first item that is alive, None if there is none."""
        while self._items:
            _, _, ticket, item = self._items[0]
            if self._is_alive(item, ticket):
                return item
            heapq.heappop(self._items)
        return None

    def pop(self) -> ItemT | None:
        """Take the first item that is alive, None if there is none."""
        item = self.peek()
        if item is not None:
            heapq.heappop(self._items)
        return item

    def __len__(self) -> int:
        """Return how many items there are, void ones included."""
        return len(self._items)
