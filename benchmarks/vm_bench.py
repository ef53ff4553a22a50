"""A contract that holds one case, on a state that is on a disk, run on the fast tier."""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final, Self

from benchmarks.vm_cases import (
    BESIDES,
    CONTRACT,
    DECLARATIONS,
    LOG,
    LOG_LENGTH,
    LOGS,
    NUMBERS,
    OTHER,
    OTHER_CONTRACT,
    OTHER_CONTRACTS,
    STORED_LISTS,
    STORED_TEXTS,
    TABLE_KINDS,
    TABLES,
    TEXT_LENGTH,
    TEXTS,
    Case,
)
from benchmarks.vm_disk import VALUE_SIZE_BYTES, Disk
from benchmarks.vm_world import NOW_MS, RICH, World
from node.execution.host import ContractHost
from node.execution.schedule import ScheduledCall, add_call
from node.ledger.account import Account, write_account
from node.ledger.contract import storage_key
from node.ledger.overlay import Overlay
from node.ledger.receipt import Event, Receipt, ReceiptStatus, receipts_root
from node.vm.assembler import assemble
from node.vm.engine import FastTier
from node.vm.frame import Frame
from node.vm.linked import LinkedModule
from node.vm.meter import Meter
from node.vm.shapes import Value, encode_narrow
from node.vm.slots import item_slot, slot_of
from node.vm.traps import VmTrap
from node.vm.verifier import verify
from primitives.ids import Address, Digest, Gas, Grain, Height, TimestampMs

GAS: Final = 10**12
NO_LIMIT: Final = 10**12
SUBJECT, EMPTY = 0, 1
SCHEDULED_CALLS: Final = 4_096
LATE_MS: Final = TimestampMs(NOW_MS + 10**10)
MEASURED_SETTLEMENTS: Final = 5

_NOBODY: Final = Digest(bytes(32))


class Bench:
    """Where trials run; `open` makes one."""

    def __init__(self, world: World, disk: Disk) -> None:
        self.world: Final = world
        self.disk: Final = disk

    @classmethod
    def open(cls, entries: int, stack: ExitStack) -> Self:
        """Put a state on a disk, until the stack is closed, and measure what it costs to commit."""
        world = World(FastTier())
        world.found("costs", assemble(_listing(Case("", "", "", (), "UNIT | DROP", 0))))
        world.found("other", assemble(OTHER))
        for number in range(OTHER_CONTRACTS):
            world.found_at(_numbered(number), assemble(OTHER))
        world.state.values.update(_storage(entries))
        others = [storage_key(OTHER_CONTRACT, encode_narrow(place)) for place in range(entries)]
        world.state.values.update(dict.fromkeys(others, bytes(VALUE_SIZE_BYTES)))
        overlay = Overlay(world.state)
        for number in range(entries):
            write_account(overlay, _numbered(number), Account(balance=RICH))
        for number in range(SCHEDULED_CALLS):
            add_call(overlay, _later(number))
        world.state.write(overlay.changes())
        disk = Disk.open(world.state.values, stack)
        disk.settle(others)
        return cls(world, disk)

    def trial(self, case: Case) -> "Trial":
        """Return a case, ready to run."""
        return Trial(self, case)


class Trial:
    """One case.

    Attributes:
        gas: of its units.
        is_varied: whether its operands are others every time.
    """

    def __init__(self, bench: Bench, case: Case) -> None:
        self._bench = bench
        self._case = case
        self._module = verify(assemble(_listing(case)))
        self._dice = random.Random(1)
        self._overlay = Overlay(bench.disk)
        self._calls = bench.world.calls(self._overlay)
        self._frame = Frame(
            self_address=CONTRACT,
            sender=Address(b"\x22" * 32),
            value=0,
            time_ms=NOW_MS,
            height=Height(1),
            beacon=bench.world.facts.beacon,
        )
        self.is_varied: Final = case.range > 0
        self.gas = self._gas_of(SUBJECT) - self._gas_of(EMPTY)

    def subject(self) -> int:
        """Run the case; return the CPU in ns."""
        return self._run(SUBJECT, Meter(GAS))

    def empty(self) -> int:
        """Run the function without the case; return the CPU in ns."""
        return self._run(EMPTY, Meter(GAS))

    def settled_ns(self) -> float:
        """Return what the changes and events of a run cost the commit."""
        self.subject()
        changes = self._overlay.changes()
        long_bytes = sum(
            max(0, len(value) - VALUE_SIZE_BYTES) for value in changes.values() if value
        )
        disk = self._bench.disk
        settled_us = len(changes) * disk.change_us + long_bytes * disk.byte_us
        return settled_us * 1_000 + _receipt_ns(self._calls.events)

    def _gas_of(self, function: int) -> int:
        meter = Meter(GAS)
        self._run(function, meter)
        return GAS - meter.gas

    def _run(self, function: int, meter: Meter) -> int:
        meter.memory_bytes = meter.writes = meter.events = meter.schedules = NO_LIMIT
        world, case = self._bench.world, self._case
        arguments: tuple[Value, ...] = case.arguments
        if case.range:
            arguments = (self._dice.randrange(case.range),)
        self._overlay = Overlay(self._bench.disk)
        self._calls = world.calls(self._overlay)
        host = ContractHost(self._calls, module=self._module, frame=self._frame)
        run, module, frame = world.engine.run, self._module, self._frame
        began_ns = time.process_time_ns()
        try:
            run(
                module,
                function=function,
                arguments=arguments,
                frame=frame,
                host=host,
                meter=meter,
            )
        except VmTrap:
            if case.op != "FAIL":
                raise
        return time.process_time_ns() - began_ns


def _listing(case: Case) -> str:
    locals_line = f"locals {case.spare}" if case.spare else ""
    units = "\n".join([case.unit] * case.count).replace("|", "\n")
    ending = "" if case.op == "FAIL" else "INT 0\nRETURN"
    head = f"external ({case.params}) Int\n{locals_line}\n"
    subject = f"function subject {head}{units}\n{ending}\n"
    return f"{DECLARATIONS}{subject}function empty {head}INT 0\nRETURN\n{BESIDES}"


def _storage(entries: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield what the contract has stored before any case runs."""
    module = verify(assemble(_listing(Case("", "", "", (), "", 0))))
    linked = LinkedModule(module)

    def slot(place: int, *keys: Value) -> bytes:
        return slot_of(place, module.storage[place], keys)

    def items(slot: bytes, place: int, *values: Value) -> Iterator[tuple[bytes, bytes]]:
        codec = linked.field(place).codec
        yield slot, encode_narrow(len(values))
        for number, value in enumerate(values):
            yield item_slot(slot, number), codec.encode(value)

    def slots() -> Iterator[tuple[bytes, bytes]]:
        for number in range(entries):
            yield slot(NUMBERS, number), encode_narrow(number)
        for number in range(STORED_LISTS):
            yield from items(slot(LOGS, number), LOGS, 1, 2, 3)
        for number in range(STORED_TEXTS):
            yield slot(TEXTS, number), encode_narrow("t" * TEXT_LENGTH)
        for number, table in enumerate(TABLE_KINDS.values()):
            yield from items(slot(TABLES, number), TABLES, table)
        yield from items(slot(LOG), LOG, *range(LOG_LENGTH))

    for place, encoded in slots():
        yield storage_key(CONTRACT, place), encoded


def _numbered(number: int) -> Address:
    return Address(number.to_bytes(32, "big"))


def _later(number: int) -> ScheduledCall:
    return ScheduledCall(
        at_ms=TimestampMs(LATE_MS + number),
        contract=CONTRACT,
        function=0,
        arguments=b"",
        gas=Gas(20_000),
    )


def _receipt_ns(events: list[Event]) -> float:
    """Return what the events add to making the root of the receipts."""
    if not events:
        return 0.0
    receipt = Receipt(transaction_id=_NOBODY, status=ReceiptStatus.DONE, fee=Grain(1))
    told = Receipt(
        transaction_id=_NOBODY, status=ReceiptStatus.DONE, fee=Grain(1), events=tuple(events)
    )
    return float(_root_ns(told) - _root_ns(receipt))


def _root_ns(receipt: Receipt) -> int:
    return min(_once_ns(receipt) for _ in range(MEASURED_SETTLEMENTS))


def _once_ns(receipt: Receipt) -> int:
    began_ns = time.process_time_ns()
    receipts_root([receipt])
    return time.process_time_ns() - began_ns
