"""What a transaction may still use: gas, and the bounds that no gas can buy.

One meter goes through all calls of a transaction, so a contract cannot win anything by calling
another. Memory is counted as it is allocated and never given back: what is alive is at most that.
Bytes and text count their size, a new list or record counts `ITEM_SIZE_BYTES` for each of its
items and for `HEADER_ITEMS` more, a value of a composite type that is decoded counts
`DECODED_GROWTH` times its encoding.
"""

from typing import Final

from node.vm.gas import Rate
from node.vm.limits import (
    EVENTS_PER_TRANSACTION_MAX,
    MEMORY_BYTES_MAX,
    SCHEDULES_PER_TRANSACTION_MAX,
    STORAGE_WRITES_PER_TRANSACTION_MAX,
)
from node.vm.traps import Trap, VmTrap

ITEM_SIZE_BYTES: Final = 8
HEADER_ITEMS: Final = 4
DECODED_GROWTH: Final = 8


class Meter:
    """Count down what is left; a count never goes below zero."""

    __slots__ = ("events", "gas", "memory_bytes", "schedules", "writes")

    def __init__(self, gas: int) -> None:
        self.gas = gas
        self.memory_bytes = MEMORY_BYTES_MAX
        self.events = EVENTS_PER_TRANSACTION_MAX
        self.schedules = SCHEDULES_PER_TRANSACTION_MAX
        self.writes = STORAGE_WRITES_PER_TRANSACTION_MAX

    def charge(self, gas: int) -> None:
        """Take the gas.

        Raises:
            VmTrap: OUT_OF_GAS, and nothing is left.
        """
        if gas > self.gas:
            self.exhaust()
        self.gas -= gas

    def exhaust(self) -> None:
        """Take all the gas.

        Raises:
            VmTrap: OUT_OF_GAS, always.
        """
        self.gas = 0
        raise VmTrap(Trap.OUT_OF_GAS)

    def affordable(self, rate: Rate) -> int:
        """Return the greatest count whose dynamic gas the gas left covers."""
        return ((self.gas // rate.gas + 1) << rate.shift) - 1

    def allocate(self, size_bytes: int) -> None:
        """Count fresh memory.

        Raises:
            VmTrap: MEMORY.
        """
        if size_bytes > self.memory_bytes:
            raise VmTrap(Trap.MEMORY)
        self.memory_bytes -= size_bytes

    def take(self, gas: int, *, memory_bytes: int) -> None:
        """Take the gas, then count the memory that it was for.

        Raises:
            VmTrap: OUT_OF_GAS or MEMORY.
        """
        if gas > self.gas:
            self.exhaust()
        self.gas -= gas
        if memory_bytes > self.memory_bytes:
            raise VmTrap(Trap.MEMORY)
        self.memory_bytes -= memory_bytes

    def take_items(self, gas: int, *, count: int) -> None:
        """Take the gas, then count the memory of a fresh list.

        Raises:
            VmTrap: OUT_OF_GAS or MEMORY.
        """
        self.take(gas, memory_bytes=ITEM_SIZE_BYTES * (count + HEADER_ITEMS))

    def allocate_items(self, count: int) -> None:
        """Count the memory of a fresh list or record.

        Raises:
            VmTrap: MEMORY.
        """
        self.allocate(ITEM_SIZE_BYTES * (count + HEADER_ITEMS))

    def count_writes(self, count: int) -> None:
        """Count changes of storage slots.

        Raises:
            VmTrap: WRITE_LIMIT.
        """
        if count > self.writes:
            raise VmTrap(Trap.WRITE_LIMIT)
        self.writes -= count

    def count_event(self) -> None:
        """Count an event.

        Raises:
            VmTrap: EVENT_LIMIT.
        """
        if self.events == 0:
            raise VmTrap(Trap.EVENT_LIMIT)
        self.events -= 1

    def count_schedule(self) -> None:
        """Count a call that is scheduled.

        Raises:
            VmTrap: SCHEDULE.
        """
        if self.schedules == 0:
            raise VmTrap(Trap.SCHEDULE, message="too many calls scheduled")
        self.schedules -= 1
