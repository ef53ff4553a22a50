"""What a method can see while it is checked: names, types, loops, and where problems go."""

import ast
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from node.vm.lang.annotations import SCALARS, TypeReader
from node.vm.lang.builtins import BUILTIN_NAMES
from node.vm.lang.declarations import Declarations, Signature
from node.vm.lang.errors import Findings, NotedError, Position, ProblemError
from node.vm.lang.mismatch import conversion_hint
from node.vm.lang.suggest import hint_for
from node.vm.lang.tree import (
    Assign,
    Expression,
    Label,
    Literal,
    Operation,
    Origin,
    Read,
    Staged,
    Variable,
)
from node.vm.lang.types import Part, Scalar, ValueType, with_article
from node.vm.limits import LOCALS_MAX
from node.vm.module import FunctionKind
from node.vm.opcodes import Op

if TYPE_CHECKING:
    from node.vm.lang.stored import Reference

Lower: TypeAlias = "Callable[[ast.expr, Scope, ValueType | None], Expression]"


@dataclass(frozen=True, slots=True)
class EventUse:
    """An event as its first `emit` declares it."""

    index: int
    parts: tuple[Part, ...]
    line: int


@dataclass(slots=True)
class Registry:
    """What the methods of a contract use, in the order of first use; it becomes the module."""

    events: dict[str, EventUse] = field(default_factory=dict)
    methods: dict[tuple[str, str], int] = field(default_factory=dict)

    def method(self, interface: str, name: str) -> int:
        """Return the number of a method of another contract."""
        return self.methods.setdefault((interface, name), len(self.methods))


@dataclass(slots=True, kw_only=True)
class World:
    """What all methods of a source share."""

    declarations: Declarations
    types: TypeReader
    registry: Registry
    findings: Findings
    locate: Callable[[ast.AST], Position]
    lower: Lower


class Scope:
    """The names of one method.

    Args:
        signature: of the method; a constant at the top of the file has one of its own.
    """

    def __init__(self, world: World, signature: Signature) -> None:
        self.world = world
        self.signature = signature
        self.loops: list[Label] = []
        self.left: set[Label] = set()
        self.blocks: list[list[ast.stmt]] = []
        self._variables: dict[str, Variable] = {}
        self._lines: dict[str, int] = {}
        self._faulty: set[str] = set()
        self._values: dict[tuple[ast.expr, ValueType | None], Expression] = {}
        self.places: dict[ast.expr, Reference] = {}
        self._spare: list[Variable] = []
        self._lent: list[Variable] = []
        self._statement: ast.AST | Position = Position(1, 1)

    @property
    def declarations(self) -> Declarations:
        """What the source declares."""
        return self.world.declarations

    @property
    def is_method(self) -> bool:
        """Whether this is a method, so that there is a self."""
        return bool(self.signature.name)

    def at(self, node: ast.AST) -> Position:
        """Return where a node begins."""
        return self.world.locate(node)

    def value(self, node: ast.expr, expected: ValueType | None = None) -> Expression:
        """Check an expression.

        Args:
            node: what the source says.
            expected: the type that `none` and `[]` take; other types are not refused.
        """
        known = self._values.get((node, expected))
        if known is None:
            known = self.world.lower(node, self, expected)
            self._values[node, expected] = known
        return known

    def typed(self, node: ast.expr, expected: ValueType, what: str) -> Expression:
        """Check an expression that must have a type.

        Args:
            node: what the source says.
            expected: its type.
            what: the place that it fills, such as "the condition".
        """
        found = self.value(node, expected)
        self.check_type(node, found.type, expected, what)
        return found

    def check_type(self, node: ast.expr, found: ValueType, expected: ValueType, what: str) -> None:
        """Refuse a value of another type than the expected one."""
        if found != expected and found is Scalar.UNIT:
            hint = f"{what} must be {with_article(expected)}"
            raise ProblemError(node, "this returns nothing", hint=hint)
        if found != expected:
            message = f"{what} must be {with_article(expected)}, this is {with_article(found)}"
            raise ProblemError(node, message, hint=conversion_hint(node, found, expected))

    def variable(self, name: str) -> Variable | None:
        """Return the variable of this name, None if there is none."""
        if name in self._faulty:
            raise NotedError
        return self._variables.get(name)

    def declare(self, name: str, type_: ValueType, *, origin: Origin, node: ast.AST) -> Variable:
        """Return the variable of this name, a new one unless it has a type already."""
        known = self._variables.get(name)
        if known is not None and name not in self._faulty:
            if known.type != type_:
                first = f"in line {self._lines[name]}"
                message = f"{name!r} is {with_article(known.type)} {first}"
                hint = "a variable keeps its type; take another name"
                raise ProblemError(node, f"{message}, here {with_article(type_)}", hint=hint)
            return known
        self._faulty.discard(name)
        if len(self._variables) == LOCALS_MAX:
            message = f"the method has more than {LOCALS_MAX} variables"
            raise ProblemError(node, message, hint="move a part of it into a method of its own")
        variable = Variable(name, type_, origin)
        self._variables[name] = variable
        self._lines[name] = getattr(node, "lineno", 1)
        return variable

    def give_up(self, name: str) -> None:
        """Note that a variable has no type, because of a problem that is already known."""
        if name not in self._variables:
            self._faulty.add(name)

    @contextmanager
    def giving_up(self, name: str) -> Iterator[None]:
        """Give a variable up if the line that assigns it has a problem."""
        try:
            yield
        except (ProblemError, NotedError):
            self.give_up(name)
            raise

    def hidden(self, type_: ValueType) -> Variable:
        """Return a variable without a name, free until the end of the statement."""
        for place, spare in enumerate(self._spare):
            if spare.type == type_:
                self._lent.append(self._spare.pop(place))
                return spare
        if len(self._lent) == LOCALS_MAX:
            message = "the statement needs too many values at once"
            raise ProblemError(self._statement, message, hint="give parts of it names of their own")
        variable = Variable("", type_, Origin.HIDDEN)
        self._lent.append(variable)
        return variable

    @contextmanager
    def statement(self, node: ast.AST) -> Iterator[None]:
        """Take the hidden variables of a statement back at its end, for the next one."""
        count = len(self._lent)
        around, self._statement = self._statement, node
        try:
            yield
        finally:
            self._statement = around
            self._spare.extend(self._lent[count:])
            del self._lent[count:]

    def staged(
        self, value: Expression, use: Callable[[Expression], Expression], *, at: Position
    ) -> Expression:
        """Return an expression that may use a value several times, computed once."""
        if isinstance(value, Literal | Read):
            return use(value)
        variable = self.hidden(value.type)
        return Staged((Assign(variable, value, at),), use(Read(variable, at)))

    def operation(self, op: Op, type_: ValueType, *operands: Expression, at: Position) -> Operation:
        """Return an operation without immediates."""
        return Operation(type_, op, (), operands, at)

    def unknown(self, node: ast.AST, name: str) -> ProblemError:
        """Return what to say about a name that means nothing here."""
        declarations = self.declarations
        if name in declarations.faulty:
            raise NotedError
        message = f"unknown name {name!r}"
        if name in declarations.fields:
            return ProblemError(node, message, hint=f"a field is written self.{name}")
        if name in declarations.methods:
            return ProblemError(node, message, hint=f"a method is called self.{name}(...)")
        return ProblemError(node, message, hint=hint_for(name, self._known_names()))

    def _known_names(self) -> Iterable[str]:
        declarations = self.declarations
        return (
            *self._variables,
            *declarations.constants,
            *declarations.records,
            *declarations.interfaces,
            *SCALARS,
            *BUILTIN_NAMES,
        )

    @property
    def takes_money(self) -> bool:
        """Whether `value()` can differ from zero."""
        return self.signature.kind in (
            FunctionKind.PAYABLE,
            FunctionKind.INIT,
            FunctionKind.INTERNAL,
        )
