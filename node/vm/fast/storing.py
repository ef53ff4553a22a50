"""LOAD, STORE and EMIT made to measure: one closure for each field and event of a module.

The general operations ask every time how large a value may be and what its type needs; here that is
settled when the module is loaded. What the closures do in what order is the same.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from node.vm.gas import DYNAMIC_GAS, Rate
from node.vm.limits import ENCODED_VALUE_BYTES_MAX
from node.vm.linked import LinkedField, LinkedModule
from node.vm.operations import storage
from node.vm.operations.storage import encode_charged
from node.vm.run import Run
from node.vm.shapes import Value, encode_narrow, integer
from node.vm.traps import Trap, VmTrap
from node.vm.types import FIXED, INT
from node.vm.values import ValueCodec

Loader = Callable[[Run, bytes], Value]
Storer = Callable[[Run, bytes, Any], None]
Teller = Callable[[Run, tuple[Value, ...]], None]

_LOAD: Final = DYNAMIC_GAS["LOAD"]
_STORE: Final = DYNAMIC_GAS["STORE"]
_EMIT: Final = DYNAMIC_GAS["EMIT"]


def loader(field: LinkedField) -> Loader:
    """Return LOAD for one field."""
    if field.field.element in {INT, FIXED}:
        return _number_loader(field)

    def load(run: Run, slot: bytes) -> Value:
        return storage.load(run, field, slot)

    return load


def _number_loader(field: LinkedField) -> Loader:
    decode: Final = field.codec.decode_wire
    unit_gas, shift = _LOAD.gas, _LOAD.shift

    def load(run: Run, slot: bytes) -> Value:
        raw = run.host.load(slot)
        if raw is None:
            return 0
        meter = run.meter
        gas = meter.gas - unit_gas * (len(raw) >> shift)
        if gas < 0:
            meter.exhaust()
        meter.gas = gas
        try:
            wire = decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise VmTrap(Trap.ENCODING, message=str(error)) from error
        return wire if type(wire) is int else integer(wire)

    return load


def storer(field: LinkedField) -> Storer:
    """Return STORE for one field."""
    encode = _encoder(field.codec, _STORE)

    def store(run: Run, slot: bytes, value: Value) -> None:
        encoded = encode(run, value)
        meter = run.meter
        if meter.writes == 0:
            raise VmTrap(Trap.WRITE_LIMIT)
        meter.writes -= 1
        run.host.store(slot, encoded)

    return store


def teller(linked: LinkedModule, event: int) -> Teller:
    """Return EMIT for one event; most calls emit none, so its codec is made by the first."""
    encode: Callable[[Run, Value], bytes] | None = None

    def emit(run: Run, fields: tuple[Value, ...]) -> None:
        nonlocal encode
        if encode is None:
            encode = _encoder(linked.event_codec(event), _EMIT)
        encoded = encode(run, fields)
        meter = run.meter
        if meter.events == 0:
            raise VmTrap(Trap.EVENT_LIMIT)
        meter.events -= 1
        run.host.emit(event, encoded)

    return emit


def _encoder(codec: ValueCodec, rate: Rate) -> Callable[[Run, Value], bytes]:
    """Return `encode_charged` for one type."""
    if codec.size_max is None or codec.size_max > ENCODED_VALUE_BYTES_MAX:

        def encode(run: Run, value: Value) -> bytes:
            return encode_charged(run.meter, codec, value, rate=rate)

        return encode
    encode_any: Final = codec.encode
    unit_gas, shift, weight = rate.gas, rate.shift, codec.weight

    def encode_short(run: Run, value: Value) -> bytes:
        try:
            encoded = encode_narrow(value)
        except OverflowError:
            encoded = encode_any(value)
        meter = run.meter
        gas = meter.gas - unit_gas * (weight * len(encoded) >> shift)
        if gas < 0:
            meter.exhaust()
        meter.gas = gas
        return encoded

    return encode_short
