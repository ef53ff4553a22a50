"""Internal calls form no circle, and who may write is known before anything runs."""

from node.vm.assembler import assemble
from node.vm.limits import INTERNAL_CALL_DEPTH_MAX
from node.vm.verified import VerifiedModule
from node.vm.verifier import verify


def _verified(*functions: str) -> VerifiedModule:
    return verify(assemble("module A 1\nstorage total:Int\n" + "\n".join(functions)))


def _caller(name: str, *callees: int, kind: str = "internal") -> str:
    calls = [f"CALL {callee}\nDROP" for callee in callees]
    return "\n".join((f"function {name} {kind} () Unit", *calls, "UNIT", "RETURN"))


WRITER = "function write internal () Unit\nINT 1\nSTORE 0\nUNIT\nRETURN"


def test_each_function_comes_behind_those_it_calls() -> None:
    module = _verified(_caller("a", 2, 1), _caller("b", 3), _caller("c", 1, 3), _caller("d"))
    assert module.call_order == (3, 1, 2, 0)
    assert [function.calls for function in module.functions] == [(1, 2), (3,), (1, 3), ()]


def test_calls_nest_as_deep_as_the_limit() -> None:
    last = INTERNAL_CALL_DEPTH_MAX - 1
    links = [_caller(f"f{index}", index + 1) for index in range(last)]
    assert _verified(*links, _caller("last")).call_order[0] == last


def test_diamond_is_no_circle() -> None:
    module = _verified(_caller("a", 1, 2), _caller("b", 3), _caller("c", 3), _caller("d"))
    assert module.call_order == (3, 1, 2, 0)


def test_caller_of_what_writes_writes() -> None:
    module = _verified(_caller("a", 1), _caller("b", 2), WRITER, _caller("d"))
    assert [function.writes for function in module.functions] == [True, True, True, False]


def test_view_may_be_called_and_may_call_what_only_reads() -> None:
    reader = "function read internal () Int\nLOAD 0\nRETURN"
    module = _verified(_caller("look", 1, 2, kind="view"), _caller("b", 2, kind="view"), reader)
    assert not any(function.writes for function in module.functions)


def test_view_may_invoke_views_of_others() -> None:
    method = "method Token.total view () Int"
    look = "function look view () Int\nSELF\nINVOKE 0\nRETURN"
    assert not _verified(method, look).functions[0].writes


def test_function_is_found_by_name() -> None:
    module = _verified(_caller("a"), _caller("b"))
    assert module.function_named("b") == 1
    assert module.function_named("c") is None
