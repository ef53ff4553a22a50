"""A contract on both engines at once: every call is made on each, and they have to agree."""

from pathlib import Path
from typing import Final, TypeAlias

from node.vm.abi import PythonValue, from_value, to_value
from node.vm.engine import FastTier, Interpreter, find_method
from node.vm.frame import Frame
from node.vm.lang.compiler import compile_contract
from node.vm.linked import LinkedModule
from node.vm.meter import Meter
from node.vm.module import decode_module, encode_module
from node.vm.traps import Trap, VmTrap
from node.vm.verifier import verify
from primitives.ids import Address, Height, TimestampMs
from tests.vm.engines.memory_host import SELF, MemoryHost

SAMPLES: Final = Path(__file__).parent / "samples"
ENGINES: Final = (Interpreter(), FastTier())
GAS: Final = 10_000_000
ALICE, BOB, CAROL = (bytes([number]) * 32 for number in (0xA1, 0xB0, 0xCA))

Outcome: TypeAlias = "PythonValue | VmTrap"


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.contract").read_text(encoding="utf-8")


class Stage:
    """A deployed contract, the time, and what each engine has made of it so far."""

    def __init__(self, source: str) -> None:
        module = compile_contract(source, filename="stage.contract")
        assert decode_module(encode_module(module)) == module
        self.module = verify(module)
        self.linked = LinkedModule(self.module)
        self.hosts = [MemoryHost(balance=0) for _ in ENGINES]
        self.now_ms = 1_700_000_000_000
        self.gas = GAS
        self.gas_used = 0

    @property
    def host(self) -> MemoryHost:
        return self.hosts[0]

    @property
    def events(self) -> list[tuple[str, dict[str, PythonValue]]]:
        found = []
        for index, encoded in self.host.events:
            event = self.module.events[index]
            values = self.linked.event_codec(index).decode(encoded)
            assert isinstance(values, tuple)
            found.append(
                (
                    event.name,
                    {
                        field.name: from_value(self.module.types, field.type, value)
                        for field, value in zip(event.fields, values, strict=True)
                    },
                )
            )
        return found

    def deploy(self, *arguments: PythonValue, sender: bytes = ALICE) -> None:
        """Call the method with @init."""
        name = next(each.name for each in self.module.functions if each.kind.name == "INIT")
        self._enter(self._index(name), arguments, sender=sender, value=0)

    def call(
        self, name: str, *arguments: PythonValue, sender: bytes = ALICE, value: int = 0
    ) -> PythonValue:
        """Call a method; a trap undoes everything, as a transaction would."""
        index = find_method(self.module, name)
        return self._enter(index, arguments, sender=sender, value=value)

    def refusal(
        self, name: str, *arguments: PythonValue, sender: bytes = ALICE, value: int = 0
    ) -> Trap | str:
        """Return why a call is undone: the message of the contract, or the trap."""
        try:
            result = self.call(name, *arguments, sender=sender, value=value)
        except VmTrap as trap:
            return trap.message if trap.trap is Trap.REVERTED else trap.trap
        raise AssertionError(f"{name} returned {result!r}")

    def run_scheduled(self) -> None:
        """Let the chain make the calls that are due."""
        due = [call for call in self.host.scheduled if call[0] <= self.now_ms]
        for host in self.hosts:
            host.scheduled = [call for call in host.scheduled if call[0] > self.now_ms]
        for _, function, encoded, _ in due:
            values = self.linked.arguments_codec(function).decode(encoded)
            assert isinstance(values, tuple)
            params = self.module.functions[function].params
            pairs = zip(params, values, strict=True)
            arguments = tuple(from_value(self.module.types, *pair) for pair in pairs)
            self._enter(function, arguments, sender=SELF, value=0)

    def _index(self, name: str) -> int:
        index = self.module.function_named(name)
        assert index is not None
        return index

    def _enter(
        self, function: int, arguments: tuple[PythonValue, ...], *, sender: bytes, value: int
    ) -> PythonValue:
        outcomes = [
            self._on_engine(place, function, arguments, sender=sender, value=value)
            for place in range(len(ENGINES))
        ]
        shown = [(str(outcome), gas) for outcome, gas in outcomes]
        assert shown[0] == shown[1]
        assert self.hosts[0].state() == self.hosts[1].state()
        outcome, self.gas_used = outcomes[0]
        if isinstance(outcome, VmTrap):
            raise outcome
        return outcome

    def _on_engine(
        self,
        place: int,
        function: int,
        arguments: tuple[PythonValue, ...],
        *,
        sender: bytes,
        value: int,
    ) -> tuple[Outcome, int]:
        called = self.module.functions[function]
        host, before = self.hosts[place], self.hosts[place].copied()
        before.scheduled = [*host.scheduled]
        before.invoked = [*host.invoked]
        host.balances[SELF] = host.balance_of(SELF) + value
        meter = Meter(self.gas)
        pairs = zip(called.params, arguments, strict=True)
        try:
            result = ENGINES[place].run(
                self.module,
                function=function,
                arguments=tuple(to_value(self.module.types, *pair) for pair in pairs),
                frame=self._frame(sender, value),
                host=host,
                meter=meter,
            )
        except VmTrap as trap:
            self.hosts[place] = before
            return trap, self.gas - meter.gas
        return from_value(self.module.types, called.result, result), self.gas - meter.gas

    def _frame(self, sender: bytes, value: int) -> Frame:
        return Frame(
            self_address=Address(SELF),
            sender=Address(sender),
            value=value,
            time_ms=TimestampMs(self.now_ms),
            height=Height(7),
            beacon=b"\x99" * 32,
        )
