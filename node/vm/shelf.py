"""What an engine made of the modules that it ran last, bounded by number and by bytes of code.

Guards: threads may share a shelf without a lock. Each touch of the dictionary is one call into C,
which no other thread interrupts, and no two of them need to agree: two threads that miss the same
module both make something of it, and both get what was put there first.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from node.vm.verified import VerifiedModule

SHELF_MODULES_MAX: Final = 576
SHELF_BYTES_MAX: Final = 4_194_304
"""Of code. Both are more than what a chain lets be called without paying for the load."""

Made = TypeVar("Made")


class Shelf(Generic[Made]):
    """Keeps what was made of modules; what was not asked for longest goes.

    Args:
        make: what to keep of a module.
    """

    __slots__ = ("_kept", "_make")

    def __init__(self, make: Callable[[VerifiedModule], Made]) -> None:
        self._make = make
        self._kept: OrderedDict[VerifiedModule, tuple[Made, int]] = OrderedDict()

    @property
    def size_bytes(self) -> int:
        """Return the size of the code of everything on the shelf."""
        return sum(size_bytes for _, size_bytes in list(self._kept.values()))

    def take(self, module: VerifiedModule) -> Made:
        """Return what was made of the module, or make it."""
        kept = self._kept.get(module)
        if kept is None:
            made, _ = self._kept.setdefault(module, (self._make(module), _size_bytes(module)))
            while len(self._kept) > SHELF_MODULES_MAX or self.size_bytes > SHELF_BYTES_MAX:
                self._kept.popitem(last=False)
            return made
        try:
            self._kept.move_to_end(module)
        except KeyError:
            # Another thread took it off since; it is as good as before.
            return kept[0]
        return kept[0]


def _size_bytes(module: VerifiedModule) -> int:
    return sum(len(function.code) for function in module.module.functions)
