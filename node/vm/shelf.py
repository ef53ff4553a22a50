"""What an engine made of the modules that it ran last, bounded by number and by bytes of code."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from node.vm.verified import VerifiedModule

SHELF_MODULES_MAX: Final = 512
SHELF_BYTES_MAX: Final = 2_097_152
"""Of code. Both are more than what a chain lets be called without paying for the load."""

Made = TypeVar("Made")


class Shelf(Generic[Made]):
    """Keeps what was made of modules; what was not asked for longest goes.

    Args:
        make: what to keep of a module.
    """

    __slots__ = ("_kept", "_make", "size_bytes")

    def __init__(self, make: Callable[[VerifiedModule], Made]) -> None:
        self._make = make
        self._kept: OrderedDict[VerifiedModule, Made] = OrderedDict()
        self.size_bytes = 0

    def take(self, module: VerifiedModule) -> Made:
        """Return what was made of the module, or make it."""
        made = self._kept.get(module)
        if made is not None:
            self._kept.move_to_end(module)
            return made
        made = self._kept[module] = self._make(module)
        self.size_bytes += _size_bytes(module)
        while len(self._kept) > SHELF_MODULES_MAX or self.size_bytes > SHELF_BYTES_MAX:
            gone, _ = self._kept.popitem(last=False)
            self.size_bytes -= _size_bytes(gone)
        return made


def _size_bytes(module: VerifiedModule) -> int:
    return sum(len(function.code) for function in module.module.functions)
