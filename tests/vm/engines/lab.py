"""Run a few instructions on one engine and say how they ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

from node.vm.assembler import assemble
from node.vm.engine import Engine, FastTier, Interpreter
from node.vm.frame import Access, Frame
from node.vm.limits import LIST_LENGTH_MAX, MEMORY_BYTES_MAX
from node.vm.meter import Meter
from node.vm.shapes import Value
from node.vm.traps import Trap, VmTrap
from node.vm.verified import VerifiedModule
from node.vm.verifier import verify
from primitives.ids import Address, Height, TimestampMs
from tests.vm.engines.memory_host import SELF, SENDER, MemoryHost

ENGINES: Final[tuple[Engine, ...]] = (Interpreter(), FastTier())
GAS: Final = 1_000_000

DECLARATIONS: Final = """
module Lab 1
type list Int                                       ; t16
type option Int                                     ; t17
type record Pair a:Int b:Str                        ; t18
type list t18                                       ; t19
type list Str                                       ; t20
type list t16                                       ; t21
type list t21                                       ; t22
type list t22                                       ; t23
type map Address Int                                ; t24
type map Str t16                                    ; t25
type map Int t24                                    ; t26
type option t18                                     ; t27
type list Fixed                                     ; t28
type list Address                                   ; t29
type map Bytes Bool                                 ; t30
constant Str "no"                                   ; 0
constant Int 115792089237316195423570985008687907853269984665640564039457
constant Bytes 0xabcd
constant Str "héllo"
storage total:Int                                   ; 0
storage balances:t24                                ; 1
storage log:t16                                     ; 2
storage logs:t25                                    ; 3
storage pair:t18                                    ; 4
storage deep:t26                                    ; 5
storage pairs:t19                                   ; 6
storage table:t23                                   ; 7
storage text:Str                                    ; 8
storage flags:t30                                   ; 9
event Added who:Address amount:Int                  ; 0
event Silent                                        ; 1
event Told text:Str table:t22                       ; 2
method Other.ask view (Int) Int                     ; 0
method Other.pay payable (t18) Bool                 ; 1
method Other.tell external () Unit                  ; 2
"""


def repeated(item: Value, count: int = LIST_LENGTH_MAX) -> tuple[Value, ...]:
    """Return a list of one item many times; of `(item,) * count` mypy would make a literal type."""
    return tuple(repeat(item, count))


DEEP: Final = repeated(repeated(repeated(7)))
"""4,096 ** 3 numbers in a few kilobytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended.

    Attributes:
        result: the value, or the trap.
        gas: what is left.
    """

    result: Value | Trap
    gas: int
    host: MemoryHost
    meter: Meter

    @property
    def gas_used(self) -> int:
        return GAS - self.gas


def listing(body: str) -> str:
    """Return the lines of a body that is written in one line, `INT 1 | RETURN`."""
    return "\n".join(line.strip() for line in body.split("|"))


def module_of(
    body: str,
    *,
    params: str = "",
    result: str = "Int",
    kind: str = "external",
    local_types: str = "",
    others: str = "",
) -> VerifiedModule:
    """Return a module whose function 0 has this body."""
    head = f"function subject {kind} ({params}) {result}\n"
    head += f"locals {local_types}\n" if local_types else ""
    return verify(assemble(f"{DECLARATIONS}\n{head}{listing(body)}\n{others}"))


def frame_of(*, value: int = 0, access: Access = Access.WRITE) -> Frame:
    return Frame(
        self_address=Address(SELF),
        sender=Address(SENDER),
        value=value,
        time_ms=TimestampMs(1_700_000_000_000),
        height=Height(42),
        beacon=b"\x99" * 32,
        access=access,
    )


def run(
    engine: Engine,
    module: VerifiedModule,
    arguments: Sequence[Value] = (),
    *,
    host: MemoryHost | None = None,
    gas: int = GAS,
    frame: Frame | None = None,
    memory_bytes: int = MEMORY_BYTES_MAX,
) -> Ending:
    """Run function 0."""
    host = host or MemoryHost()
    meter = Meter(gas)
    meter.memory_bytes = memory_bytes
    result: Value | Trap
    try:
        result = engine.run(
            module,
            function=0,
            arguments=tuple(arguments),
            frame=frame or frame_of(),
            host=host,
            meter=meter,
        )
    except VmTrap as trap:
        result = trap.trap
    return Ending(result=result, gas=meter.gas, host=host, meter=meter)
