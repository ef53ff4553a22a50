"""Decide whether a module may run; everything an engine relies on is established here, once.

The work is linear in the size of the module. Whatever the module is, the only error raised is
`InvalidModuleError`, or `MalformedModuleError` for bytes that are no module at all.
"""

from collections.abc import Sequence
from dataclasses import replace

from node.vm.call_graph import call_order
from node.vm.code_walk import WalkedCode, walk_code
from node.vm.constants import ConstantValue, constant_value
from node.vm.declarations import (
    check_events,
    check_functions,
    check_leaves,
    check_methods,
    checked_storage,
)
from node.vm.limits import CONSTANTS_MAX
from node.vm.module import MODULE_VERSION, Function, FunctionKind, Module, decode_module
from node.vm.names import check_count, check_name
from node.vm.rejection import InvalidModuleError, Reason
from node.vm.stack_rules import Scope
from node.vm.type_rules import checked_types
from node.vm.type_table import TypeTable
from node.vm.types import TypeIndex
from node.vm.verified import StorageField, VerifiedFunction, VerifiedModule


def load_module(raw: bytes) -> VerifiedModule:
    """Return the module of these bytes, ready to run.

    Raises:
        MalformedModuleError: the bytes are no module.
        InvalidModuleError: the module breaks a rule.
    """
    return verify(decode_module(raw))


def verify(module: Module) -> VerifiedModule:
    """Return the module, ready to run.

    Raises:
        InvalidModuleError: it breaks a rule; the error says which and where.
    """
    if module.version != MODULE_VERSION:
        raise InvalidModuleError(Reason.VERSION, f"{module.version} is not {MODULE_VERSION}")
    check_name("module", module.name)
    types = checked_types(module.types)
    constants = _checked_constants(module)
    storage = checked_storage(module.storage, types)
    check_events(module.events, types)
    check_methods(module.methods, types)
    check_functions(module.functions, types)
    check_leaves(module, types)
    codes = _walked_codes(module, types, storage)
    order = call_order([code.calls for code in codes])
    writes = _writing_functions(module.functions, codes, order)
    return VerifiedModule(
        module=module,
        types=types,
        constants=constants,
        constant_types=tuple(constant.type for constant in module.constants),
        storage=storage,
        events=module.events,
        methods=module.methods,
        functions=tuple(
            _verified(function, code, writes=wrote)
            for function, code, wrote in zip(module.functions, codes, writes, strict=True)
        ),
        call_order=order,
        places={function.name: index for index, function in enumerate(module.functions)},
    )


def _checked_constants(module: Module) -> tuple[ConstantValue, ...]:
    check_count("constants", len(module.constants), CONSTANTS_MAX)
    return tuple(constant_value(constant) for constant in module.constants)


def _walked_codes(
    module: Module, types: TypeTable, storage: tuple[StorageField, ...]
) -> list[WalkedCode]:
    constants = tuple(constant.type for constant in module.constants)
    events = tuple(tuple(field.type for field in event.fields) for event in module.events)
    shared = Scope(
        types=types,
        constants=constants,
        storage=storage,
        events=events,
        methods=module.methods,
        functions=module.functions,
    )
    codes: list[WalkedCode] = []
    for index, function in enumerate(module.functions):
        own = replace(shared, locals=_all_locals(function), result=function.result)
        try:
            codes.append(walk_code(function.code, own))
        except InvalidModuleError as error:
            raise error.within(index) from None
    return codes


def _writing_functions(
    functions: Sequence[Function], codes: Sequence[WalkedCode], order: Sequence[int]
) -> list[bool]:
    """Return which functions may write, in themselves or through what they call.

    Raises:
        InvalidModuleError: a VIEW is one of them.
    """
    writes = [False] * len(functions)
    for index in order:
        code = codes[index]
        through = next((offset for callee, offset in code.calls.items() if writes[callee]), None)
        offset = through if code.write_offset is None else code.write_offset
        writes[index] = offset is not None
        if writes[index] and functions[index].kind is FunctionKind.VIEW:
            detail = f"{functions[index].name} is a VIEW"
            raise InvalidModuleError(Reason.VIEW_WRITES, detail, function=index, offset=offset)
    return writes


def _verified(function: Function, code: WalkedCode, *, writes: bool) -> VerifiedFunction:
    return VerifiedFunction(
        name=function.name,
        kind=function.kind,
        params=function.params,
        result=function.result,
        locals=_all_locals(function),
        instructions=code.instructions,
        stack_height_max=code.stack_height_max,
        calls=tuple(sorted(code.calls)),
        writes=writes,
    )


def _all_locals(function: Function) -> tuple[TypeIndex, ...]:
    return function.params + function.locals
