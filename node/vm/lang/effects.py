"""Follow own calls: a view reaches nothing that writes, and no method reaches itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from node.vm.instruction_set import spec_of
from node.vm.lang.declarations import Declarations, Method
from node.vm.lang.errors import Findings, Position, ProblemError
from node.vm.lang.tree import (
    Assign,
    Branch,
    Expression,
    Fail,
    Loop,
    Operation,
    Perform,
    Require,
    Return,
    Staged,
    Step,
    TakeLast,
)
from node.vm.limits import INTERNAL_CALL_DEPTH_MAX
from node.vm.module import FunctionKind
from node.vm.opcodes import Effect, Op


@dataclass(frozen=True, slots=True)
class Deed:
    """Something a method does to the world, for messages."""

    at: Position
    what: str


@dataclass(slots=True)
class Effects:
    """What one method does, and which methods it calls.

    Args:
        deed: the first thing that a view must not do, None if there is none.
        calls: where each callee is called first, by its number.
    """

    deed: Deed | None = None
    calls: dict[int, Position] = field(default_factory=dict)


_WORDS: Mapping[Op, str] = {
    Op.EMIT: "emits an event",
    Op.TRANSFER: "sends money",
    Op.SCHEDULE: "schedules a call",
    Op.INVOKE: "calls a method of another contract that may write",
}


def effects_of(steps: tuple[Step, ...], *, view_methods: frozenset[int]) -> Effects:
    """Return what the steps do.

    Args:
        steps: of one method.
        view_methods: the numbers of those methods of other contracts that are views.
    """
    found = Effects()
    for operation in _operations(steps):
        if operation.op is Op.CALL:
            callee = operation.immediates[0]
            assert isinstance(callee, int)
            found.calls.setdefault(callee, operation.at)
        writes = spec_of(operation.op).effect is Effect.WRITE
        if operation.op is Op.INVOKE and operation.immediates[0] in view_methods:
            writes = False
        if writes and found.deed is None:
            what = _WORDS.get(operation.op, "writes to the contract's fields")
            found.deed = Deed(operation.at, what)
    return found


def check_calls(
    effects: Mapping[int, Effects], declarations: Declarations, findings: Findings
) -> None:
    """Note views that write, and calls that lead back or too deep."""
    methods = {method.index: method for method in declarations.methods.values()}
    walk = _CallWalk(effects, methods, findings)
    for index in effects:
        with findings:
            walk.visit(index)
    for index, own in effects.items():
        if methods[index].signature.kind is FunctionKind.VIEW:
            with findings:
                _check_view(index, own, walk.deeds, methods)


@dataclass(slots=True)
class _CallWalk:
    """A walk through the calls, each method once.

    Args:
        deeds: by method, the first deed of it or of what it calls.
    """

    effects: Mapping[int, Effects]
    methods: Mapping[int, Method]
    findings: Findings
    deeds: dict[int, Deed | None] = field(default_factory=dict)
    _depths: dict[int, int] = field(default_factory=dict)
    _path: list[int] = field(default_factory=list)

    def visit(self, index: int) -> None:
        """Follow the calls of a method, the deepest first."""
        if index in self._depths or index not in self.effects:
            return
        own = self.effects[index]
        self._path.append(index)
        depth = 1
        deed = own.deed
        for callee, at in own.calls.items():
            if callee in self._path:
                raise self._cycle(callee, at)
            if len(self._path) > INTERNAL_CALL_DEPTH_MAX:
                raise self._too_deep(at)
            self.visit(callee)
            depth = max(depth, 1 + self._depths.get(callee, 0))
            deed = deed or self.deeds.get(callee)
            if depth > INTERNAL_CALL_DEPTH_MAX:
                raise self._too_deep(at)
        self._path.pop()
        self._depths[index] = depth
        self.deeds[index] = deed

    def _cycle(self, callee: int, at: Position) -> ProblemError:
        names = [self._name(index) for index in self._path[self._path.index(callee) :]]
        path = " -> ".join([*names, self._name(callee)])
        hint = "a loop does the same within known bounds"
        self._give_up()
        return ProblemError(at, f"the method calls itself: {path}", hint=hint)

    def _too_deep(self, at: Position) -> ProblemError:
        self._give_up()
        message = f"calls nest more than {INTERNAL_CALL_DEPTH_MAX} deep"
        return ProblemError(at, message, hint="merge some of the methods")

    def _give_up(self) -> None:
        # Those on the path count as seen, so that one problem is reported once.
        for index in self._path:
            self._depths[index] = 0
        self._path.clear()

    def _name(self, index: int) -> str:
        return self.methods[index].signature.name


def _check_view(
    index: int,
    own: Effects,
    deeds: Mapping[int, Deed | None],
    methods: Mapping[int, Method],
) -> None:
    name = methods[index].signature.name
    hint = "use @external in place of @view, or move the change elsewhere"
    if own.deed is not None:
        message = f"{name}() is a @view and {own.deed.what}"
        raise ProblemError(own.deed.at, message, hint=hint)
    for callee, at in own.calls.items():
        deed = deeds.get(callee)
        if deed is not None:
            other = methods[callee].signature.name
            message = f"{name}() is a @view and calls {other}(), which {deed.what}"
            message += f" (line {deed.at.line})"
            raise ProblemError(at, message, hint=hint)


def _operations(steps: tuple[Step, ...]) -> Iterator[Operation]:
    """Yield every operation of the steps, in the order in which they are carried out."""
    for step in steps:
        match step:
            case Assign(value=value) | Return(value=value):
                yield from _inside(value)
            case Perform(operation=value) | Require(test=value) | Fail(message=value):
                yield from _inside(value)
            case Branch(test=test, yes=yes, no=no):
                yield from _inside(test)
                yield from _operations(yes)
                yield from _operations(no)
            case Loop(body=body):
                yield from _operations(body)
            case _:
                pass


def _inside(value: Expression) -> Iterator[Operation]:
    match value:
        case Operation(operands=operands):
            for operand in operands:
                yield from _inside(operand)
            yield value
        case Staged(steps=steps, result=result):
            yield from _operations(steps)
            yield from _inside(result)
        case TakeLast(whole=whole):
            yield from _inside(whole)
        case _:
            pass
