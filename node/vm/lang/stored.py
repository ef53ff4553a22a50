"""A place in storage that nobody has read yet."""

import ast
from dataclasses import dataclass
from typing import TypeAlias

from node.vm.lang.declarations import StorageField
from node.vm.lang.errors import Position, ProblemError
from node.vm.lang.mismatch import shown
from node.vm.lang.tree import Expression, Immediate, Operation
from node.vm.lang.types import ListOf, MapOf, Type, ValueType
from node.vm.opcodes import Op


@dataclass(frozen=True, slots=True)
class Stored:
    """A field of the contract, or what lies under some keys of it."""

    field: StorageField
    keys: tuple[Expression, ...]
    type: Type
    node: ast.expr
    at: Position

    def operation(
        self,
        op: Op,
        type_: ValueType,
        *operands: Expression,
        immediates: tuple[Immediate, ...] = (),
    ) -> Operation:
        """Return an operation on the place."""
        numbers = (self.field.index, *immediates)
        return Operation(type_, op, numbers, (*self.keys, *operands), self.at)

    def load(self) -> Expression:
        """Return the value that lies here."""
        match self.type:
            case MapOf():
                hint = f"name a key: {shown(self.node)}[key]"
                raise ProblemError(self.node, "a Map is not a value", hint=hint)
            case ListOf():
                return self.operation(Op.SLLOAD, self.type, immediates=(self.type,))
            case _:
                return self.operation(Op.LOAD, self.type)


Reference: TypeAlias = Expression | Stored
