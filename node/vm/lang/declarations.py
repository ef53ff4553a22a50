"""What a source declares: its records, interfaces, constants, fields and methods, by name."""

import ast
from dataclasses import dataclass, field
from typing import Final

from node.vm.lang.builtins import BUILTIN_NAMES
from node.vm.lang.tree import Literal
from node.vm.lang.types import Part, RecordOf, Type, ValueType
from node.vm.module import FunctionKind

MONEY_NAME: Final = "value"
"""The argument that sends money along with a call of another contract's @payable method."""

GAS_NAME: Final = "gas"
"""The argument of schedule() that says how much gas the call may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a method takes and returns."""

    name: str
    kind: FunctionKind
    params: tuple[Part, ...]
    result: ValueType


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the contract; the index is its place among the functions of the module."""

    index: int
    signature: Signature
    node: ast.FunctionDef


@dataclass(frozen=True, slots=True)
class StorageField:
    """A field of the contract."""

    index: int
    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Interface:
    """What another contract offers."""

    name: str
    methods: dict[str, Signature]


@dataclass(slots=True)
class Declarations:
    """Everything that has a name outside the methods.

    Args:
        faulty: names whose declaration has a problem; to use them is no second problem.
    """

    name: str = ""
    records: dict[str, RecordOf] = field(default_factory=dict)
    interfaces: dict[str, Interface] = field(default_factory=dict)
    constants: dict[str, Literal] = field(default_factory=dict)
    fields: dict[str, StorageField] = field(default_factory=dict)
    methods: dict[str, Method] = field(default_factory=dict)
    faulty: set[str] = field(default_factory=set)


RESERVED = frozenset({"self", "Contract", "Record", "Interface", *BUILTIN_NAMES})
