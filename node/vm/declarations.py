"""The rules of everything in a module but its types and its code."""

from collections.abc import Sequence

from node.vm.limits import (
    EVENT_FIELDS_MAX,
    EVENTS_MAX,
    FUNCTIONS_MAX,
    LOCALS_MAX,
    METHODS_MAX,
    MODULE_LEAVES_MAX,
    PARAMS_MAX,
    STORAGE_FIELDS_MAX,
)
from node.vm.module import METHOD_KINDS, Event, Function, FunctionKind, InterfaceMethod, Module
from node.vm.names import check_count, check_field_names, check_name, check_names_differ
from node.vm.rejection import InvalidModuleError, Reason
from node.vm.type_rules import check_result_type, check_value_type
from node.vm.type_table import TypeTable
from node.vm.types import UNIT, Field, MapType, TypeIndex
from node.vm.verified import StorageField, StorageShape

_UNIT_KINDS = (FunctionKind.SCHEDULED, FunctionKind.INIT)


def checked_storage(fields: Sequence[Field], table: TypeTable) -> tuple[StorageField, ...]:
    """Return the layout of the storage.

    Raises:
        InvalidModuleError: too many fields, or a bad name or type.
    """
    check_count("storage fields", len(fields), STORAGE_FIELDS_MAX)
    check_field_names("storage field", fields)
    return tuple(_layout(field, table) for field in fields)


def check_events(events: Sequence[Event], table: TypeTable) -> None:
    """Refuse events with too many or bad fields.

    Raises:
        InvalidModuleError: there are, or there are too many events.
    """
    check_count("events", len(events), EVENTS_MAX)
    check_names_differ("event", (event.name for event in events))
    for event in events:
        check_name("event", event.name)
        what = f"field of event {event.name}"
        check_count(what, len(event.fields), EVENT_FIELDS_MAX)
        check_field_names(what, event.fields)
        for field in event.fields:
            check_value_type(table, field.type, what=what)


def check_methods(methods: Sequence[InterfaceMethod], table: TypeTable) -> None:
    """Refuse methods of other contracts that none can have.

    Raises:
        InvalidModuleError: there are, or there are too many.
    """
    check_count("interface methods", len(methods), METHODS_MAX)
    for method in methods:
        check_name("interface", method.interface)
        check_name("method", method.name)
        what = f"{method.interface}.{method.name}"
        if method.kind not in METHOD_KINDS:
            raise InvalidModuleError(Reason.METHOD_KIND, f"{what} is {method.kind.name}")
        check_count(f"parameters of {what}", len(method.params), PARAMS_MAX)
        for param in method.params:
            check_value_type(table, param, what=f"a parameter of {what}")
        check_result_type(table, method.result, what=f"the result of {what}")
    check_names_differ("method", (f"{method.interface}.{method.name}" for method in methods))


def check_functions(functions: Sequence[Function], table: TypeTable) -> None:
    """Refuse functions with a bad name or signature.

    Raises:
        InvalidModuleError: there are, or there are too many.
    """
    check_count("functions", len(functions), FUNCTIONS_MAX)
    for index, function in enumerate(functions):
        try:
            _check_function(function, table)
        except InvalidModuleError as error:
            raise error.within(index) from None
    check_names_differ("function", (function.name for function in functions))
    if sum(function.kind is FunctionKind.INIT for function in functions) > 1:
        raise InvalidModuleError(Reason.INIT_DUPLICATE, "more than one INIT function")


def check_leaves(module: Module, table: TypeTable) -> None:
    """Refuse a module whose declarations are wide together: a codec is as large as its types.

    Raises:
        InvalidModuleError: they are.
    """
    leaves = sum(table.leaves(field.type) for field in module.storage)
    leaves += sum(table.leaves(field.type) for event in module.events for field in event.fields)
    signatures = [(*method.params, method.result) for method in module.methods]
    signatures += [(*function.params, function.result) for function in module.functions]
    leaves += sum(table.leaves(index) for signature in signatures for index in signature)
    if leaves > MODULE_LEAVES_MAX:
        detail = f"the declarations have {leaves} parts > {MODULE_LEAVES_MAX}"
        raise InvalidModuleError(Reason.MODULE_LEAVES, detail)


def _layout(field: Field, table: TypeTable) -> StorageField:
    what = f"storage field {field.name}"
    if not table.exists(field.type):
        raise InvalidModuleError(Reason.TYPE_UNKNOWN, f"{what} is of type {field.type}")
    keys: list[TypeIndex] = []
    leaf = field.type
    while isinstance(entry := table.entry(leaf), MapType):
        keys.append(entry.key)
        leaf = entry.value
    check_value_type(table, leaf, what=what)
    item = table.list_item(leaf)
    return StorageField(
        name=field.name,
        keys=tuple(keys),
        shape=StorageShape.VALUE if item is None else StorageShape.LIST,
        leaf=leaf,
        element=leaf if item is None else item,
    )


def _check_function(function: Function, table: TypeTable) -> None:
    check_name("function", function.name)
    check_count("parameters", len(function.params), PARAMS_MAX)
    check_count("locals", len(function.params) + len(function.locals), LOCALS_MAX)
    for param in function.params:
        check_value_type(table, param, what="a parameter")
    for local in function.locals:
        check_value_type(table, local, what="a local")
    check_result_type(table, function.result, what="the result")
    if function.kind in _UNIT_KINDS and function.result != UNIT:
        detail = f"a function that is {function.kind.name} returns Unit"
        raise InvalidModuleError(Reason.RESULT_NOT_UNIT, detail)
