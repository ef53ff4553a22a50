"""Calls that contracts asked the chain to make later, by time and then by the order of asking.

A binary heap in the state: slot i has its children at 2i + 1 and 2i + 2, so a call that is added or
taken touches about log2(n) slots of 16 bytes, and a commit with nothing due reads one. The gas of a
call was paid when it was asked for; so a chain that falls behind owes nobody money. So was the time
that it takes a place for, one gas for each `PLACE_MS_PER_GAS`: whoever fills the schedule pays for
as long as it is full.
"""

from typing import Annotated, Final

import msgspec

from node.ledger.keyspace import Room
from node.ledger.overlay import Overlay, StateReader
from node.ledger.wire import AddressField, Counter, GasField, TimeField
from primitives.codec import Codec
from primitives.ids import TimestampMs

SCHEDULE_LENGTH_MAX: Final = 1 << 20
SCHEDULE_OPEN_MAX: Final = SCHEDULE_LENGTH_MAX // 2
"""Places for everybody; the rest is for the contracts of genesis, whose rounds must go on."""

SCHEDULE_HORIZON_MS: Final = 366 * 24 * 3_600_000

ARGUMENTS_BYTES_MAX: Final = 4_096

_COUNT_KEY: Final = Room.SCHEDULE + b"n"
_SLOT: Final = Room.SCHEDULE + b"h"
_CALL: Final = Room.SCHEDULE + b"c"
_WORD: Final = 8


class ScheduledCall(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """One call to come.

    Args:
        function: its index in the module; the code of a contract never changes.
        gas: all it may use, paid already.
    """

    at_ms: TimeField
    contract: AddressField
    function: Counter
    arguments: Annotated[bytes, msgspec.Meta(max_length=ARGUMENTS_BYTES_MAX)]
    gas: GasField


class _Count(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How many calls wait, and how many were ever asked for."""

    waiting: Counter = 0
    asked: Counter = 0


_CALL_CODEC: Final = Codec(ScheduledCall, size_bytes_max=ARGUMENTS_BYTES_MAX + 128)
_COUNT_CODEC: Final = Codec(_Count, size_bytes_max=32)


def waiting_count(state: StateReader) -> int:
    """Return how many calls wait."""
    return _read_count(state).waiting


def add_call(overlay: Overlay, call: ScheduledCall) -> None:
    """Put a call into the schedule, which must not be full."""
    count = _read_count(overlay)
    assert count.waiting < SCHEDULE_LENGTH_MAX, "the caller checks that there is room"
    entry = call.at_ms.to_bytes(_WORD, "big") + count.asked.to_bytes(_WORD, "big")
    overlay.put(_CALL + entry[_WORD:], _CALL_CODEC.encode(call))
    _write_count(overlay, _Count(count.waiting + 1, count.asked + 1))
    _rise(overlay, count.waiting, entry)


def due_call(state: StateReader, *, now_ms: TimestampMs) -> ScheduledCall | None:
    """Return the first call if its time has come, None if nothing is due."""
    if waiting_count(state) == 0:
        return None
    first = _read_slot(state, 0)
    if int.from_bytes(first[:_WORD], "big") > now_ms:
        return None
    raw = state.get(_CALL + first[_WORD:])
    assert raw is not None, "every entry of the schedule has its call"
    return _CALL_CODEC.decode_own(raw)


def drop_first(overlay: Overlay) -> None:
    """Take the first call out of the schedule, which must not be empty."""
    count = _read_count(overlay)
    assert count.waiting > 0, "nothing is scheduled"
    last_slot = count.waiting - 1
    overlay.delete(_CALL + _read_slot(overlay, 0)[_WORD:])
    last = _read_slot(overlay, last_slot)
    overlay.delete(_slot_key(last_slot))
    _write_count(overlay, _Count(last_slot, count.asked))
    if last_slot:
        _sink(overlay, last, length=last_slot)


def _rise(overlay: Overlay, slot: int, entry: bytes) -> None:
    while slot:
        above = (slot - 1) // 2
        parent = _read_slot(overlay, above)
        if parent <= entry:
            break
        overlay.put(_slot_key(slot), parent)
        slot = above
    overlay.put(_slot_key(slot), entry)


def _sink(overlay: Overlay, entry: bytes, *, length: int) -> None:
    slot = 0
    while (below := 2 * slot + 1) < length:
        child = _read_slot(overlay, below)
        if below + 1 < length and (other := _read_slot(overlay, below + 1)) < child:
            below, child = below + 1, other
        if entry <= child:
            break
        overlay.put(_slot_key(slot), child)
        slot = below
    overlay.put(_slot_key(slot), entry)


def _slot_key(slot: int) -> bytes:
    return _SLOT + slot.to_bytes(4, "big")


def _read_slot(state: StateReader, slot: int) -> bytes:
    entry = state.get(_slot_key(slot))
    assert entry is not None, "every slot below the count is filled"
    return entry


def _read_count(state: StateReader) -> _Count:
    raw = state.get(_COUNT_KEY)
    return _Count() if raw is None else _COUNT_CODEC.decode_own(raw)


def _write_count(overlay: Overlay, count: _Count) -> None:
    overlay.put(_COUNT_KEY, _COUNT_CODEC.encode(count))
