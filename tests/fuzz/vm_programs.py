"""Run one module on both engines and compare everything; hold what it takes against its gas."""

import random
import time
import tracemalloc
from typing import Final

from node.vm.engine import Engine, FastTier, Interpreter
from node.vm.frame import Frame
from node.vm.meter import Meter
from node.vm.module import FunctionKind, InterfaceMethod
from node.vm.shapes import Value
from node.vm.traps import VmTrap
from node.vm.types import (
    BOOL,
    COMPOSITE_FIRST,
    UNIT,
    CompositeType,
    ListType,
    OptionType,
    RecordType,
    TypeIndex,
)
from node.vm.verified import VerifiedModule
from primitives.ids import Address, Height, TimestampMs
from tests.vm import palette
from tests.vm.engines.memory_host import SELF, SENDER, MemoryHost

GAS_MAX: Final = 200_000
CALLS_MAX: Final = 3
SECONDS_PER_GAS_MAX: Final = 2e-6
"""A hundred times what gas stands for: coverage slows everything down, as other processes do."""

SECONDS_MIN: Final = 0.2
BYTES_PER_GAS_MAX: Final = 256
BYTES_MIN: Final = 4 * 1024 * 1024
MEMORY_CHECKS: Final = 16
"""One call of so many is measured; that takes several times as long."""

Slots = dict[bytes, bytes]
Outcome = tuple[object, int, int, object]


def compare_engines(module: VerifiedModule, dice: random.Random, *, slots: Slots) -> None:
    """Call some functions of a module on both engines, and leave what they stored to the next.

    Raises:
        AssertionError: the engines disagree, or a call took more than its gas buys.
    """
    entries = [
        place
        for place, function in enumerate(module.functions)
        if function.kind is not FunctionKind.INTERNAL
    ]
    for _ in range(min(CALLS_MAX, len(entries))):
        call = _Call(module, dice, function=dice.choice(entries), slots=slots)
        expected, _ = call.outcome(Interpreter())
        # The first call translates; only the second shows what the gas buys.
        engine = FastTier()
        first, _ = call.outcome(engine)
        assert first == expected, f"{call.title}: {first} instead of {expected}"
        second, seconds = call.outcome(engine)
        assert second == expected, f"{call.title}: the second time {second}"
        call.check_time(seconds)
        if dice.randrange(MEMORY_CHECKS) == 0:
            call.check_memory(engine)


class _Call:
    """One call of one function."""

    def __init__(
        self, module: VerifiedModule, dice: random.Random, *, function: int, slots: Slots
    ) -> None:
        called = module.functions[function]
        takes_money = called.kind in {FunctionKind.PAYABLE, FunctionKind.INIT}
        self._module = module
        self._function = function
        self._slots = slots
        self._gas = dice.choice((GAS_MAX, GAS_MAX, dice.randrange(GAS_MAX)))
        self._value = 5 * int(takes_money)
        self._seed = dice.getrandbits(32)
        types = module.module.types
        self._arguments = tuple(value_of(dice, types, index) for index in called.params)
        self.title = f"{module.module.name}.{called.name}{self._arguments!r:.300} gas {self._gas}"

    def outcome(self, engine: Engine) -> tuple[Outcome, float]:
        """Return how the call ends, and the CPU seconds it took."""
        host = MemoryHost(invocation=self._answer)
        host.slots.update(self._slots)
        meter = Meter(self._gas)
        end: object
        began = time.process_time()
        try:
            end = engine.run(
                self._module,
                function=self._function,
                arguments=self._arguments,
                frame=_frame(self._value),
                host=host,
                meter=meter,
            )
        except VmTrap as trap:
            end = (trap.trap, trap.message)
        spent = time.process_time() - began
        return (end, meter.gas, meter.memory_bytes, host.state()), spent

    def check_time(self, seconds: float) -> None:
        """Hold the time of a call against its gas, and again if it was too long."""
        limit = SECONDS_MIN + SECONDS_PER_GAS_MAX * self._gas
        if seconds > limit:
            engine = FastTier()
            self.outcome(engine)
            seconds = min(self.outcome(engine)[1] for _ in range(3))
        assert seconds <= limit, f"{self.title}: {seconds:.3f} s of CPU"

    def check_memory(self, engine: Engine) -> None:
        """Hold the memory of a call against its gas."""
        tracemalloc.start()
        try:
            self.outcome(engine)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        limit = BYTES_MIN + BYTES_PER_GAS_MAX * self._gas
        assert peak_bytes <= limit, f"{self.title}: {peak_bytes} bytes of memory"

    def _answer(
        self,
        _target: bytes,
        method: InterfaceMethod,
        _arguments: tuple[Value, ...],
        _value: int,
        meter: Meter,
    ) -> Value:
        meter.charge(100)
        dice = random.Random(f"{self._seed} {method.name}")
        return value_of(dice, self._module.module.types, method.result)


def value_of(dice: random.Random, types: tuple[CompositeType, ...], index: TypeIndex) -> Value:
    """Return some value of a type of any module, often at the edge of something."""
    if index == UNIT:
        return None
    if index == BOOL:
        return dice.random() < 0.5
    if index < COMPOSITE_FIRST:
        return dice.choice(palette.LITERALS[index])
    match types[index - COMPOSITE_FIRST]:
        case ListType(item=item):
            return tuple(value_of(dice, types, item) for _ in range(dice.choice((0, 1, 2, 9))))
        case OptionType(item=item):
            return (value_of(dice, types, item),) if dice.random() < 0.7 else None
        case RecordType(fields=fields):
            return tuple(value_of(dice, types, field.type) for field in fields)
        case _:
            raise AssertionError("maps are no values")


def _frame(value: int) -> Frame:
    return Frame(
        self_address=Address(SELF),
        sender=Address(SENDER),
        value=value,
        time_ms=TimestampMs(1_700_000_000_000),
        height=Height(42),
        beacon=b"\x99" * 32,
    )
