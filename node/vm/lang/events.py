"""Check `emit("Name", field=value)` and `schedule(at_ms, self.method, argument, gas=amount)`."""

import ast
from typing import Final

from node.vm.lang.arguments import arguments
from node.vm.lang.declarations import GAS_NAME
from node.vm.lang.errors import ProblemError
from node.vm.lang.scope import EventUse, Scope
from node.vm.lang.suggest import hint_for
from node.vm.lang.tree import Expression, Operation
from node.vm.lang.types import INT_TYPE, UNIT_TYPE, Part, ValueType
from node.vm.limits import EVENT_FIELDS_MAX
from node.vm.module import FunctionKind
from node.vm.opcodes import Op

_SCHEDULE_HINT: Final = "write schedule(now() + 60_000, self.method, argument, gas=100_000)"


def emit(node: ast.Call, scope: Scope, _: ValueType | None) -> Expression:
    """Check an event; its first use says what fields it has."""
    match node.args:
        case [ast.Constant(value=str(name))] if name.isidentifier() and name.isascii():
            pass
        case [ast.Constant(value=str()) as written]:
            raise ProblemError(written, "the name of an event is like that of a class")
        case [_, extra, *_]:
            hint = 'write emit("Paid", to=to, amount=amount)'
            raise ProblemError(extra, "the fields of an event are given by name", hint=hint)
        case _:
            hint = 'write emit("Paid", to=to, amount=amount)'
            raise ProblemError(node, "emit takes the name of the event first", hint=hint)
    if len(node.keywords) > EVENT_FIELDS_MAX:
        raise ProblemError(node, f"the event has more than {EVENT_FIELDS_MAX} fields")
    written_parts = [_event_part(keyword, scope) for keyword in node.keywords]
    known = scope.world.registry.events.get(name)
    if known is None:
        parts = tuple(Part(field, value.type) for field, value in written_parts)
        known = EventUse(len(scope.world.registry.events), parts, node.lineno)
        scope.world.registry.events[name] = known
    return _emitted(node, name, known, dict(written_parts), scope=scope)


def _event_part(keyword: ast.keyword, scope: Scope) -> tuple[str, Expression]:
    if keyword.arg is None:
        raise ProblemError(keyword.value, "`**` arguments are not part of the language")
    value = scope.value(keyword.value)
    if value.type is UNIT_TYPE:
        raise ProblemError(keyword.value, "this returns nothing", hint="an event holds values")
    return keyword.arg, value


def _emitted(
    node: ast.Call, name: str, event: EventUse, given: dict[str, Expression], *, scope: Scope
) -> Expression:
    names = [part.name for part in event.parts]
    if list(given) != names:
        fields = ", ".join(names) or "no fields"
        hint = f"line {event.line} emits it with {fields}; keep the fields and their order"
        raise ProblemError(node, f"the event {name!r} has other fields here", hint=hint)
    for part, keyword in zip(event.parts, node.keywords, strict=True):
        found = given[part.name].type
        what = f"{part.name!r} of the event {name!r} (line {event.line})"
        scope.check_type(keyword.value, found, part.type, what)
    return Operation(UNIT_TYPE, Op.EMIT, (event.index,), tuple(given.values()), scope.at(node))


def schedule(node: ast.Call, scope: Scope, _: ValueType | None) -> Expression:
    """Check a call that the chain makes later."""
    match node.args:
        case [at_node, ast.Attribute(value=ast.Name(id="self"), attr=name) as method_node, *rest]:
            pass
        case _:
            message = "schedule takes a time in milliseconds and a method"
            raise ProblemError(node, message, hint=_SCHEDULE_HINT)
    gas_nodes = [keyword.value for keyword in node.keywords if keyword.arg == GAS_NAME]
    if len(gas_nodes) != 1:
        message = "schedule needs the gas that the call may use, which is paid now"
        raise ProblemError(node, message, hint=_SCHEDULE_HINT)
    gas = scope.typed(gas_nodes[0], INT_TYPE, "the gas of schedule()")
    at_ms = scope.typed(at_node, INT_TYPE, "the time of schedule()")
    methods = scope.declarations.methods
    method = methods.get(name)
    if method is None:
        if name in scope.declarations.faulty:
            raise scope.unknown(method_node, name)
        hint = hint_for(name, methods)
        raise ProblemError(method_node, f"the contract has no method {name!r}", hint=hint)
    if method.signature.kind is not FunctionKind.SCHEDULED:
        hint = f"mark {name} with @scheduled, or schedule a method that calls it"
        raise ProblemError(method_node, f"{name!r} is not @scheduled", hint=hint)
    call = ast.copy_location(replace_arguments(node, rest), node)
    given = arguments(call, method.signature.params, scope=scope, what=f"{name}()")
    operation = Operation(
        UNIT_TYPE, Op.SCHEDULE, (method.index,), (at_ms, gas, *given.values), scope.at(node)
    )
    return given.before(operation)


def replace_arguments(node: ast.Call, rest: list[ast.expr]) -> ast.Call:
    """Return the call with other positional arguments, and without its gas."""
    keywords = [keyword for keyword in node.keywords if keyword.arg != GAS_NAME]
    return ast.Call(func=node.func, args=rest, keywords=keywords)
