"""What the verifier hands to the engines: decoded instructions with their types and gas.

An engine may rely on every word here without checking it again; only `verifier.verify` makes these.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from node.vm.module import Event, FunctionKind, InterfaceMethod, Module
from node.vm.opcodes import Op
from node.vm.type_table import TypeTable
from node.vm.types import TypeIndex


class Instruction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One decoded instruction.

    Args:
        offset: of its opcode in the code.
        immediates: as the table lists them; INTEGER with its sign.
        target: the index of the instruction to go on with. IF: if the operand is false; ELSE,
            BREAK, CONTINUE, REPEAT: always. Else 0. A target may be one behind the last
            instruction only where control never gets there.
        segment_gas: what the gas segment that begins here costs; 0 where none begins.
        height: of the stack before it.
        operands: the types it pops, deepest first; they are the top `len(operands)` of the stack.
        results: the types it pushes, deepest first.
    """

    op: Op
    offset: int
    immediates: tuple[int, ...]
    target: int
    segment_gas: int
    height: int
    operands: tuple[TypeIndex, ...]
    results: tuple[TypeIndex, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedFunction:
    """A function that may run.

    Args:
        locals: the types of all locals, the parameters first.
        stack_height_max: the greatest height its own stack reaches.
        calls: the functions that it calls, ascending.
        writes: whether it, or a function that it calls, may write, emit, transfer or schedule.
    """

    name: str
    kind: FunctionKind
    params: tuple[TypeIndex, ...]
    result: TypeIndex
    locals: tuple[TypeIndex, ...]
    instructions: tuple[Instruction, ...]
    stack_height_max: int
    calls: tuple[int, ...]
    writes: bool


@enum.unique
class StorageShape(enum.Enum):
    """How the leaf of a storage field is stored."""

    VALUE = "value"
    """One slot with the encoded value."""

    LIST = "list"
    """One slot with the length and one for each item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageField:
    """A field of the contract's storage; its slot begins with its place in the layout.

    Args:
        keys: the types of the map keys, the outermost first; empty for a plain field.
        leaf: the type under the last key: of the value, or of the list.
        element: the type of what one slot holds: the leaf, or the item of the list.
    """

    name: str
    keys: tuple[TypeIndex, ...]
    shape: StorageShape
    leaf: TypeIndex
    element: TypeIndex


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VerifiedModule:
    """A module that may run; compared by identity, so that engines can keep what they make of it.

    Args:
        constants: decoded; `constant_types` has their types.
        call_order: all functions, each after every function that it calls.
        places: the indices of the functions by name.
    """

    module: Module
    types: TypeTable
    constants: tuple[int | bytes | str, ...]
    constant_types: tuple[TypeIndex, ...]
    storage: tuple[StorageField, ...]
    events: tuple[Event, ...]
    methods: tuple[InterfaceMethod, ...]
    functions: tuple[VerifiedFunction, ...]
    call_order: tuple[int, ...]
    places: Mapping[str, int]

    def function_named(self, name: str) -> int | None:
        """Return the index of the function of this name, None if there is none."""
        return self.places.get(name)
