"""Read and write the slots of a contract, one at a time or as a stored list.

Each operation takes the slot that `slots.slot_of` gave it, so a key that is too long traps first.
"""

from typing import Final, cast

from node.vm.gas import DYNAMIC_GAS, Rate
from node.vm.limits import (
    ENCODED_VALUE_BYTES_MAX,
    LIST_LENGTH_MAX,
    STORAGE_LIST_LENGTH_MAX,
)
from node.vm.linked import LinkedField
from node.vm.meter import Meter
from node.vm.run import Run
from node.vm.shapes import Value, encode_narrow
from node.vm.slots import item_slot
from node.vm.traps import Trap, VmTrap
from node.vm.types import INT
from node.vm.values import ValueCodec

_LENGTH: Final = ValueCodec.of_type((), INT)
_LOAD: Final = DYNAMIC_GAS["LOAD"]
_HAS: Final = DYNAMIC_GAS["HAS"]
_STORE: Final = DYNAMIC_GAS["STORE"]
_SLGET: Final = DYNAMIC_GAS["SLGET"]
_SLSET: Final = DYNAMIC_GAS["SLSET"]
_SLAPPEND: Final = DYNAMIC_GAS["SLAPPEND"]
_SLPOP: Final = DYNAMIC_GAS["SLPOP"]
_SLCLEAR: Final = DYNAMIC_GAS["SLCLEAR"]
_SLLOAD: Final = DYNAMIC_GAS["SLLOAD"]


def encode_charged(meter: Meter, codec: ValueCodec, value: Value, *, rate: Rate) -> bytes:
    """Return the encoding of a value, charged by its size.

    The size is bounded before anything is encoded, by the limit of values and by what the gas left
    pays for: a few shared parts can stand for gigabytes.

    Raises:
        VmTrap: OUT_OF_GAS; VALUE_SIZE, after the gas of a value one byte too long.
    """
    weight = codec.weight
    limit = min(meter.affordable(rate) // weight, ENCODED_VALUE_BYTES_MAX)
    encoded = codec.encode_up_to(value, limit)
    if encoded is None:
        meter.charge(rate.cost(weight * (limit + 1)))
        raise VmTrap(Trap.VALUE_SIZE)
    meter.charge(rate.cost(weight * len(encoded)))
    return encoded


def load(run: Run, field: LinkedField, slot: bytes) -> Value:
    """LOAD."""
    raw = run.host.load(slot)
    return field.codec.zero if raw is None else _decode(run, field, raw, rate=_LOAD)


def load_option(run: Run, field: LinkedField, slot: bytes) -> tuple[Value] | None:
    """LOAD_OPTION."""
    raw = run.host.load(slot)
    return None if raw is None else (_decode(run, field, raw, rate=_LOAD),)


def store(run: Run, field: LinkedField, slot: bytes, value: Value) -> None:
    """STORE."""
    meter = run.meter
    encoded = encode_charged(meter, field.codec, value, rate=_STORE)
    meter.count_writes(1)
    run.host.store(slot, encoded)


def remove(run: Run, slot: bytes) -> None:
    """REMOVE."""
    run.meter.count_writes(1)
    run.host.remove(slot)


def has(run: Run, field: LinkedField, slot: bytes) -> bool:
    """HAS; the host reads the whole value, and keeps it until the end of the commit."""
    raw = run.host.load(slot)
    if raw is None:
        return False
    run.meter.charge(_HAS.cost(field.codec.weight * len(raw)))
    return True


def list_length(run: Run, slot: bytes) -> int:
    """SLLEN."""
    raw = run.host.load(slot)
    return 0 if raw is None else cast("int", _LENGTH.decode_stored(raw))


def list_item(run: Run, field: LinkedField, slot: bytes, place: int) -> Value:
    """SLGET."""
    if not 0 <= place < list_length(run, slot):
        raise VmTrap(Trap.INDEX)
    return _decode(run, field, _stored_item(run, slot, place), rate=_SLGET)


def set_list_item(run: Run, field: LinkedField, slot: bytes, place: int, value: Value) -> None:
    """SLSET."""
    if not 0 <= place < list_length(run, slot):
        raise VmTrap(Trap.INDEX)
    encoded = encode_charged(run.meter, field.codec, value, rate=_SLSET)
    run.meter.count_writes(1)
    run.host.store(item_slot(slot, place), encoded)


def append_list_item(run: Run, field: LinkedField, slot: bytes, value: Value) -> None:
    """SLAPPEND; writes the item and the length."""
    length = list_length(run, slot)
    if length >= STORAGE_LIST_LENGTH_MAX:
        raise VmTrap(Trap.VALUE_SIZE)
    encoded = encode_charged(run.meter, field.codec, value, rate=_SLAPPEND)
    run.meter.count_writes(2)
    run.host.store(item_slot(slot, length), encoded)
    run.host.store(slot, encode_narrow(length + 1))


def pop_list_item(run: Run, field: LinkedField, slot: bytes) -> Value:
    """SLPOP; writes the item and the length."""
    place = list_length(run, slot) - 1
    if place < 0:
        raise VmTrap(Trap.INDEX)
    value = _decode(run, field, _stored_item(run, slot, place), rate=_SLPOP)
    run.meter.count_writes(2)
    run.host.remove(item_slot(slot, place))
    _store_length(run, slot, place)
    return value


def clear_list(run: Run, slot: bytes) -> None:
    """SLCLEAR; writes every item and the length, if there are any."""
    length = list_length(run, slot)
    if length == 0:
        return
    run.meter.charge(_SLCLEAR.cost(length))
    run.meter.count_writes(length + 1)
    for place in range(length):
        run.host.remove(item_slot(slot, place))
    _store_length(run, slot, 0)


def load_list(run: Run, field: LinkedField, slot: bytes) -> tuple[Value, ...]:
    """SLLOAD."""
    length = list_length(run, slot)
    if length > LIST_LENGTH_MAX:
        raise VmTrap(Trap.VALUE_SIZE)
    run.meter.take_items(_SLLOAD.cost(length), count=length)
    return tuple(
        _decode(run, field, _stored_item(run, slot, place), rate=_SLGET) for place in range(length)
    )


def _store_length(run: Run, slot: bytes, length: int) -> None:
    if length:
        run.host.store(slot, encode_narrow(length))
    else:
        run.host.remove(slot)


def _stored_item(run: Run, slot: bytes, place: int) -> bytes:
    raw = run.host.load(item_slot(slot, place))
    if raw is None:
        raise VmTrap(Trap.ENCODING, message="a stored list without an item")
    return raw


def _decode(run: Run, field: LinkedField, raw: bytes, *, rate: Rate) -> Value:
    meter = run.meter
    meter.charge(rate.cost(field.codec.weight * len(raw)))
    if field.growth:
        meter.allocate(field.growth * len(raw))
    return field.codec.decode_stored(raw)
