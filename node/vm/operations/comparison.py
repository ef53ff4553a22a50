"""EQ to GE and NOT: Python's own order of integers, bytes and text is that of the specification."""

import operator
from collections.abc import Callable
from typing import Any, Final

from node.vm.gas import DYNAMIC_GAS
from node.vm.meter import Meter
from node.vm.opcodes import Op
from node.vm.shapes import text_size

COMPARISONS: Final[dict[Op, Callable[[Any, Any], bool]]] = {
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.LT: operator.lt,
    Op.LE: operator.le,
    Op.GT: operator.gt,
    Op.GE: operator.ge,
}

_RATE: Final = DYNAMIC_GAS["EQ"]


def size_of(value: bytes | str) -> int:
    """Return the size of Bytes, or of the UTF-8 of a Str."""
    return len(value) if isinstance(value, bytes) else text_size(value)


def charge_comparison(meter: Meter, a: bytes | str, b: bytes | str) -> None:
    """Charge the comparison of two Bytes or two Str."""
    meter.charge(_RATE.cost(size_of(a) + size_of(b)))
