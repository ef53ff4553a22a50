"""Check the first line of a `for` loop: over a range, the items of a list, or of a stored list."""

import ast
from collections.abc import Callable
from dataclasses import dataclass

from node.vm.lang.changes import with_settled_keys
from node.vm.lang.errors import Position, ProblemError
from node.vm.lang.mismatch import shown
from node.vm.lang.references import loaded, refer
from node.vm.lang.scope import Scope
from node.vm.lang.stored import Stored
from node.vm.lang.tree import (
    Assign,
    Branch,
    Expression,
    Label,
    Leave,
    Literal,
    Loop,
    Operation,
    Origin,
    Read,
    Step,
    Variable,
)
from node.vm.lang.types import (
    BOOL_TYPE,
    INT_TYPE,
    ListOf,
    MapOf,
    Scalar,
    ValueType,
    with_article,
)
from node.vm.opcodes import Op


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """What stands round the body of a loop.

    Args:
        before: to do once.
        first: to do at the start of each round; it leaves the loop when all is done.
    """

    label: Label
    before: tuple[Step, ...]
    first: tuple[Step, ...]

    def around(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """Return the whole loop."""
        return (*self.before, Loop(self.label, (*self.first, *steps), is_endless=False))


def for_loop(node: ast.For, label: Label, scope: Scope) -> LoopPlan:
    """Check `for name in ...`."""
    match node.target:
        case ast.Name(id=name):
            pass
        case _:
            hint = "loop over range(len(xs)) and read what you need"
            raise ProblemError(node.target, "a loop has one variable", hint=hint)
    if name == "self" or name in scope.declarations.constants:
        raise ProblemError(node.target, f"{name!r} cannot be the variable of a loop")
    match node.iter:
        case ast.Call(func=ast.Name(id="range")) as call if scope.variable("range") is None:
            return _over_range(node, name, call, label, scope=scope)
        case _:
            return _over_items(node, name, label, scope=scope)


def _over_range(
    node: ast.For, name: str, call: ast.Call, label: Label, *, scope: Scope
) -> LoopPlan:
    if call.keywords or not 1 <= len(call.args) <= 3:
        raise ProblemError(call, "range takes one to three numbers", hint="write range(n)")
    limits = [scope.typed(bound, INT_TYPE, "a bound of range()") for bound in call.args]
    step = _step(call.args[2], limits[2]) if len(limits) == 3 else 1
    start = limits[0] if len(limits) > 1 else Literal(INT_TYPE, 0)
    stop = limits[1] if len(limits) > 1 else limits[0]
    item = _item(node, name, INT_TYPE, scope)
    at = scope.at(node)
    counter = scope.hidden(INT_TYPE)
    steps: list[Step] = [Assign(counter, start, at)]
    if not isinstance(stop, Literal):
        end = scope.hidden(INT_TYPE)
        steps.append(Assign(end, stop, at))
        stop = Read(end, at)
    place = Read(counter, at)
    op = Op.LT if step > 0 else Op.GT
    is_inside = scope.operation(op, BOOL_TYPE, place, stop, at=at)
    first = (
        Branch(is_inside, (), (Leave(label),)),
        Assign(item, place, at),
        _advanced(counter, step, at=at),
    )
    return LoopPlan(label, tuple(steps), first)


def _step(node: ast.expr, step: Expression) -> int:
    match step:
        case Literal(value=int(number)) if number != 0:
            return number
        case Literal():
            raise ProblemError(node, "range() with a step of 0 never ends")
        case _:
            hint = "write a `while` loop for a step that varies"
            raise ProblemError(node, "the step of range() is a number written out", hint=hint)


def _over_items(node: ast.For, name: str, label: Label, *, scope: Scope) -> LoopPlan:
    found = refer(node.iter, scope)
    if isinstance(found, Stored):
        if isinstance(found.type, MapOf):
            hint = "keep a List of its keys beside it, and loop over that"
            raise ProblemError(node.iter, "a Map does not know its keys", hint=hint)
        if isinstance(found.type, ListOf):
            return _over_stored(node, name, found, found.type, label=label, scope=scope)
    whole = loaded(found, scope)
    if not isinstance(whole.type, ListOf):
        message = f"a loop runs over range() or a List, this is {with_article(whole.type)}"
        raise ProblemError(node.iter, message, hint=_loop_hint(whole.type, shown(node.iter)))
    item_type = whole.type.item
    at = scope.at(node)
    items = scope.hidden(whole.type)
    length = scope.operation(Op.LLEN, INT_TYPE, Read(items, at), at=at)
    walk = _Walk(node, name, item_type, label)
    plan = walk.counted(
        length,
        scope=scope,
        get=lambda counter: scope.operation(Op.LGET, item_type, Read(items, at), counter, at=at),
    )
    return LoopPlan(label, (Assign(items, whole, at), *plan.before), plan.first)


def _loop_hint(type_: ValueType, text: str) -> str:
    match type_:
        case Scalar.INT:
            return f"write range({text})"
        case Scalar.STR | Scalar.BYTES:
            return f"write range(len({text}))"
        case _:
            return ""


def _over_stored(
    node: ast.For, name: str, stored: Stored, type_: ListOf, *, label: Label, scope: Scope
) -> LoopPlan:
    steps, place = with_settled_keys(stored, scope)
    length = place.operation(Op.SLLEN, INT_TYPE)
    walk = _Walk(node, name, type_.item, label)
    plan = walk.counted(
        length, scope=scope, get=lambda counter: place.operation(Op.SLGET, type_.item, counter)
    )
    return LoopPlan(label, (*steps, *plan.before), plan.first)


@dataclass(frozen=True, slots=True)
class _Walk:
    """A loop that counts places from 0 and takes what lies there."""

    node: ast.For
    name: str
    item_type: ValueType
    label: Label

    def counted(
        self, length: Expression, *, get: Callable[[Expression], Expression], scope: Scope
    ) -> LoopPlan:
        """Return the plan of the loop; the length is asked for once."""
        at = scope.at(self.node)
        item = _item(self.node, self.name, self.item_type, scope)
        counter, end = scope.hidden(INT_TYPE), scope.hidden(INT_TYPE)
        place = Read(counter, at)
        is_inside = scope.operation(Op.LT, BOOL_TYPE, place, Read(end, at), at=at)
        before = (Assign(counter, Literal(INT_TYPE, 0), at), Assign(end, length, at))
        first = (
            Branch(is_inside, (), (Leave(self.label),)),
            Assign(item, get(place), at),
            _advanced(counter, 1, at=at),
        )
        return LoopPlan(self.label, before, first)


def _item(node: ast.For, name: str, type_: ValueType, scope: Scope) -> Variable:
    return scope.declare(name, type_, origin=Origin.LOOP, node=node.target)


def _advanced(counter: Variable, step: int, *, at: Position) -> Assign:
    total = Operation(INT_TYPE, Op.ADD, (), (Read(counter, at), Literal(INT_TYPE, step)), at)
    return Assign(counter, total, at)
