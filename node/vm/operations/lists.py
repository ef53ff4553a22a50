"""Lists: tuples, copied when they change; the statistics are those of `primitives.order`."""

from collections.abc import Callable
from typing import Any, Final

from node.vm.gas import DYNAMIC_GAS
from node.vm.limits import LIST_LENGTH_MAX
from node.vm.meter import Meter
from node.vm.opcodes import Op
from node.vm.operations.comparison import size_of
from node.vm.operations.numbers import checked
from node.vm.shapes import Value
from node.vm.traps import Trap, VmTrap
from primitives.order import quantile, weighted_median

Items = tuple[Value, ...]
Numbers = tuple[int, ...]

_SEARCH_ITEM_SIZE: Final = 32
_LIST: Final = DYNAMIC_GAS["LIST"]
_LSET: Final = DYNAMIC_GAS["LSET"]
_LAPPEND: Final = DYNAMIC_GAS["LAPPEND"]
_LPOP: Final = DYNAMIC_GAS["LPOP"]
_LCONCAT: Final = DYNAMIC_GAS["LCONCAT"]
_LSLICE: Final = DYNAMIC_GAS["LSLICE"]
_LCONTAINS: Final = DYNAMIC_GAS["LCONTAINS"]
_SORT: Final = DYNAMIC_GAS["SORT"]
_SUM: Final = DYNAMIC_GAS["SUM"]
_MEDIAN: Final = DYNAMIC_GAS["WEIGHTED_MEDIAN"]
_QUANTILE: Final = DYNAMIC_GAS["QUANTILE"]
_TOP_K: Final = DYNAMIC_GAS["TOP_K"]


def make(meter: Meter, *items: Value) -> Items:
    """LIST; the stack holds fewer items than a list may."""
    meter.take_items(_LIST.cost(len(items)), count=len(items))
    return items


def item_at(_meter: Meter, a: Items, b: int) -> Value:
    """LGET."""
    if not 0 <= b < len(a):
        raise VmTrap(Trap.INDEX)
    return a[b]


def replace_item(meter: Meter, a: Items, b: int, c: Value) -> Items:
    """LSET."""
    if not 0 <= b < len(a):
        raise VmTrap(Trap.INDEX)
    meter.take_items(_LSET.cost(len(a)), count=len(a))
    return a[:b] + (c,) + a[b + 1 :]  # noqa: RUF005 - twice as fast as unpacking


def append(meter: Meter, a: Items, b: Value) -> Items:
    """LAPPEND."""
    count = len(a) + 1
    if count > LIST_LENGTH_MAX:
        raise VmTrap(Trap.VALUE_SIZE)
    meter.take_items(_LAPPEND.cost(count), count=count)
    return a + (b,)  # noqa: RUF005 - twice as fast as unpacking


def pop(meter: Meter, a: Items) -> tuple[Items, Value]:
    """LPOP."""
    if not a:
        raise VmTrap(Trap.INDEX)
    meter.take_items(_LPOP.cost(len(a) - 1), count=len(a) - 1)
    return a[:-1], a[-1]


def length(_meter: Meter, a: Items) -> int:
    """LLEN."""
    return len(a)


def contains(meter: Meter, a: Items, b: Value) -> bool:
    """LCONTAINS, for items of a size that does not vary."""
    meter.charge(_LCONTAINS.cost((1 + len(a)) * _SEARCH_ITEM_SIZE))
    return b in a


def contains_text(meter: Meter, a: Items, b: bytes | str) -> bool:
    """LCONTAINS, for items of type Bytes or Str."""
    meter.charge(_LCONTAINS.cost((1 + len(a)) * (_SEARCH_ITEM_SIZE + size_of(b))))
    return b in a


def concat(meter: Meter, a: Items, b: Items) -> Items:
    """LCONCAT."""
    count = len(a) + len(b)
    if count > LIST_LENGTH_MAX:
        raise VmTrap(Trap.VALUE_SIZE)
    meter.take_items(_LCONCAT.cost(count), count=count)
    return a + b


def cut(meter: Meter, a: Items, b: int, c: int) -> Items:
    """LSLICE."""
    if not 0 <= b <= c <= len(a):
        raise VmTrap(Trap.INDEX)
    meter.take_items(_LSLICE.cost(c - b), count=c - b)
    return a[b:c]


def sort(meter: Meter, a: Numbers) -> Numbers:
    """SORT."""
    meter.take_items(_SORT.cost(_sort_items(a)), count=len(a))
    return tuple(sorted(a))


def total(meter: Meter, a: Numbers) -> int:
    """SUM."""
    meter.charge(_SUM.cost(len(a)))
    return checked(sum(a))


def median(meter: Meter, a: Numbers, b: Numbers) -> int:
    """WEIGHTED_MEDIAN."""
    if len(a) != len(b):
        raise VmTrap(Trap.RANGE)
    meter.charge(_MEDIAN.cost(_sort_items(a)))
    if min(b, default=0) < 0 or not any(b):
        raise VmTrap(Trap.RANGE)
    return weighted_median(a, b)


def ranked(meter: Meter, a: Numbers, b: int, c: int) -> int:
    """QUANTILE."""
    if not a or not 0 <= b <= c or c == 0:
        raise VmTrap(Trap.RANGE)
    meter.charge(_QUANTILE.cost(_sort_items(a)))
    return quantile(a, numerator=b, denominator=c)


def greatest(meter: Meter, a: Numbers, b: int) -> Numbers:
    """TOP_K."""
    if not 0 <= b <= len(a):
        raise VmTrap(Trap.RANGE)
    meter.take_items(_TOP_K.cost(_sort_items(a)), count=b)
    # A stable sort: of equal items the earlier place comes first.
    return tuple(sorted(range(len(a)), key=lambda place: -a[place])[:b])


def _sort_items(a: Items) -> int:
    return len(a) * len(a).bit_length()


LIST_OPERATIONS: Final[dict[Op, Callable[..., Any]]] = {
    Op.LIST: make,
    Op.LGET: item_at,
    Op.LSET: replace_item,
    Op.LAPPEND: append,
    Op.LPOP: pop,
    Op.LLEN: length,
    Op.LCONTAINS: contains,
    Op.LCONCAT: concat,
    Op.LSLICE: cut,
    Op.SORT: sort,
    Op.SUM: total,
    Op.WEIGHTED_MEDIAN: median,
    Op.QUANTILE: ranked,
    Op.TOP_K: greatest,
}
"""By opcode: the meter, then the operands, deepest first. LPOP gives two results."""
