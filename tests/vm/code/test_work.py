"""Verifying costs work in proportion to the module, whatever shape it has."""

import contextlib
from collections.abc import Callable

import pytest

from node.vm.assembler import assemble
from node.vm.limits import INTERNAL_CALL_DEPTH_MAX, NESTING_MAX
from node.vm.module import Module
from node.vm.rejection import InvalidModuleError
from node.vm.verifier import verify
from tests.effort import calls_made

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


def _try(module: Module) -> None:
    with contextlib.suppress(InvalidModuleError):
        verify(module)


@pytest.mark.parametrize(
    "shape",
    [_flat, _long_lists, _nested, _operands_that_are_not_there],
    ids=lambda each: each.__name__,
)
def test_work_grows_no_faster_than_the_code(shape: Callable[[int], str]) -> None:
    small, large = (assemble(HEADER + shape(size)) for size in (160, 160 * FACTOR))
    assert calls_made(lambda: _try(large)) < FACTOR * 1.1 * calls_made(lambda: _try(small))


def test_work_grows_no_faster_than_the_number_of_calls() -> None:
    # Twice the functions make four times the calls, so four times the code.
    small, large = (assemble(HEADER + _dense_calls(size)) for size in (320, 640))
    ratio = len(b"".join(each.code for each in large.functions)) / len(
        b"".join(each.code for each in small.functions)
    )
    assert calls_made(lambda: _try(large)) < ratio * 1.1 * calls_made(lambda: _try(small))
