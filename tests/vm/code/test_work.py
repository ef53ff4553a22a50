"""Verifying costs work in proportion to the module, whatever shape it has."""

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from node.vm.assembler import assemble
from node.vm.limits import INTERNAL_CALL_DEPTH_MAX, NESTING_MAX
from node.vm.module import Module
from node.vm.rejection import InvalidModuleError
from node.vm.verifier import verify

HEADER = "module A 1\ntype list Int\n"
FACTOR = 4


def _flat(size: int) -> str:
    return "function f internal () Unit\n" + "INT 1\nDROP\n" * size + "UNIT\nRETURN"


def _long_lists(size: int) -> str:
    once = "INT 1\n" * 60 + "LIST 60 t16\nDROP\n"
    return "function f internal () Unit\n" + once * (size // 20) + "UNIT\nRETURN"


def _nested(size: int) -> str:
    once = "TRUE\nIF\n" * NESTING_MAX + "END\n" * NESTING_MAX
    return "function f internal () Unit\n" + once * (size // 16) + "UNIT\nRETURN"


def _dense_calls(size: int) -> str:
    """Make layers of functions, each of which calls all of the next layer."""
    layers = INTERNAL_CALL_DEPTH_MAX
    width = size // 40
    functions = []
    for layer in range(layers):
        below = range((layer + 1) * width, (layer + 2) * width) if layer < layers - 1 else ()
        calls = "".join(f"CALL {callee}\nDROP\n" for callee in below)
        for place in range(width):
            name = f"f{layer}_{place}"
            functions.append(f"function {name} internal () Unit\n{calls}UNIT\nRETURN\n")
    return "".join(functions)


def _operands_that_are_not_there(size: int) -> str:
    huge = "LIST 4294967295 t16\n"
    return "function f internal () Unit\n" + "INT 1\nDROP\n" * size + huge


def _calls_made(module: Module) -> int:
    """Count the calls of Python functions: work that no other process disturbs."""
    count = 0

    def on_event(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(on_event)
    try:
        verify(module)
    except InvalidModuleError:
        pass
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "shape",
    [_flat, _long_lists, _nested, _operands_that_are_not_there],
    ids=lambda each: each.__name__,
)
def test_work_grows_no_faster_than_the_code(shape: Callable[[int], str]) -> None:
    small, large = (assemble(HEADER + shape(size)) for size in (160, 160 * FACTOR))
    assert _calls_made(large) < FACTOR * 1.1 * _calls_made(small)


def test_work_grows_no_faster_than_the_number_of_calls() -> None:
    # Twice the functions make four times the calls, so four times the code.
    small, large = (assemble(HEADER + _dense_calls(size)) for size in (320, 640))
    ratio = len(b"".join(each.code for each in large.functions)) / len(
        b"".join(each.code for each in small.functions)
    )
    assert _calls_made(large) < ratio * 1.1 * _calls_made(small)
