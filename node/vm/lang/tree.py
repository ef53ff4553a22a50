"""Checked code: what a method computes, with every name resolved and every type known.

Expressions leave one value on the stack, or none if they are of type None and their operation has
no result; steps leave the stack as it was. Nodes are compared by identity.
"""

import enum
from dataclasses import dataclass
from typing import TypeAlias

from node.vm.lang.errors import Position
from node.vm.lang.types import Type, ValueType
from node.vm.opcodes import Op


class Origin(enum.Enum):
    """Where the value of a variable comes from, for messages about changes that are lost."""

    PARAMETER = "a parameter"
    LOOP = "the variable of a loop"
    ASSIGNED = "assigned"
    HIDDEN = "made by the compiler"


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A named value of one method, or a hidden one that the compiler needs."""

    name: str
    type: ValueType
    origin: Origin


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A value that the source spells out; all `int`, `bool`, `bytes` and `str`."""

    type: ValueType
    value: int | bool | bytes | str


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """The value of a variable."""

    variable: Variable
    at: Position

    @property
    def type(self) -> ValueType:
        """The type of the variable."""
        return self.variable.type


Immediate: TypeAlias = int | Type
"""A number, or a type that gets its number when the module is put together."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One instruction on the values of its operands."""

    type: ValueType
    op: Op
    immediates: tuple[Immediate, ...]
    operands: tuple["Expression", ...]
    at: Position


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """Some steps, and then a value that they prepared."""

    steps: tuple["Step", ...]
    result: "Expression"

    @property
    def type(self) -> ValueType:
        """The type of the result."""
        return self.result.type


@dataclass(frozen=True, slots=True, eq=False)
class TakeLast:
    """A list without its last item, which becomes the value of a variable."""

    type: ValueType
    whole: "Expression"
    item: Variable
    at: Position


Expression: TypeAlias = Literal | Read | Operation | Staged | TakeLast


class Purpose(enum.Enum):
    """Why a variable gets a value: a new one, or the old one with one part changed."""

    ASSIGN = "assign"
    CHANGE = "change"


@dataclass(frozen=True, slots=True, eq=False)
class Assign:
    """Give a variable a value."""

    variable: Variable
    value: Expression
    at: Position
    purpose: Purpose = Purpose.ASSIGN


@dataclass(frozen=True, slots=True, eq=False)
class Perform:
    """Carry out an operation for its effect."""

    operation: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """Do one of two things."""

    test: Expression
    yes: tuple["Step", ...]
    no: tuple["Step", ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """The identity of a loop."""


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """Repeat the body until it leaves.

    Args:
        is_endless: nothing in it leaves, so control never gets behind it.
    """

    label: Label
    body: tuple["Step", ...]
    is_endless: bool


@dataclass(frozen=True, slots=True, eq=False)
class Leave:
    """Go on after the loop."""

    label: Label


@dataclass(frozen=True, slots=True, eq=False)
class Repeat:
    """Begin the body of the loop again."""

    label: Label


@dataclass(frozen=True, slots=True, eq=False)
class Return:
    """End the method with a value."""

    value: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Fail:
    """Undo the call, with a message."""

    message: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Require:
    """Undo the call, with a message, unless the test holds."""

    test: Expression
    message: Literal


Step: TypeAlias = Assign | Perform | Branch | Loop | Leave | Repeat | Return | Fail | Require


def ends(steps: tuple[Step, ...]) -> bool:
    """Tell whether control never gets behind the steps."""
    if not steps:
        return False
    match steps[-1]:
        case Return() | Fail() | Leave() | Repeat():
            return True
        case Branch(yes=yes, no=no):
            return ends(yes) and ends(no)
        case Loop(is_endless=is_endless):
            return is_endless
        case _:
            return False
