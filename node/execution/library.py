"""Verified modules by the digest of their code, so that decoding and verifying is done once.

A cache and nothing else: what is in it changes how long a call takes, never its gas or its result.
Threads may share one without a lock, as they may share a `Shelf`.
"""

from collections import OrderedDict
from contextlib import suppress
from typing import Final, TypeAlias

from node.execution.warm_code import (
    FOUNDED_COUNT_MAX,
    WARM_BYTES_MAX,
    WARM_COUNT_MAX,
    WarmCode,
)
from node.ledger.contract import read_code, read_contract
from node.ledger.overlay import StateReader
from node.ledger.receipt import Event
from node.vm.gas import DYNAMIC_GAS
from node.vm.limits import MODULE_BYTES_MAX
from node.vm.linked import LinkedModule
from node.vm.meter import Meter
from node.vm.module import FunctionKind, decode_module
from node.vm.operations.storage import encode_charged
from node.vm.shapes import Value
from node.vm.types import TypeIndex
from node.vm.verified import VerifiedModule
from node.vm.verifier import verify
from primitives.ids import Address, Digest

MODULES_MAX: Final = 2 * WARM_COUNT_MAX + FOUNDED_COUNT_MAX
LIBRARY_BYTES_MAX: Final = 2 * WARM_BYTES_MAX + FOUNDED_COUNT_MAX * MODULE_BYTES_MAX
"""Of code; more than what is warm, so that who drives warm code out has paid for loading as much
again, and since views of old states load code that is not."""

_RESULT: Final = DYNAMIC_GAS["EMIT"]
EventFields: TypeAlias = tuple[tuple[str, TypeIndex], ...]


class Entry:
    """A module with the codecs that a call from outside needs."""

    __slots__ = ("linked", "module", "size_bytes")

    def __init__(self, module: VerifiedModule, *, size_bytes: int) -> None:
        self.module: Final = module
        self.size_bytes: Final = size_bytes
        self.linked: Final = LinkedModule(module)

    @property
    def init(self) -> int | None:
        """The function that runs at deployment, None if there is none."""
        for index, function in enumerate(self.module.functions):
            if function.kind is FunctionKind.INIT:
                return index
        return None

    def decode_event(self, event: Event, *, fields: EventFields) -> tuple[Value, ...] | None:
        """Return the values of an event that this contract emitted.

        Args:
            event: whose name the module declares.
            fields: names and types that the reader expects; None is returned for others.
        """
        events = self.module.events
        index = next(place for place, known in enumerate(events) if known.name == event.name)
        if tuple((field.name, field.type) for field in events[index].fields) != fields:
            return None
        values = self.linked.event_codec(index).decode(event.fields)
        assert isinstance(values, tuple)
        return values

    def encode_result(self, value: Value, *, function: int, meter: Meter) -> bytes:
        """Return the encoding of what the function returned, charged as an event is.

        A receipt carries it, and a few shared parts can stand for gigabytes.

        Raises:
            VmTrap: OUT_OF_GAS; VALUE_SIZE, it is too long to leave the machine.
        """
        codec = self.linked.codec(self.module.functions[function].result)
        return encode_charged(meter, codec, value, rate=_RESULT)


class Library:
    """The modules of the contracts that were called last."""

    __slots__ = ("_entries", "warm")

    def __init__(self) -> None:
        self._entries: OrderedDict[Digest, Entry] = OrderedDict()
        self.warm: Final = WarmCode()

    @property
    def size_bytes(self) -> int:
        """Return the size of the code of all of them."""
        return sum(entry.size_bytes for entry in list(self._entries.values()))

    def at(self, state: StateReader, address: Address) -> Entry | None:
        """Return the contract at the address, None if there is none."""
        record = read_contract(state, address)
        return None if record is None else self.load(state, record.code_digest)

    def load(self, state: StateReader, digest: Digest) -> Entry:
        """Return the module of code that is stored."""
        entry = self._entries.get(digest)
        if entry is None:
            code = read_code(state, digest)
            return self.add(digest, verify(decode_module(code)), size_bytes=len(code))
        self._touch(digest)
        return entry

    def add(self, digest: Digest, module: VerifiedModule, *, size_bytes: int) -> Entry:
        """Keep a module that was verified; those that were not called for longest go."""
        # The engine keeps what it made of a module under the module, so the first one stays.
        entry = self._entries.setdefault(digest, Entry(module, size_bytes=size_bytes))
        self._touch(digest)
        while len(self._entries) > MODULES_MAX or self.size_bytes > LIBRARY_BYTES_MAX:
            self._entries.popitem(last=False)
        return entry

    def _touch(self, digest: Digest) -> None:
        # Another thread may have taken it out since; it is as good as before.
        with suppress(KeyError):
            self._entries.move_to_end(digest)
