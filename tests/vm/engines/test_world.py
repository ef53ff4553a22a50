import pytest

from node.vm.engine import Engine
from node.vm.gas import STATIC_GAS
from node.vm.limits import EVENTS_PER_TRANSACTION_MAX, SCHEDULES_PER_TRANSACTION_MAX
from node.vm.meter import Meter
from node.vm.module import InterfaceMethod
from node.vm.shapes import Value
from node.vm.traps import Trap, VmTrap
from tests.vm.engines.lab import DEEP, GAS, frame_of, module_of, run
from tests.vm.engines.memory_host import SELF, SENDER, VALIDATORS, MemoryHost

A = b"\xaa" * 32

LATER = """
function later scheduled (Int Str) Unit
  UNIT
  RETURN
"""


@pytest.mark.parametrize(
    ("body", "result", "expected"),
    [
        ("SENDER | RETURN", "Address", SENDER),
        ("SELF | RETURN", "Address", SELF),
        ("VALUE | RETURN", "Int", 50),
        ("NOW | RETURN", "Int", 1_700_000_000_000),
        ("HEIGHT | RETURN", "Int", 42),
        ("BEACON | RETURN", "Bytes", b"\x99" * 32),
        ("SELF | BALANCE | RETURN", "Int", 1_000),
        ("SENDER | CODE_AT | RETURN", "Bool", False),
        ("SELF | CODE_AT | RETURN", "Bool", True),
        ("SELF | STAKE_OF | RETURN", "Int", 0),
        ("SELF | POWER_OF | RETURN", "Int", 0),
        ("QUORUM | RETURN", "Int", 6_667),
        ("COMMITTEE t29 | RETURN", "t29", VALIDATORS),
        ("COMMITTEE t29 | INT 1 | LGET | POWER_OF | RETURN", "Int", 2_500),
        ("COMMITTEE t29 | INT 1 | LGET | STAKE_OF | RETURN", "Int", 100),
        ("CONST 2 | CONST 2 | CONST 2 | VERIFY_SIGNATURE | RETURN", "Bool", False),
        (
            "CONST 2 | CONST 2 | CONST 2 | CONST 2 | CONCAT | VERIFY_SIGNATURE | RETURN",
            "Bool",
            True,
        ),
        ("CONST 2 | CONST 2 | VERIFY_CERTIFICATE | RETURN", "Bool", True),
    ],
)
def test_question_is_answered_by_the_frame_or_the_host(
    engine: Engine, body: str, result: str, expected: Value
) -> None:
    module = module_of(body, result=result, kind="payable")
    assert run(engine, module, frame=frame_of(value=50)).result == expected


def test_transfer_moves_money(engine: Engine) -> None:
    module = module_of("GET 0 | GET 1 | TRANSFER | SELF | BALANCE | RETURN", params="Address Int")
    ending = run(engine, module, [A, 400])
    assert ending.result == 600
    assert ending.host.balances[A] == 400
    assert run(engine, module, [A, 1_001]).result is Trap.INSUFFICIENT_BALANCE
    assert run(engine, module, [A, -1]).result is Trap.RANGE


def test_event_is_its_index_and_encoded_fields(engine: Engine) -> None:
    body = "SENDER | INT 7 | EMIT 0 | EMIT 1 | INT 0 | RETURN"
    ending = run(engine, module_of(body))
    assert ending.host.events == [(0, b"\x92\xc4\x20" + SENDER + b"\x07"), (1, b"\x90")]


def test_event_with_a_wide_integer_is_encoded_by_its_type(engine: Engine) -> None:
    ending = run(engine, module_of("SENDER | CONST 1 | EMIT 0 | INT 0 | RETURN"))
    wide = 115792089237316195423570985008687907853269984665640564039457
    expected = b"\x92\xc4\x20" + SENDER + b"\xc4\x20" + wide.to_bytes(32, "big")
    assert ending.host.events == [(0, expected)]


def test_events_of_a_transaction_are_bounded(engine: Engine) -> None:
    ending = run(engine, module_of("LOOP | EMIT 1 | REPEAT"))
    assert ending.result is Trap.EVENT_LIMIT
    assert len(ending.host.events) == EVENTS_PER_TRANSACTION_MAX


def test_event_with_shared_parts_is_not_encoded(engine: Engine) -> None:
    body = "CONST 0 | GET 0 | EMIT 2 | INT 0 | RETURN"
    ending = run(engine, module_of(body, params="t22"), [DEEP], gas=10**8)
    assert ending.result is Trap.VALUE_SIZE
    assert ending.host.events == []


def test_schedule_carries_the_encoded_arguments(engine: Engine) -> None:
    body = "GET 0 | GET 1 | INT 7 | CONST 0 | SCHEDULE 1 | INT 0 | RETURN"
    module = module_of(body, params="Int Int", others=LATER)
    scheduled = run(engine, module, [10**12, 20_000]).host.scheduled
    assert scheduled == [(10**12, 1, b"\x92\x07\xa2no", 20_000)]
    assert run(engine, module, [-1, 20_000]).result is Trap.SCHEDULE
    assert run(engine, module, [2**63, 20_000]).result is Trap.SCHEDULE


def test_the_gas_of_a_scheduled_call_is_paid_at_once(engine: Engine) -> None:
    body = "INT 9 | GET 0 | INT 7 | CONST 0 | SCHEDULE 1 | INT 0 | RETURN"
    module = module_of(body, params="Int", others=LATER)
    cheap, dear = (run(engine, module, [gas]).gas for gas in (20_000, 23_456))
    assert cheap - dear == 3_456
    assert run(engine, module, [19_999]).result is Trap.SCHEDULE
    assert run(engine, module, [2**200]).result is Trap.OUT_OF_GAS


def test_gas_left_is_what_the_meter_has(engine: Engine) -> None:
    ending = run(engine, module_of("GAS_LEFT | RETURN"))
    assert isinstance(ending.result, int)
    assert ending.gas == ending.result


def test_schedules_of_a_transaction_are_bounded(engine: Engine) -> None:
    body = "LOOP | INT 9 | INT 20000 | INT 7 | CONST 0 | SCHEDULE 1 | REPEAT"
    ending = run(engine, module_of(body, others=LATER))
    assert ending.result is Trap.SCHEDULE
    assert len(ending.host.scheduled) == SCHEDULES_PER_TRANSACTION_MAX


def test_invoke_passes_target_method_money_and_arguments(engine: Engine) -> None:
    def answer(
        _target: bytes,
        _method: InterfaceMethod,
        arguments: tuple[Value, ...],
        _value: int,
        _: Meter,
    ) -> Value:
        return {1: 77}.get(len(arguments), True)

    body = "GET 0 | INT 5 | INVOKE 0 | RETURN"
    ending = run(engine, module_of(body, params="Address"), [A], host=MemoryHost(invocation=answer))
    assert ending.result == 77
    assert ending.host.invoked == [(A, "ask", (5,), 0)]
    body = "GET 0 | INT 9 | INT 1 | CONST 0 | RECORD t18 | INVOKE 1 | DROP | INT 0 | RETURN"
    ending = run(engine, module_of(body, params="Address"), [A], host=MemoryHost(invocation=answer))
    assert ending.host.invoked == [(A, "pay", ((1, "no"),), 9)]


def test_invoke_with_negative_money_traps(engine: Engine) -> None:
    body = "SELF | INT -1 | INT 1 | CONST 0 | RECORD t18 | INVOKE 1 | DROP | INT 0 | RETURN"
    assert run(engine, module_of(body)).result is Trap.RANGE


def test_gas_that_the_called_contract_used_is_gone(engine: Engine) -> None:
    def spend(
        _target: bytes,
        _method: InterfaceMethod,
        _arguments: tuple[Value, ...],
        _value: int,
        meter: Meter,
    ) -> Value:
        meter.charge(12_345)
        return 1

    module = module_of("SELF | INT 5 | INVOKE 0 | RETURN")
    spent = run(engine, module, host=MemoryHost(invocation=spend))
    free = run(engine, module, host=MemoryHost(invocation=lambda *_: 1))
    assert spent.gas_used == free.gas_used + 12_345
    assert run(engine, module, host=MemoryHost(invocation=spend), gas=5_000).gas == 0


def test_trap_of_the_called_contract_is_the_trap_of_the_caller(engine: Engine) -> None:
    def refuse(*_: object) -> Value:
        raise VmTrap(Trap.REENTRANT)

    module = module_of("SELF | INT 5 | INVOKE 0 | RETURN")
    ending = run(engine, module, host=MemoryHost(invocation=refuse))
    assert ending.result is Trap.REENTRANT
    assert GAS - ending.gas >= STATIC_GAS["INVOKE"]


def test_arguments_with_shared_parts_do_not_get_through_a_call(engine: Engine) -> None:
    body = "GET 0 | INT 9 | INT 1 | GET 1 | RECORD t18 | INVOKE 1 | DROP | INT 0 | RETURN"
    module = module_of(body, params="Address Str")
    assert run(engine, module, [A, "x" * 65_536]).result is Trap.VALUE_SIZE
