"""How many records of each chunk are alive, so that cleaning need not read those that are dead.

Only chunks that were appended since the state was opened are known; what is older may hold
something. Nothing of this is stored: after a restart one turn of the log has to be read again.
"""

from collections.abc import Iterable

from node.ledger.tree.log import chunk_of


class Occupancy:
    """Counts what is alive per chunk; holds no more numbers than the log has chunks.

    Args:
        known_from: the first chunk that will be added.
    """

    __slots__ = ("_alive", "_known_from")

    def __init__(self, *, known_from: int) -> None:
        self._known_from = known_from
        self._alive: dict[int, int] = {}

    def add(self, number: int, record_count: int) -> None:
        """Note a new chunk."""
        self._alive[number] = record_count

    def bury(self, refs: Iterable[int]) -> None:
        """Note that these records died."""
        alive = self._alive
        for number in map(chunk_of, refs):
            left = alive.get(number, 0) - 1
            if left > 0:
                alive[number] = left
            else:
                alive.pop(number, None)

    def forget(self, numbers: Iterable[int]) -> None:
        """Note that chunks were cleaned."""
        for number in numbers:
            self._alive.pop(number, None)

    def is_dead(self, number: int) -> bool:
        """Tell whether nothing in a chunk is alive for certain."""
        return number >= self._known_from and number not in self._alive
