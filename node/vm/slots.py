"""Where the fields of a contract are stored: the slot of a field under its keys.

A slot is the place of the field in the layout, one byte, then its keys: an Address as its 32
bytes, any other key as its encoding, which says where it ends. The number and types of the keys
follow from the field, so no two places share a slot. A stored list keeps its length there, and
each item under that slot followed by the encoding of its place.
"""

from collections.abc import Callable
from typing import Any, Final

from node.vm import types
from node.vm.limits import MAP_KEY_SIZE_BYTES_MAX
from node.vm.shapes import Value, encodable, encode_narrow, text_size
from node.vm.traps import Trap, VmTrap
from node.vm.types import TypeIndex
from node.vm.verified import StorageField

KeyEncoder = Callable[[Any], bytes]


def field_slot(place: int) -> bytes:
    """Return how all slots of a field begin."""
    return bytes((place,))


def key_encoder(key: TypeIndex) -> KeyEncoder | None:
    """Return what turns a key into its part of the slot, None if it is that part itself."""
    return _KEY_ENCODERS[key]


def slot_of(place: int, field: StorageField, keys: tuple[Value, ...]) -> bytes:
    """Return the slot of the field under the keys.

    Raises:
        VmTrap: VALUE_SIZE, a key is too long.
    """
    parts = [field_slot(place)]
    for key_type, key in zip(field.keys, keys, strict=True):
        encoder = _KEY_ENCODERS[key_type]
        parts.append(key if encoder is None else encoder(key))  # type: ignore[arg-type]  # an Address
    return b"".join(parts)


def item_slot(slot: bytes, place: int) -> bytes:
    """Return the slot of an item of the list that is stored at the slot."""
    return slot + encode_narrow(place)


def _int_key(key: int) -> bytes:
    return encode_narrow(encodable(key))


def _bytes_key(key: bytes) -> bytes:
    if len(key) > MAP_KEY_SIZE_BYTES_MAX:
        raise VmTrap(Trap.VALUE_SIZE)
    return encode_narrow(key)


def _text_key(key: str) -> bytes:
    # The number of code points is known at once; only a short text is worth its true size.
    if len(key) > MAP_KEY_SIZE_BYTES_MAX or text_size(key) > MAP_KEY_SIZE_BYTES_MAX:
        raise VmTrap(Trap.VALUE_SIZE)
    return encode_narrow(key)


_KEY_ENCODERS: Final[dict[TypeIndex, KeyEncoder | None]] = {
    types.BOOL: encode_narrow,
    types.INT: _int_key,
    types.BYTES: _bytes_key,
    types.STR: _text_key,
    types.ADDRESS: None,
}
