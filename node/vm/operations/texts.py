"""Bytes and Str; a place in a Str counts code points, the size of a Str is that of its UTF-8."""

import hashlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

from node.vm.gas import DYNAMIC_GAS
from node.vm.limits import BYTES_SIZE_MAX, INT_MAX, NEEDLE_SIZE_BYTES_MAX
from node.vm.meter import Meter
from node.vm.opcodes import Op
from node.vm.operations.comparison import size_of
from node.vm.shapes import ADDRESS_SIZE_BYTES
from node.vm.traps import Trap, VmTrap
from primitives.ids import DIGEST_SIZE_BYTES

Text = TypeVar("Text", bytes, str)

_INT_BYTES_MAX: Final = 32
_SEARCH_BYTE_SIZE: Final = 16
"""What going on by one byte takes, however short the needle, in bytes compared."""

_COPY: Final = DYNAMIC_GAS["CONCAT"]
_SLICE: Final = DYNAMIC_GAS["SLICE"]
_SEARCH: Final = DYNAMIC_GAS["CONTAINS"]
_ENCODE: Final = DYNAMIC_GAS["STR_TO_BYTES"]
_HASH: Final = DYNAMIC_GAS["SHA256"]


def concat(meter: Meter, a: Text, b: Text) -> Text:
    """CONCAT."""
    size = size_of(a) + size_of(b)
    if size > BYTES_SIZE_MAX:
        raise VmTrap(Trap.VALUE_SIZE)
    meter.take(_COPY.cost(size), memory_bytes=size)
    return a + b


def length(_meter: Meter, a: bytes | str) -> int:
    """LEN."""
    return len(a)


def cut(meter: Meter, a: Text, b: int, c: int) -> Text:
    """SLICE."""
    if not 0 <= b <= c <= len(a):
        raise VmTrap(Trap.INDEX)
    part = a[b:c]
    size = size_of(part)
    meter.take(_SLICE.cost(size), memory_bytes=size)
    return part


def byte_at(_meter: Meter, a: bytes, b: int) -> int:
    """BYTE_AT."""
    if not 0 <= b < len(a):
        raise VmTrap(Trap.INDEX)
    return a[b]


def contains(meter: Meter, a: Text, b: Text) -> bool:
    """CONTAINS."""
    needle_size = size_of(b)
    if needle_size > NEEDLE_SIZE_BYTES_MAX:
        raise VmTrap(Trap.RANGE)
    meter.charge(_SEARCH.cost(size_of(a) * (_SEARCH_BYTE_SIZE + needle_size)))
    return b in a


def text_to_bytes(meter: Meter, a: str) -> bytes:
    """STR_TO_BYTES."""
    encoded = a.encode()
    meter.take(_ENCODE.cost(len(encoded)), memory_bytes=len(encoded))
    return encoded


def int_to_bytes(meter: Meter, a: int, b: int) -> bytes:
    """INT_TO_BYTES."""
    if not 0 <= b <= _INT_BYTES_MAX:
        raise VmTrap(Trap.RANGE)
    if a < 0 or a.bit_length() > 8 * b:
        raise VmTrap(Trap.OVERFLOW)
    meter.allocate(b)
    return a.to_bytes(b, "big")


def bytes_to_int(_meter: Meter, a: bytes) -> int:
    """BYTES_TO_INT."""
    if len(a) > _INT_BYTES_MAX:
        raise VmTrap(Trap.RANGE)
    value = int.from_bytes(a, "big")
    if value > INT_MAX:
        raise VmTrap(Trap.OVERFLOW)
    return value


def int_to_text(meter: Meter, a: int) -> str:
    """INT_TO_STR."""
    text = str(a)
    meter.allocate(len(text))
    return text


def sha256(meter: Meter, a: bytes) -> bytes:
    """SHA256."""
    meter.take(_HASH.cost(len(a)), memory_bytes=DIGEST_SIZE_BYTES)
    return hashlib.sha256(a).digest()


def address_to_bytes(_meter: Meter, a: bytes) -> bytes:
    """ADDRESS_TO_BYTES."""
    return a


def bytes_to_address(_meter: Meter, a: bytes) -> bytes:
    """BYTES_TO_ADDRESS."""
    if len(a) != ADDRESS_SIZE_BYTES:
        raise VmTrap(Trap.RANGE)
    return a


TEXT_OPERATIONS: Final[dict[Op, Callable[..., Any]]] = {
    Op.CONCAT: concat,
    Op.LEN: length,
    Op.SLICE: cut,
    Op.BYTE_AT: byte_at,
    Op.CONTAINS: contains,
    Op.STR_TO_BYTES: text_to_bytes,
    Op.INT_TO_BYTES: int_to_bytes,
    Op.BYTES_TO_INT: bytes_to_int,
    Op.INT_TO_STR: int_to_text,
    Op.SHA256: sha256,
    Op.ADDRESS_TO_BYTES: address_to_bytes,
    Op.BYTES_TO_ADDRESS: bytes_to_address,
}
"""By opcode: the meter, then the operands, deepest first."""
