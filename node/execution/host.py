"""The world of one running contract: its own storage and money, and questions about the chain."""

from typing import Final, Protocol

from typing_extensions import override

from node.execution.facts import CommitFacts
from node.execution.schedule import (
    ARGUMENTS_BYTES_MAX,
    SCHEDULE_HORIZON_MS,
    SCHEDULE_LENGTH_MAX,
    SCHEDULE_OPEN_MAX,
    ScheduledCall,
    add_call,
    waiting_count,
)
from node.ledger.account import SystemAccount, balance_of, transfer
from node.ledger.checkpoint import read_certificate, verify_certificate
from node.ledger.committee import SEATS_CODEC, check_seats
from node.ledger.contract import is_contract, is_founded
from node.ledger.errors import InsufficientBalanceError
from node.ledger.keyspace import Room
from node.ledger.overlay import Overlay
from node.ledger.receipt import Event
from node.ledger.staking.queries import stake_of
from node.vm.frame import Frame
from node.vm.host import Host
from node.vm.meter import Meter
from node.vm.module import InterfaceMethod
from node.vm.shapes import Value
from node.vm.traps import Trap, VmTrap
from node.vm.verified import VerifiedModule
from primitives.errors import (
    BadSignatureError,
    InvalidCheckpointError,
    InvalidKeyError,
    MalformedBytesError,
)
from primitives.hashing import Domain
from primitives.ids import Address, Gas, Grain, TimestampMs
from primitives.keys import PublicKey

_STORAGE: Final = bytes(Room.STORAGE)
_STAKE: Final = SystemAccount.STAKE.address


class Calls(Protocol):
    """The transaction that the call belongs to."""

    @property
    def overlay(self) -> Overlay:
        """The state that the transaction writes."""
        ...

    @property
    def facts(self) -> CommitFacts:
        """What holds for the whole commit."""
        ...

    def add_event(self, event: Event) -> None:
        """Put an event on the receipt.

        Raises:
            VmTrap: EVENT_LIMIT.
        """
        ...

    def invoke(
        self,
        caller: "ContractHost",
        target: Address,
        method: InterfaceMethod,
        arguments: tuple[Value, ...],
        *,
        value: Grain,
        meter: Meter,
    ) -> Value:
        """Run a method as a contract asks for it; return its result.

        Raises:
            VmTrap: whatever it ended in.
        """
        ...


class ContractHost(Host):
    """What the engine asks while it runs one call of one contract."""

    __slots__ = ("_calls", "_overlay", "_prefix", "frame", "module")

    def __init__(self, calls: Calls, *, module: VerifiedModule, frame: Frame) -> None:
        self._calls = calls
        self._overlay = calls.overlay
        self.module: Final = module
        self.frame: Final = frame
        self._prefix = _STORAGE + frame.self_address

    @override
    def load(self, slot: bytes) -> bytes | None:
        return self._overlay.get(self._prefix + slot)

    @override
    def store(self, slot: bytes, encoded: bytes) -> None:
        self._overlay.put(self._prefix + slot, encoded)

    @override
    def remove(self, slot: bytes) -> None:
        self._overlay.delete(self._prefix + slot)

    @override
    def balance_of(self, address: bytes) -> int:
        return balance_of(self._overlay, Address(address))

    @override
    def transfer(self, to: bytes, amount: int) -> None:
        if to == _STAKE:
            raise VmTrap(Trap.RANGE, message="money in the stake account would be nobody's stake")
        try:
            transfer(
                self._overlay,
                sender=self.frame.self_address,
                recipient=Address(to),
                amount=Grain(amount),
            )
        except InsufficientBalanceError as error:
            raise VmTrap(Trap.INSUFFICIENT_BALANCE) from error

    @override
    def emit(self, event: int, encoded: bytes) -> None:
        name = self.module.events[event].name
        self._calls.add_event(Event(self.frame.self_address, name, encoded))

    @override
    def schedule(self, at_ms: int, function: int, arguments: bytes, *, gas: int) -> None:
        now_ms = self.frame.time_ms
        if not now_ms < at_ms <= now_ms + SCHEDULE_HORIZON_MS:
            raise VmTrap(Trap.SCHEDULE, message="the time is past, or more than a year away")
        if len(arguments) > ARGUMENTS_BYTES_MAX:
            raise VmTrap(Trap.SCHEDULE, message="the arguments are too long")
        self._check_room()
        call = ScheduledCall(
            at_ms=TimestampMs(at_ms),
            contract=self.frame.self_address,
            function=function,
            arguments=arguments,
            gas=Gas(gas),
        )
        add_call(self._overlay, call)

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
        return self._calls.invoke(
            self, Address(target), method, arguments, value=Grain(value), meter=meter
        )

    @override
    def stake_of(self, address: bytes) -> int:
        return stake_of(self._overlay, Address(address))

    @override
    def power_of(self, address: bytes) -> int:
        return self._calls.facts.powers.get(Address(address), 0)

    @override
    def committee(self) -> tuple[bytes, ...]:
        return tuple(member.operator for member in self._calls.facts.members)

    @override
    def quorum(self) -> int:
        return self._calls.facts.quorum

    @override
    def has_code(self, address: bytes) -> bool:
        return is_contract(self._overlay, Address(address))

    @override
    def verify_signature(self, key: bytes, message: bytes, signature: bytes) -> bool:
        # Whoever signs for a contract signs for this one, on this chain.
        bound = self._calls.facts.chain_id + self.frame.self_address + message
        try:
            PublicKey.from_raw(key).verify(Domain.CONTRACT_MESSAGE, bound, signature)
        except (InvalidKeyError, BadSignatureError):
            return False
        return True

    @override
    def verify_certificate(self, committee: bytes, certificate: bytes) -> bool:
        try:
            seats = SEATS_CODEC.decode(committee)
            check_seats(seats)
            read = read_certificate(certificate)
            checkpoint = read.checkpoint
            verify_certificate(
                read, chain_id=checkpoint.chain_id, epoch=checkpoint.epoch, seats=seats
            )
        except (MalformedBytesError, InvalidCheckpointError):
            return False
        return True

    def _check_room(self) -> None:
        waiting = waiting_count(self._overlay)
        if waiting < SCHEDULE_OPEN_MAX:
            return
        own = self.frame.self_address
        if waiting >= SCHEDULE_LENGTH_MAX or not is_founded(self._overlay, Address(own)):
            raise VmTrap(Trap.SCHEDULE, message="the schedule of the chain is full")
