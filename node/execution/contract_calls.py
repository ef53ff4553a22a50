"""Contracts that call each other inside one transaction: the stack, the money, the events.

Guards: a contract that waits for another cannot be entered again, so nobody acts on state that is
half written; what a trap interrupts is undone by the transaction as a whole, since no contract can
catch one; money arrives before the code that it comes with runs.
"""

from typing import Final

from node.execution.facts import CommitFacts
from node.execution.host import ContractHost
from node.execution.library import Entry, Library
from node.execution.warm_code import LOAD_GAS_PER_BYTE, warm_up
from node.ledger.account import transfer
from node.ledger.contract import read_code, read_contract
from node.ledger.errors import InsufficientBalanceError
from node.ledger.overlay import Overlay
from node.ledger.receipt import Event
from node.vm.engine import Engine, decode_arguments, find_method, resolve_invocation
from node.vm.frame import Access, Frame
from node.vm.limits import CALL_DEPTH_MAX
from node.vm.meter import Meter
from node.vm.module import FunctionKind, InterfaceMethod
from node.vm.shapes import Value
from node.vm.traps import Trap, VmTrap
from node.vm.verified import VerifiedModule
from primitives.ids import Address, Digest, Grain

EVENTS_BYTES_MAX: Final = 1_048_576
"""Of all events of one transaction together, names included; no receipt is longer than four."""


class ContractCalls:
    """All contract calls of one transaction."""

    __slots__ = (
        "_engine",
        "_events_bytes",
        "_loaded",
        "_stack",
        "events",
        "facts",
        "library",
        "overlay",
    )

    def __init__(
        self, overlay: Overlay, *, facts: CommitFacts, engine: Engine, library: Library
    ) -> None:
        self.overlay: Final = overlay
        self.facts: Final = facts
        self.library: Final = library
        self.events: list[Event] = []
        self._engine = engine
        self._events_bytes = 0
        self._loaded: list[tuple[Digest, int]] = []
        self._stack: list[Address] = []

    def put_in(self, digest: Digest, module: VerifiedModule, *, size_bytes: int) -> None:
        """Make code that a deployment paid for ready to be called."""
        self._engine.prepare(self.library.add(digest, module, size_bytes=size_bytes).module)
        warm_up(self.overlay, digest, size_bytes=size_bytes)

    def call(
        self,
        contract: Address,
        method: str,
        arguments: bytes,
        *,
        sender: Address,
        value: Grain,
        meter: Meter,
    ) -> bytes:
        """Run a method as a transaction asks for it; return its encoded result.

        Raises:
            VmTrap: whatever it ended in.
        """
        entry = self._entry(contract, meter)
        function = find_method(entry.module, method)
        decoded = decode_arguments(entry.linked, arguments, function=function)
        frame = self._frame(contract, sender=sender, value=value)
        result = self._enter(entry, function, decoded, frame=frame, meter=meter)
        return entry.encode_result(result, function=function, meter=meter)

    def start(
        self, contract: Address, arguments: bytes, *, sender: Address, value: Grain, meter: Meter
    ) -> None:
        """Run the `init` of a contract that was just put on the chain.

        Raises:
            VmTrap: whatever it ended in; BAD_ARGUMENTS or NOT_PAYABLE where there is no `init`.
        """
        entry = self._entry(contract, meter)
        function = entry.init
        if function is None:
            if arguments:
                raise VmTrap(Trap.BAD_ARGUMENTS, message="the contract has no init")
            if value:
                raise VmTrap(Trap.NOT_PAYABLE, message="the contract has no init")
            return
        decoded = decode_arguments(entry.linked, arguments, function=function)
        frame = self._frame(contract, sender=sender, value=value)
        self._enter(entry, function, decoded, frame=frame, meter=meter)

    def wake(self, contract: Address, function: int, arguments: bytes, *, meter: Meter) -> None:
        """Run a call that the contract scheduled.

        Raises:
            VmTrap: whatever it ended in.
        """
        entry = self._entry(contract, meter)
        decoded = decode_arguments(entry.linked, arguments, function=function)
        frame = self._frame(contract, sender=contract, value=Grain(0))
        self._enter(entry, function, decoded, frame=frame, meter=meter)

    def invoke(
        self,
        caller: ContractHost,
        target: Address,
        method: InterfaceMethod,
        arguments: tuple[Value, ...],
        *,
        value: Grain,
        meter: Meter,
    ) -> Value:
        """Run a method as a contract asks for it; return its result.

        Raises:
            VmTrap: whatever it ended in; CALL_DEPTH, REENTRANT, BAD_CALL or NO_METHOD.
        """
        if len(self._stack) >= CALL_DEPTH_MAX:
            raise VmTrap(Trap.CALL_DEPTH)
        if target in self._stack:
            raise VmTrap(Trap.REENTRANT)
        entry = self._entry(target, meter)
        function = resolve_invocation(caller.module, method, callee=entry.module)
        access = Access.READ if method.kind is FunctionKind.VIEW else caller.frame.access
        frame = self._frame(target, sender=caller.frame.self_address, value=value, access=access)
        return self._enter(entry, function, arguments, frame=frame, meter=meter)

    def keep_loaded(self) -> None:
        """Warm up again what a failed transaction paid to load, after its rollback."""
        for digest, size_bytes in self._loaded:
            warm_up(self.overlay, digest, size_bytes=size_bytes)

    def add_event(self, event: Event) -> None:
        """Put an event on the receipt.

        Raises:
            VmTrap: EVENT_LIMIT.
        """
        self._events_bytes += len(event.fields) + len(event.name)
        if self._events_bytes > EVENTS_BYTES_MAX:
            raise VmTrap(Trap.EVENT_LIMIT)
        self.events.append(event)

    def _enter(
        self,
        entry: Entry,
        function: int,
        arguments: tuple[Value, ...],
        *,
        frame: Frame,
        meter: Meter,
    ) -> Value:
        contract = frame.self_address
        if frame.value:
            self._pay(frame)
        self._stack.append(contract)
        host = ContractHost(self, module=entry.module, frame=frame)
        result = self._engine.run(
            entry.module,
            function=function,
            arguments=arguments,
            frame=frame,
            host=host,
            meter=meter,
        )
        self._stack.pop()
        return result

    def _pay(self, frame: Frame) -> None:
        amount = Grain(frame.value)
        try:
            transfer(self.overlay, sender=frame.sender, recipient=frame.self_address, amount=amount)
        except InsufficientBalanceError as error:
            raise VmTrap(Trap.INSUFFICIENT_BALANCE) from error

    def _entry(self, contract: Address, meter: Meter) -> Entry:
        record = read_contract(self.overlay, contract)
        if record is None:
            raise VmTrap(Trap.BAD_CALL, message="there is no contract at the address")
        digest = record.code_digest
        if not self.library.warm.holds(self.overlay, digest):
            size_bytes = len(read_code(self.overlay, digest))
            meter.charge(size_bytes * LOAD_GAS_PER_BYTE)
            warm_up(self.overlay, digest, size_bytes=size_bytes)
            self._loaded.append((digest, size_bytes))
            self._engine.prepare(self.library.load(self.overlay, digest).module)
        return self.library.load(self.overlay, digest)

    def _frame(
        self, contract: Address, *, sender: Address, value: Grain, access: Access = Access.WRITE
    ) -> Frame:
        facts = self.facts
        return Frame(
            self_address=contract,
            sender=sender,
            value=value,
            time_ms=facts.time_ms,
            height=facts.height,
            beacon=facts.beacon,
            access=access,
            depth=len(self._stack),
        )
