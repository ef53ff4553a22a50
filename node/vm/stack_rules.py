"""Type the opcodes whose stack effect depends on their immediates, or on the module."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from node.vm.bytecode import RawInstruction
from node.vm.limits import STACK_HEIGHT_MAX
from node.vm.module import Function, FunctionKind, InterfaceMethod
from node.vm.opcodes import Op
from node.vm.operand_stack import OperandStack
from node.vm.patterns import PATTERNS, StackEffect, pattern_effect
from node.vm.rejection import InvalidModuleError, Reason
from node.vm.type_rules import check_value_type
from node.vm.type_table import TypeTable
from node.vm.types import ADDRESS, BOOL, FIXED, INT, STR, UNIT, TypeIndex
from node.vm.verified import StorageField, StorageShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Everything that an instruction may name.

    Args:
        events: the types of the fields of each.
        locals: of the function at hand, the parameters first.
        result: of the function at hand.
        effects: of the opcodes with a pattern on operands of these types, as found so far; code
            repeats itself, and matching a pattern anew was a third of the work of verifying.
    """

    types: TypeTable
    constants: tuple[TypeIndex, ...]
    storage: tuple[StorageField, ...]
    events: tuple[tuple[TypeIndex, ...], ...]
    methods: tuple[InterfaceMethod, ...]
    functions: tuple[Function, ...]
    locals: tuple[TypeIndex, ...] = ()
    result: TypeIndex = UNIT
    effects: dict[tuple[Op, tuple[TypeIndex, ...]], StackEffect] = field(default_factory=dict)


def stack_effect(raw: RawInstruction, stack: OperandStack, scope: Scope) -> StackEffect:
    """Return what the instruction pops and pushes, given what is on the stack.

    Raises:
        InvalidModuleError: an immediate names nothing, or the operands do not fit.
    """
    op = raw.spec.op
    pattern = PATTERNS.get(op)
    if pattern is not None:
        top = stack.top(len(pattern.operands))
        effect = scope.effects.get((op, top))
        if effect is None:
            effect = scope.effects[op, top] = pattern_effect(raw.spec, top, scope.types)
        return effect
    effect = _RULES[op](raw.immediates, stack, scope)
    top = stack.top(len(effect.operands))
    if top != effect.operands:
        names = [" ".join(map(scope.types.name, side)) for side in (effect.operands, top)]
        detail = f"{op.name} takes {names[0]}, got {names[1]}"
        raise InvalidModuleError(Reason.OPERAND_TYPE, detail)
    return effect


_Immediates = tuple[int, ...]


def _const(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    return StackEffect((), (_constant_type(immediates[0], scope),))


def _int(_immediates: _Immediates, _stack: OperandStack, _scope: Scope) -> StackEffect:
    return StackEffect((), (INT,))


def _none(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    option, _ = _option(immediates[0], scope)
    return StackEffect((), (option,))


def _default(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    index = TypeIndex(immediates[0])
    check_value_type(scope.types, index, what="DEFAULT")
    return StackEffect((), (index,))


def _drop(_immediates: _Immediates, stack: OperandStack, _scope: Scope) -> StackEffect:
    return StackEffect(stack.top(1), ())


def _get(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    return StackEffect((), (_local(immediates[0], scope),))


def _set(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    return StackEffect((_local(immediates[0], scope),), ())


def _list(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    count, index = immediates
    list_type, item = _list_of(index, scope)
    if count > STACK_HEIGHT_MAX:
        raise InvalidModuleError(Reason.STACK_UNDERFLOW, f"{count} operands are never there")
    return StackEffect((item,) * count, (list_type,))


def _top_k(immediates: _Immediates, stack: OperandStack, scope: Scope) -> StackEffect:
    places, item = _list_of(immediates[0], scope)
    if item != INT:
        raise InvalidModuleError(Reason.TYPE_UNFIT, "places are a List of Int")
    values, _ = stack.top(2)
    if scope.types.list_item(values) not in {INT, FIXED}:
        detail = f"TOP_K takes a List of numbers, got {scope.types.name(values)}"
        raise InvalidModuleError(Reason.OPERAND_TYPE, detail)
    return StackEffect((values, INT), (places,))


def _record(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    index = _existing(immediates[0], scope)
    fields = scope.types.record_fields(index)
    if fields is None:
        raise _unfit(index, "Record", scope)
    return StackEffect(fields, (index,))


def _field(immediates: _Immediates, stack: OperandStack, scope: Scope) -> StackEffect:
    (record,) = stack.top(1)
    return StackEffect((record,), (_field_type(record, immediates[0], scope),))


def _with(immediates: _Immediates, stack: OperandStack, scope: Scope) -> StackEffect:
    record, _ = stack.top(2)
    return StackEffect((record, _field_type(record, immediates[0], scope)), (record,))


def _some(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    option, item = _option(immediates[0], scope)
    return StackEffect((item,), (option,))


def _load(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    field = _storage(immediates[0], StorageShape.VALUE, scope)
    return StackEffect(field.keys, (field.leaf,))


def _load_option(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    field = _storage(immediates[0], StorageShape.VALUE, scope)
    option, item = _option(immediates[1], scope)
    if item != field.leaf:
        raise _unfit(option, f"Option of {scope.types.name(field.leaf)}", scope)
    return StackEffect(field.keys, (option,))


def _store(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    field = _storage(immediates[0], StorageShape.VALUE, scope)
    return StackEffect((*field.keys, field.leaf), ())


def _remove(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    return StackEffect(_storage(immediates[0], StorageShape.VALUE, scope).keys, ())


def _has(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    return StackEffect(_storage(immediates[0], StorageShape.VALUE, scope).keys, (BOOL,))


def _list_length(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    return StackEffect(_storage(immediates[0], StorageShape.LIST, scope).keys, (INT,))


def _list_get(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    field = _storage(immediates[0], StorageShape.LIST, scope)
    return StackEffect((*field.keys, INT), (field.element,))


def _list_set(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    field = _storage(immediates[0], StorageShape.LIST, scope)
    return StackEffect((*field.keys, INT, field.element), ())


def _list_append(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    field = _storage(immediates[0], StorageShape.LIST, scope)
    return StackEffect((*field.keys, field.element), ())


def _list_pop(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    field = _storage(immediates[0], StorageShape.LIST, scope)
    return StackEffect(field.keys, (field.element,))


def _list_clear(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    return StackEffect(_storage(immediates[0], StorageShape.LIST, scope).keys, ())


def _list_load(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    field = _storage(immediates[0], StorageShape.LIST, scope)
    index = _existing(immediates[1], scope)
    if index != field.leaf:
        raise _unfit(index, scope.types.name(field.leaf), scope)
    return StackEffect(field.keys, (field.leaf,))


def _return(_immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    return StackEffect((scope.result,), ())


def _require(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    if _constant_type(immediates[0], scope) != STR:
        raise InvalidModuleError(Reason.MESSAGE_TYPE, "the message of REQUIRE is not a Str")
    return StackEffect((BOOL,), ())


def _call(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    callee = _function(immediates[0], scope)
    if callee.kind not in {FunctionKind.INTERNAL, FunctionKind.VIEW}:
        raise InvalidModuleError(Reason.CALL_KIND, f"{callee.name} is {callee.kind.name}")
    return StackEffect(callee.params, (callee.result,))


def _invoke(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    method = method_of(immediates[0], scope)
    money = (INT,) if method.kind is FunctionKind.PAYABLE else ()
    return StackEffect((ADDRESS, *money, *method.params), (method.result,))


def _emit(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    if immediates[0] >= len(scope.events):
        raise InvalidModuleError(Reason.EVENT_UNKNOWN, f"event {immediates[0]}")
    return StackEffect(scope.events[immediates[0]], ())


def _schedule(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    callee = _function(immediates[0], scope)
    if callee.kind is not FunctionKind.SCHEDULED:
        raise InvalidModuleError(Reason.SCHEDULE_KIND, f"{callee.name} is {callee.kind.name}")
    return StackEffect((INT, INT, *callee.params), ())


def _committee(immediates: _Immediates, _stack: OperandStack, scope: Scope) -> StackEffect:
    addresses, item = _list_of(immediates[0], scope)
    if item != ADDRESS:
        raise _unfit(addresses, "List[Address]", scope)
    return StackEffect((), (addresses,))


_RULES: Final[dict[Op, Callable[[_Immediates, OperandStack, Scope], StackEffect]]] = {
    Op.CONST: _const,
    Op.INT: _int,
    Op.NONE: _none,
    Op.DEFAULT: _default,
    Op.DROP: _drop,
    Op.GET: _get,
    Op.SET: _set,
    Op.LIST: _list,
    Op.TOP_K: _top_k,
    Op.RECORD: _record,
    Op.FIELD: _field,
    Op.WITH: _with,
    Op.SOME: _some,
    Op.LOAD: _load,
    Op.LOAD_OPTION: _load_option,
    Op.STORE: _store,
    Op.REMOVE: _remove,
    Op.HAS: _has,
    Op.SLLEN: _list_length,
    Op.SLGET: _list_get,
    Op.SLSET: _list_set,
    Op.SLAPPEND: _list_append,
    Op.SLPOP: _list_pop,
    Op.SLCLEAR: _list_clear,
    Op.SLLOAD: _list_load,
    Op.RETURN: _return,
    Op.REQUIRE: _require,
    Op.CALL: _call,
    Op.INVOKE: _invoke,
    Op.EMIT: _emit,
    Op.SCHEDULE: _schedule,
    Op.COMMITTEE: _committee,
}


def method_of(index: int, scope: Scope) -> InterfaceMethod:
    """Return the interface method of this index.

    Raises:
        InvalidModuleError: there is none.
    """
    if index >= len(scope.methods):
        raise InvalidModuleError(Reason.METHOD_UNKNOWN, f"method {index}")
    return scope.methods[index]


def _existing(index: int, scope: Scope) -> TypeIndex:
    if not scope.types.exists(index):
        raise InvalidModuleError(Reason.TYPE_UNKNOWN, f"type {index}")
    return TypeIndex(index)


def _list_of(index: int, scope: Scope) -> tuple[TypeIndex, TypeIndex]:
    """Return the type of the list and of its items."""
    list_type = _existing(index, scope)
    item = scope.types.list_item(list_type)
    if item is None:
        raise _unfit(list_type, "List", scope)
    return list_type, item


def _option(index: int, scope: Scope) -> tuple[TypeIndex, TypeIndex]:
    """Return the type of the option and of what it may hold."""
    option = _existing(index, scope)
    item = scope.types.option_item(option)
    if item is None:
        raise _unfit(option, "Option", scope)
    return option, item


def _unfit(index: TypeIndex, wanted: str, scope: Scope) -> InvalidModuleError:
    detail = f"type {index}, {scope.types.name(index)}, is no {wanted}"
    return InvalidModuleError(Reason.TYPE_UNFIT, detail)


def _constant_type(index: int, scope: Scope) -> TypeIndex:
    if index >= len(scope.constants):
        raise InvalidModuleError(Reason.CONSTANT_UNKNOWN, f"constant {index}")
    return scope.constants[index]


def _local(index: int, scope: Scope) -> TypeIndex:
    if index >= len(scope.locals):
        raise InvalidModuleError(Reason.LOCAL_UNKNOWN, f"local {index}")
    return scope.locals[index]


def _function(index: int, scope: Scope) -> Function:
    if index >= len(scope.functions):
        raise InvalidModuleError(Reason.FUNCTION_UNKNOWN, f"function {index}")
    return scope.functions[index]


def _field_type(record: TypeIndex, place: int, scope: Scope) -> TypeIndex:
    fields = scope.types.record_fields(record)
    if fields is None:
        raise InvalidModuleError(Reason.OPERAND_TYPE, f"{scope.types.name(record)} has no fields")
    if place >= len(fields):
        raise InvalidModuleError(Reason.FIELD_UNKNOWN, f"field {place} of {len(fields)}")
    return fields[place]


def _storage(index: int, shape: StorageShape, scope: Scope) -> StorageField:
    if index >= len(scope.storage):
        raise InvalidModuleError(Reason.STORAGE_UNKNOWN, f"storage field {index}")
    field = scope.storage[index]
    if field.shape is not shape:
        detail = f"storage field {field.name} is a stored {field.shape.value}"
        raise InvalidModuleError(Reason.STORAGE_SHAPE, detail)
    return field
