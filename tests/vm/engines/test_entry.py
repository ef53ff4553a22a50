import pytest

from node.vm.engine import (
    Engine,
    decode_arguments,
    find_method,
    resolve_invocation,
)
from node.vm.frame import Access
from node.vm.module import FunctionKind, InterfaceMethod
from node.vm.traps import Trap, VmTrap
from node.vm.types import INT, STR, TypeIndex
from tests.vm.engines.lab import frame_of, module_of, run

RETURNS = "INT 1 | RETURN"


@pytest.mark.parametrize(
    ("kind", "result", "expected"),
    [
        ("external", "Int", Trap.NOT_PAYABLE),
        ("view", "Int", Trap.NOT_PAYABLE),
        ("scheduled", "Unit", Trap.NOT_PAYABLE),
        ("payable", "Int", 1),
        ("init", "Unit", None),
    ],
)
def test_money_goes_only_to_functions_that_take_it(
    engine: Engine, kind: str, result: str, expected: int | Trap | None
) -> None:
    body = RETURNS if result == "Int" else "UNIT | RETURN"
    module = module_of(body, kind=kind, result=result)
    assert run(engine, module, frame=frame_of(value=1)).result == expected


@pytest.mark.parametrize("count", [0, 2])
def test_wrong_number_of_arguments_is_refused(engine: Engine, count: int) -> None:
    module = module_of(RETURNS, params="Int")
    assert run(engine, module, [1] * count).result is Trap.BAD_ARGUMENTS


def test_internal_function_is_not_entered(engine: Engine) -> None:
    assert run(engine, module_of(RETURNS, kind="internal")).result is Trap.NO_METHOD


def test_call_that_may_only_read_cannot_enter_what_writes(engine: Engine) -> None:
    frame = frame_of(access=Access.READ)
    writer = module_of("INT 1 | STORE 0 | INT 1 | RETURN")
    assert run(engine, writer, frame=frame).result is Trap.STATIC
    through = module_of(
        "CALL 1 | RETURN", others="function w internal () Int\nINT 1\nSTORE 0\nINT 1\nRETURN\n"
    )
    assert run(engine, through, frame=frame).result is Trap.STATIC
    assert run(engine, module_of("LOAD 0 | RETURN", kind="view"), frame=frame).result == 0


def test_method_is_found_by_name_unless_only_the_chain_may_call_it() -> None:
    assert find_method(module_of(RETURNS), "subject") == 0
    for kind, name in (("internal", "subject"), ("external", "subjec")):
        with pytest.raises(VmTrap) as caught:
            find_method(module_of(RETURNS, kind=kind), name)
        assert caught.value.trap is Trap.NO_METHOD


def method(kind: FunctionKind, params: tuple[TypeIndex, ...], result: TypeIndex) -> InterfaceMethod:
    return InterfaceMethod(interface="Any", name="subject", kind=kind, params=params, result=result)


def test_invocation_needs_the_very_signature_and_kind() -> None:
    caller = module_of(RETURNS)
    callee = module_of(RETURNS, params="Int t18")
    record = TypeIndex(18)
    good = method(FunctionKind.EXTERNAL, (INT, record), INT)
    assert resolve_invocation(caller, good, callee=callee) == 0
    for bad in (
        method(FunctionKind.VIEW, (INT, record), INT),
        method(FunctionKind.EXTERNAL, (INT,), INT),
        method(FunctionKind.EXTERNAL, (INT, STR), INT),
        method(FunctionKind.EXTERNAL, (INT, record), STR),
    ):
        with pytest.raises(VmTrap) as caught:
            resolve_invocation(caller, bad, callee=callee)
        assert caught.value.trap is Trap.BAD_CALL


def test_arguments_are_decoded_strictly(engine: Engine) -> None:
    linked = engine.link(module_of(RETURNS, params="Int Str"))
    assert decode_arguments(linked, b"\x92\x07\xa2no", function=0) == (7, "no")
    for raw in (b"", b"\x91\x07", b"\x92\x07\xa2no\x00", b"\x92\xcc\x07\xa2no", b"\x92\x07\x07"):
        with pytest.raises(VmTrap) as caught:
            decode_arguments(linked, raw, function=0)
        assert caught.value.trap is Trap.BAD_ARGUMENTS


def test_module_is_linked_once(engine: Engine) -> None:
    module = module_of(RETURNS)
    assert engine.link(module) is engine.link(module)
    assert engine.link(module_of(RETURNS)) is not engine.link(module)
