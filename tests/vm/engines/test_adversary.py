"""Contracts made to hurt: each ends in its trap, in time and memory that its gas has bought."""

import time
import tracemalloc

import pytest

from node.vm.engine import Engine
from node.vm.limits import INT_MAX, LIST_LENGTH_MAX, MEMORY_BYTES_MAX
from node.vm.shapes import Value
from node.vm.traps import Trap
from tests.vm.engines.lab import DEEP, module_of, repeated, run
from tests.vm.engines.memory_host import MemoryHost

GAS = 100_000
SECONDS_MAX = 5
"""Catches a hang, not a slow machine."""

ATTACKS: dict[str, tuple[str, str, tuple[Value, ...], frozenset[Trap]]] = {
    "empty loop": ("LOOP | REPEAT", "", (), frozenset({Trap.OUT_OF_GAS})),
    "loop of continues": ("LOOP | CONTINUE | REPEAT", "", (), frozenset({Trap.OUT_OF_GAS})),
    "nested loops": (
        "LOOP | LOOP | TRUE | IF | BREAK | END | REPEAT | REPEAT",
        "",
        (),
        frozenset({Trap.OUT_OF_GAS}),
    ),
    "squaring": (
        "LOOP | GET 0 | DUP | MUL | SET 0 | REPEAT",
        "Int",
        (3,),
        frozenset({Trap.OVERFLOW}),
    ),
    "greatest power": (
        "LOOP | GET 0 | GET 0 | POW | DROP | REPEAT",
        "Int",
        (INT_MAX,),
        frozenset({Trap.OVERFLOW}),
    ),
    "greatest shift": (
        "LOOP | INT 1 | GET 0 | SHL | DROP | REPEAT",
        "Int",
        (INT_MAX,),
        frozenset({Trap.RANGE}),
    ),
    "shared parts in an event": (
        "LOOP | CONST 0 | GET 0 | EMIT 2 | REPEAT",
        "t22",
        (DEEP,),
        frozenset({Trap.VALUE_SIZE, Trap.OUT_OF_GAS}),
    ),
    "shared parts in storage": (
        "LOOP | GET 0 | SLAPPEND 7 | REPEAT",
        "t22",
        (DEEP,),
        frozenset({Trap.VALUE_SIZE, Trap.OUT_OF_GAS}),
    ),
    "giant texts": (
        "LOOP | GET 0 | GET 0 | CONCAT | SET 0 | REPEAT",
        "Str",
        ("é🎈",),
        frozenset({Trap.VALUE_SIZE}),
    ),
    "search": (
        "LOOP | GET 0 | GET 1 | CONTAINS | DROP | REPEAT",
        "Str Str",
        ("a" * 65_536, "a" * 32 + "b" + "a" * 31),
        frozenset({Trap.OUT_OF_GAS}),
    ),
    "sorting": (
        "LOOP | GET 0 | SORT | DROP | REPEAT",
        "t16",
        (tuple(INT_MAX - i * i for i in range(LIST_LENGTH_MAX)),),
        frozenset({Trap.OUT_OF_GAS, Trap.MEMORY}),
    ),
    "copies": (
        "LOOP | GET 0 | INT 1 | LAPPEND | LPOP | DROP | SET 0 | REPEAT",
        "t16",
        (repeated(7, LIST_LENGTH_MAX - 1),),
        frozenset({Trap.MEMORY, Trap.OUT_OF_GAS}),
    ),
    "storage flood": (
        "LOOP | GET 0 | INT 1 | ADD | SET 0 | SENDER | GET 0 | STORE 1 | REPEAT",
        "Int",
        (0,),
        frozenset({Trap.OUT_OF_GAS, Trap.WRITE_LIMIT}),
    ),
    "endless stored list": (
        "LOOP | INT 1 | SLAPPEND 2 | REPEAT",
        "",
        (),
        frozenset({Trap.OUT_OF_GAS, Trap.WRITE_LIMIT}),
    ),
    "events": ("LOOP | EMIT 1 | REPEAT", "", (), frozenset({Trap.EVENT_LIMIT})),
    "payments": (
        "LOOP | SENDER | INT 1 | TRANSFER | REPEAT",
        "",
        (),
        frozenset({Trap.INSUFFICIENT_BALANCE}),
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_ends_in_its_trap(engine: Engine, name: str) -> None:
    body, params, arguments, traps = ATTACKS[name]
    module = module_of(body, params=params)
    started = time.process_time()
    ending = run(engine, module, arguments, gas=GAS, host=MemoryHost(balance=10))
    assert time.process_time() - started < SECONDS_MAX
    assert ending.result in traps
    assert ending.gas == 0 or ending.result is not Trap.OUT_OF_GAS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["copies", "giant texts", "shared parts in storage", "sorting"])
def test_attack_takes_no_more_memory_than_is_counted(engine: Engine, name: str) -> None:
    body, params, arguments, _ = ATTACKS[name]
    module = module_of(body, params=params)
    engine.link(module)
    tracemalloc.start()
    try:
        run(engine, module, arguments, gas=20 * GAS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * MEMORY_BYTES_MAX


def test_depth_of_python_does_not_grow_with_the_contract(engine: Engine) -> None:
    # Sixteen calls, each below sixteen blocks, each inside a deep expression.
    calls = 15
    others = "".join(
        f"function f{depth} internal (Int) Int\n"
        + "TRUE\nIF\n" * 16
        + "GET 0\n"
        + "INT 1\nADD\n" * 200
        + (f"CALL {depth + 1}\n" if depth < calls else "")
        + "RETURN\n"
        + "END\n" * 16
        + "INT 0\nRETURN\n"
        for depth in range(1, calls + 1)
    )
    ending = run(engine, module_of("INT 0 | CALL 1 | RETURN", others=others))
    assert ending.result == 200 * calls
