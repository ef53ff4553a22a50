"""Say why bytes are no transaction, with the same answer under every version of every library.

`Codec` decides whether bytes are a transaction; this file only names the reason once it said no, as
the reason goes into receipts, which all nodes must agree on. It therefore reads msgpack itself, one
strict pass without recursion over whatever the sender wrote. Source: the msgpack specification.
"""

from typing import Final, NamedTuple

from node.ledger.errors import (
    EntryError,
    IntegerRangeError,
    NotCanonicalError,
    TrailingBytesError,
    TransactionFormatError,
    TransactionSizeError,
    UnknownActionError,
)
from node.ledger.transaction import ACTION_COUNT, TRANSACTION_BYTES_MAX
from node.ledger.wire import INT63_MAX

_ITEMS_MAX: Final = 64
# The place of the action's number: inside the signed pair, inside the transaction, its last field.
_ACTION_NUMBER_PATH: Final = (0, 7, 0)
# Leading byte -> (bytes of the number that follows, the least number that needs so many).
_TEXTS: Final = {
    0xC4: (1, 0),
    0xC5: (2, 2**8),
    0xC6: (4, 2**16),
    0xD9: (1, 2**5),
    0xDA: (2, 2**8),
    0xDB: (4, 2**16),
}
_ARRAYS: Final = {0xDC: (2, 2**4), 0xDD: (4, 2**16)}
_UNSIGNED: Final = {0xCC: (1, 2**7), 0xCD: (2, 2**8), 0xCE: (4, 2**16), 0xCF: (8, 2**32)}
# For these it is the depth below zero that the next narrower width still reaches.
_SIGNED: Final = {0xD0: (1, 2**5), 0xD1: (2, 2**7), 0xD2: (4, 2**15), 0xD3: (8, 2**31)}
_INTEGERS: Final = _UNSIGNED | _SIGNED
_WIDTHS: Final = _TEXTS | _ARRAYS | _INTEGERS


class _Head(NamedTuple):
    """What the first byte of a value says, with the numbers that belong to it.

    Args:
        end: where the value ends; for an array, where its first item starts.
        items: how many values follow inside.
        integer: the value, None if it is no integer.
    """

    end: int
    items: int = 0
    integer: int | None = None


def transaction_fault(raw: bytes) -> EntryError:
    """Return why bytes that the codec refused are no transaction."""
    if len(raw) > TRANSACTION_BYTES_MAX:
        return TransactionSizeError(actual=len(raw), limit=TRANSACTION_BYTES_MAX)
    try:
        end, fault = _walk(raw)
    except (IndexError, _UnreadableError):
        return TransactionFormatError()
    if end > len(raw):
        return TransactionFormatError()
    if end < len(raw):
        return TrailingBytesError(actual=len(raw), limit=end)
    return TransactionFormatError() if fault is None else fault


class _UnreadableError(Exception):
    """A value of a kind that no transaction holds."""


def _walk(raw: bytes) -> tuple[int, EntryError | None]:
    """Return where the first value ends, and the first fault inside it that has its own name."""
    fault: EntryError | None = None
    offset = 0
    path: list[int] = []
    sizes: list[int] = []
    for _ in range(_ITEMS_MAX):
        head = _head(raw, offset)
        fault = fault or _fault_of(raw, offset, head, tuple(path))
        offset = head.end
        path.append(0)
        sizes.append(head.items)
        while sizes and path[-1] == sizes[-1]:
            path.pop()
            sizes.pop()
            if path:
                path[-1] += 1
        if not sizes:
            return offset, fault
    raise _UnreadableError


def _fault_of(raw: bytes, offset: int, head: _Head, path: tuple[int, ...]) -> EntryError | None:
    if not _is_shortest(raw, offset):
        return NotCanonicalError(actual=offset)
    if head.integer is None:
        return None
    if not 0 <= head.integer <= INT63_MAX:
        return IntegerRangeError(actual=head.integer, limit=INT63_MAX)
    if path == _ACTION_NUMBER_PATH and head.integer >= ACTION_COUNT:
        return UnknownActionError(actual=head.integer)
    return None


def _head(raw: bytes, offset: int) -> _Head:
    """Read what the byte at the offset announces."""
    kind = raw[offset]
    offset += 1
    if kind < 0x80:
        return _Head(offset, integer=kind)
    if kind >= 0xE0:
        return _Head(offset, integer=kind - 0x100)
    if 0x90 <= kind <= 0x9F:
        return _Head(offset, items=kind & 0x0F)
    if 0xA0 <= kind <= 0xBF:
        return _Head(offset + (kind & 0x1F))
    return _wide_head(raw, offset, kind)


def _wide_head(raw: bytes, offset: int, kind: int) -> _Head:
    """Read a value whose first byte is followed by a number."""
    if kind not in _WIDTHS:
        # Maps, floats, extensions, nil and booleans.
        raise _UnreadableError
    size, _ = _WIDTHS[kind]
    number = _number(raw, offset, size)
    offset += size
    if kind in _ARRAYS:
        return _Head(offset, items=number)
    if kind in _INTEGERS:
        return _Head(offset, integer=_signed(number, size) if kind in _SIGNED else number)
    return _Head(offset + number)


def _signed(number: int, size: int) -> int:
    return number - (number >> (8 * size - 1) << 8 * size)


def _number(raw: bytes, offset: int, size: int) -> int:
    if offset + size > len(raw):
        raise _UnreadableError
    return int.from_bytes(raw[offset : offset + size], "big")


def _is_shortest(raw: bytes, offset: int) -> bool:
    """Tell whether the value at the offset, which is readable, has no shorter encoding."""
    kind = raw[offset]
    if kind not in _WIDTHS:
        return True
    size, least = _WIDTHS[kind]
    number = _number(raw, offset + 1, size)
    # A negative integer needs this width if it lies below what half the width can hold.
    return _signed(number, size) < -least if kind in _SIGNED else number >= least
