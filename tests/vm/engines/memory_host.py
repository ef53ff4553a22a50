"""A host of plain dictionaries: one contract's storage, some money, and nobody else's code."""

import copy
from collections.abc import Callable

from typing_extensions import override

from node.vm.host import Host
from node.vm.limits import CALL_DEPTH_MAX
from node.vm.meter import Meter
from node.vm.module import InterfaceMethod
from node.vm.shapes import Value
from node.vm.traps import Trap, VmTrap

Invocation = Callable[[bytes, InterfaceMethod, tuple[Value, ...], int, Meter], Value]

SELF = b"\x11" * 32
SENDER = b"\x22" * 32
VALIDATORS = tuple(bytes([0x30 + index]) * 32 for index in range(4))


def nobody_home(
    _target: bytes,
    _method: InterfaceMethod,
    _arguments: tuple[Value, ...],
    _value: int,
    _meter: Meter,
) -> Value:
    raise VmTrap(Trap.BAD_CALL, message="no code")


class MemoryHost(Host):
    """Remember everything a contract does.

    Args:
        invocation: answers calls of other contracts; they have no code by default.
    """

    def __init__(self, *, balance: int = 1_000, invocation: Invocation = nobody_home) -> None:
        self.slots: dict[bytes, bytes] = {}
        self.balances: dict[bytes, int] = {SELF: balance}
        self.events: list[tuple[int, bytes]] = []
        self.scheduled: list[tuple[int, int, bytes, int]] = []
        self.invoked: list[tuple[bytes, str, tuple[Value, ...], int]] = []
        self.invocation = invocation

    def copied(self) -> "MemoryHost":
        """Return a host in the same state, for the other engine."""
        host = MemoryHost(invocation=self.invocation)
        host.slots = dict(self.slots)
        host.balances = dict(self.balances)
        host.events = copy.copy(self.events)
        return host

    def state(self) -> object:
        """Return everything that two runs must agree on."""
        return (self.slots, self.balances, self.events, self.scheduled, self.invoked)

    @override
    def load(self, slot: bytes) -> bytes | None:
        return self.slots.get(slot)

    @override
    def store(self, slot: bytes, encoded: bytes) -> None:
        self.slots[slot] = encoded

    @override
    def remove(self, slot: bytes) -> None:
        self.slots.pop(slot, None)

    @override
    def balance_of(self, address: bytes) -> int:
        return self.balances.get(address, 0)

    @override
    def stake_of(self, address: bytes) -> int:
        return 100 if address in VALIDATORS else 0

    @override
    def power_of(self, address: bytes) -> int:
        return 2_500 if address in VALIDATORS else 0

    @override
    def committee(self) -> tuple[bytes, ...]:
        return VALIDATORS

    @override
    def quorum(self) -> int:
        return 6_667

    @override
    def has_code(self, address: bytes) -> bool:
        return address == SELF

    @override
    def verify_signature(self, key: bytes, message: bytes, signature: bytes) -> bool:
        return signature == key + message

    @override
    def verify_certificate(self, committee: bytes, certificate: bytes) -> bool:
        return certificate.startswith(committee)

    @override
    def transfer(self, to: bytes, amount: int) -> None:
        if self.balance_of(SELF) < amount:
            raise VmTrap(Trap.INSUFFICIENT_BALANCE)
        self.balances[SELF] = self.balance_of(SELF) - amount
        self.balances[to] = self.balance_of(to) + amount

    @override
    def emit(self, event: int, encoded: bytes) -> None:
        self.events.append((event, encoded))

    @override
    def schedule(self, at_ms: int, function: int, arguments: bytes, *, gas: int) -> None:
        self.scheduled.append((at_ms, function, arguments, gas))

    @override
    def invoke(
        self,
        target: bytes,
        method: InterfaceMethod,
        arguments: tuple[Value, ...],
        *,
        value: int,
        meter: Meter,
    ) -> Value:
        if len(self.invoked) >= CALL_DEPTH_MAX:
            raise VmTrap(Trap.CALL_DEPTH)
        self.invoked.append((target, method.name, arguments, value))
        return self.invocation(target, method, arguments, value, meter)
