"""What a small module may weigh once it is spelt out, and what getting it ready takes."""

import sys
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from node.vm.assembler import assemble
from node.vm.engine import FastTier, Interpreter, resolve_invocation
from node.vm.fast.program import Program
from node.vm.limits import (
    EVENT_FIELDS_MAX,
    MODULE_LEAVES_MAX,
    PARAMS_MAX,
    TYPE_LEAVES_MAX,
    TYPES_MAX,
)
from node.vm.linked import LinkedModule
from node.vm.rejection import InvalidModuleError, Reason
from node.vm.verified import VerifiedModule
from node.vm.verifier import verify
from tests.effort import calls_made

if TYPE_CHECKING:
    from _typeshed import TraceFunction

_WIDE = (
    "type record R32 " + " ".join(f"a{place}:Int" for place in range(32)),
    "type record R256 " + " ".join(f"b{place}:t16" for place in range(8)),
)
_FULL = MODULE_LEAVES_MAX // TYPE_LEAVES_MAX


def _module(*declarations: str) -> VerifiedModule:
    return verify(assemble("\n".join(("module A 1", *_WIDE, *declarations))))


@pytest.mark.parametrize(
    "place",
    [
        "storage " + " ".join(f"c{place}:t17" for place in range(_FULL)),
        "event E " + " ".join(f"c{place}:t17" for place in range(EVENT_FIELDS_MAX)),
        f"method A.m view ({'t17 ' * (PARAMS_MAX - 1)}) t17",
        f"function f internal ({'t17 ' * (PARAMS_MAX - 1)}) t17\nGET 0\nRETURN",
    ],
    ids=["storage", "events", "methods", "functions"],
)
def test_leaves_of_a_module_are_bounded_wherever_they_are(place: str) -> None:
    _module(place)
    with pytest.raises(InvalidModuleError) as caught:
        _module(place, "event Last a:Int")
    assert caught.value.reason is Reason.MODULE_LEAVES


def test_leaves_of_a_stored_map_are_those_of_its_values() -> None:
    maps = ("type map Int t17", "type map Str t18")
    fields = "storage " + " ".join(f"c{place}:t19" for place in range(_FULL))
    _module(*maps, fields)
    with pytest.raises(InvalidModuleError) as caught:
        _module(*maps, fields, "event Last a:Int")
    assert caught.value.reason is Reason.MODULE_LEAVES


def test_widest_types_are_made_ready_once_each() -> None:
    wide = [
        f"type record W{index} " + " ".join(f"b{place}:t16" for place in range(8))
        for index in range(TYPES_MAX - 2)
    ]
    module = _module(*wide, "function f external () Unit\nUNIT\nRETURN")
    calls = calls_made(lambda: Program(LinkedModule(module)))
    assert calls < 200 * TYPES_MAX


def test_events_are_made_ready_when_they_are_first_emitted() -> None:
    event = "event E " + " ".join(f"c{place}:t17" for place in range(EVENT_FIELDS_MAX - 1))
    body = "function f external () Unit\nUNIT\nRETURN"
    with_event, without = _module(event, body), _module(body)
    extra = calls_made(lambda: Program(LinkedModule(with_event))) - calls_made(
        lambda: Program(LinkedModule(without))
    )
    assert extra < 10


def test_invocation_is_resolved_without_spelling_its_types_out() -> None:
    params = " ".join(["t17"] * (PARAMS_MAX - 1))
    callee = _module(f"function m external ({params}) t17\nGET 0\nRETURN")
    caller = _module(f"method X.m external ({params}) t17")
    method = caller.methods[0]
    assert resolve_invocation(caller, method, callee=callee) == 0
    calls = calls_made(lambda: resolve_invocation(caller, method, callee=callee))
    assert calls < 10 * PARAMS_MAX


def test_method_is_found_without_looking_at_all_the_others() -> None:
    others = [f"function g{place} external () Unit\nUNIT\nRETURN" for place in range(200)]
    module = _module(*others)
    lines = 0

    def on_line(_frame: FrameType, event: str, _argument: object) -> "TraceFunction":
        nonlocal lines
        lines += event == "line"
        return on_line

    # A test run that measures coverage traces too, and must go on with it.
    before = sys.gettrace()
    sys.settrace(on_line)
    try:
        found = module.function_named("g199")
    finally:
        sys.settrace(before)
    assert found == 199
    assert lines < 10


def test_engines_make_the_zero_of_a_local_without_its_codec() -> None:
    module = _module("function f external () Unit\nlocals t17\nUNIT\nRETURN")
    for engine in (Interpreter(), FastTier()):
        linked = engine.link(module)
        zero = linked.zero(module.functions[0].locals[0])
        assert zero == ((0,) * 32,) * 8
