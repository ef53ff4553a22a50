"""Seeded changes to the code of a module, instruction by instruction, so that many still verify."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from node.vm.bytecode import INTEGER_MAX, INTEGER_MIN, decode_code, encode_instruction
from node.vm.instruction_set import SPECS
from node.vm.limits import CODE_BYTES_MAX
from node.vm.module import Function, Module
from node.vm.opcodes import Immediate, OpSpec

Instruction = tuple[OpSpec, tuple[int, ...]]
Code = list[Instruction]
Change = Callable[[Code, random.Random, Sequence[Code]], None]

NUMBERS: Final = (0, 1, 2, 3, 7, 16, 17, 20, 31, 32, 255, 256, 65_535, INTEGER_MAX, INTEGER_MIN, -1)


def _alike() -> Mapping[tuple[object, ...], list[OpSpec]]:
    groups: dict[tuple[object, ...], list[OpSpec]] = defaultdict(list)
    for spec in SPECS:
        if spec is not None:
            groups[spec.stack, spec.immediates].append(spec)
    return groups


ALIKE: Final = _alike()
"""Opcodes that take and give the same, by what that is."""


def change_module(module: Module, dice: random.Random) -> Module:
    """Return the module with a few instructions changed in one function or two."""
    codes = [
        [(raw.spec, raw.immediates) for raw in decode_code(function.code)]
        for function in module.functions
    ]
    functions = list(module.functions)
    for _ in range(dice.randint(1, 2)):
        place = dice.randrange(len(functions))
        for _ in range(dice.randint(1, 3)):
            dice.choice(CHANGES)(codes[place], dice, codes)
        functions[place] = _with_code(functions[place], codes[place])
    return msgspec.structs.replace(module, functions=tuple(functions))


def _with_code(function: Function, code: Code) -> Function:
    raw = b"".join(encode_instruction(spec, immediates) for spec, immediates in code)
    return msgspec.structs.replace(function, code=raw[: CODE_BYTES_MAX + 1])


def _exchange(code: Code, dice: random.Random, _: Sequence[Code]) -> None:
    """Put an opcode in the place of another that takes and gives the same."""
    places = [
        at for at, (spec, _) in enumerate(code) if len(ALIKE[spec.stack, spec.immediates]) > 1
    ]
    if places:
        at = dice.choice(places)
        spec, immediates = code[at]
        code[at] = (dice.choice(ALIKE[spec.stack, spec.immediates]), immediates)


def _renumber(code: Code, dice: random.Random, _: Sequence[Code]) -> None:
    places = [at for at, (_, immediates) in enumerate(code) if immediates]
    if places:
        at = dice.choice(places)
        spec, immediates = code[at]
        which = dice.randrange(len(immediates))
        signed = spec.immediates[which] is Immediate.INTEGER
        number = dice.choice(NUMBERS) if signed else dice.randrange(40)
        code[at] = (spec, (*immediates[:which], number, *immediates[which + 1 :]))


def _drop(code: Code, dice: random.Random, _: Sequence[Code]) -> None:
    if code:
        start = dice.randrange(len(code))
        del code[start : start + dice.choice((1, 1, 2, 8))]


def _repeat(code: Code, dice: random.Random, _: Sequence[Code]) -> None:
    start = dice.randrange(len(code) + 1)
    code[start:start] = code[start : start + dice.choice((1, 2, 8, 64))]


def _swap(code: Code, dice: random.Random, _: Sequence[Code]) -> None:
    if len(code) > 1:
        at = dice.randrange(len(code) - 1)
        code[at : at + 2] = reversed(code[at : at + 2])


def _borrow(code: Code, dice: random.Random, others: Sequence[Code]) -> None:
    """Put a piece of any function somewhere."""
    other = dice.choice(others)
    start = dice.randrange(len(other) + 1)
    at = dice.randrange(len(code) + 1)
    code[at:at] = other[start : start + dice.choice((1, 2, 5, 30))]


CHANGES: Final[tuple[Change, ...]] = (
    *(_exchange,) * 8,
    *(_renumber,) * 4,
    _drop,
    _repeat,
    _swap,
    _borrow,
)
