"""Read the first lines of methods: decorators, parameters, result."""

import ast
from typing import Final

from node.vm.lang.annotations import TypeReader
from node.vm.lang.declarations import GAS_NAME, MONEY_NAME, Signature
from node.vm.lang.errors import ProblemError
from node.vm.lang.suggest import hint_for
from node.vm.lang.types import Part, Scalar
from node.vm.limits import PARAMS_MAX
from node.vm.module import METHOD_KINDS, FunctionKind

_DECORATORS: Final = {
    "external": FunctionKind.EXTERNAL,
    "payable": FunctionKind.PAYABLE,
    "view": FunctionKind.VIEW,
    "scheduled": FunctionKind.SCHEDULED,
    "init": FunctionKind.INIT,
}
_WITHOUT_RESULT: Final = (FunctionKind.SCHEDULED, FunctionKind.INIT)
# Words that other languages use, and pairs of ours that say the same as one of the two.
_SYNONYMS: Final = {
    "public": "external",
    "constant": "view",
    "pure": "view",
    "readonly": "view",
    "constructor": "init",
    "deploy": "init",
    "cron": "scheduled",
}
_REDUNDANT: Final = {
    frozenset({"external", "payable"}): FunctionKind.PAYABLE,
    frozenset({"external", "view"}): FunctionKind.VIEW,
    # Money may come with any deployment.
    frozenset({"init", "payable"}): FunctionKind.INIT,
}


def contract_signature(node: ast.FunctionDef, types: TypeReader) -> Signature:
    """Return the signature of a method of the contract."""
    kind = _kind(node, FunctionKind.INTERNAL)
    signature = _signature(node, kind=kind, types=types)
    if kind is FunctionKind.SCHEDULED and GAS_NAME in [part.name for part in signature.params]:
        message = f"{GAS_NAME!r} is the gas that schedule() pays for"
        raise ProblemError(node, message, hint="give the parameter another name")
    if kind in _WITHOUT_RESULT and signature.result is not Scalar.UNIT:
        assert node.returns is not None
        message = f"a method with @{kind.name.lower()} returns nothing"
        raise ProblemError(node.returns, message, hint="nobody is there to take the result")
    return signature


def interface_signature(node: ast.FunctionDef, types: TypeReader) -> Signature:
    """Return the signature of a method of another contract."""
    kind = _kind(node, FunctionKind.EXTERNAL)
    if kind not in METHOD_KINDS:
        hint = "an interface lists what others may call: @external, @payable or @view"
        raise ProblemError(node, f"@{kind.name.lower()} cannot be called from outside", hint=hint)
    if not _is_empty(node.body):
        hint = "write ... in place of the code"
        raise ProblemError(node.body[0], "a method of an interface has no code", hint=hint)
    signature = _signature(node, kind=kind, types=types)
    if kind is FunctionKind.PAYABLE and MONEY_NAME in [part.name for part in signature.params]:
        message = f"{MONEY_NAME!r} is the money that is sent along with a @payable method"
        raise ProblemError(node, message, hint="give the parameter another name; only types count")
    return signature


def _is_empty(body: list[ast.stmt]) -> bool:
    match body:
        case [ast.Expr(value=ast.Constant(value=value)), *rest] if isinstance(value, str):
            return not rest or _is_empty(rest)
        case [ast.Expr(value=ast.Constant(value=value))] if value is ...:
            return True
        case [ast.Pass()]:
            return True
        case _:
            return False


def _kind(node: ast.FunctionDef, otherwise: FunctionKind) -> FunctionKind:
    names = [_decorator_name(decorator) for decorator in node.decorator_list]
    match names:
        case []:
            return otherwise
        case [name]:
            return _DECORATORS[name]
        case _:
            kind = _REDUNDANT.get(frozenset(names)) if len(names) == 2 else None
            if kind is None:
                message = "these decorators exclude each other"
                raise ProblemError(node.decorator_list[1], message, hint="keep one of them")
            return kind


def _decorator_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) if name in _DECORATORS:
            return name
        case ast.Name(id=name):
            hint = f"write @{_SYNONYMS[name]}" if name in _SYNONYMS else hint_for(name, _DECORATORS)
            message = f"unknown decorator @{name}"
            raise ProblemError(node, message, hint=hint or _DECORATOR_HINT)
        case ast.Call(func=ast.Name(id=name)) if name in _DECORATORS:
            raise ProblemError(node, f"@{name} takes no arguments", hint=f"write @{name}")
        case _:
            raise ProblemError(node, "this is no decorator", hint=_DECORATOR_HINT)


_DECORATOR_HINT: Final = "there are @external, @payable, @view, @scheduled and @init"


def _signature(node: ast.FunctionDef, *, kind: FunctionKind, types: TypeReader) -> Signature:
    arguments = node.args
    for extra in (arguments.vararg, arguments.kwarg):
        if extra is not None:
            raise ProblemError(extra, "a method takes a fixed number of arguments")
    if arguments.kwonlyargs:
        raise ProblemError(arguments.kwonlyargs[0], "there are no keyword-only parameters")
    for default in (*arguments.defaults, *arguments.kw_defaults):
        if default is not None:
            raise ProblemError(default, "a parameter has no default", hint="pass it in every call")
    every = [*arguments.posonlyargs, *arguments.args]
    if not every or every[0].arg != "self":
        hint = f"write def {node.name}(self, ...)"
        raise ProblemError(node, "the first parameter of a method is self", hint=hint)
    rest = every[1:]
    if len(rest) > PARAMS_MAX:
        hint = "pass a Record"
        raise ProblemError(node, f"the method has more than {PARAMS_MAX} parameters", hint=hint)
    params = tuple(_param(argument, types) for argument in rest)
    if len({param.name for param in params}) < len(params):
        raise ProblemError(node, "two parameters have one name")
    return Signature(name=node.name, kind=kind, params=params, result=types.result(node.returns))


def _param(argument: ast.arg, types: TypeReader) -> Part:
    if argument.annotation is None:
        hint = f"write {argument.arg}: Int, or another type"
        raise ProblemError(argument, f"the parameter {argument.arg!r} has no type", hint=hint)
    return Part(argument.arg, types.value(argument.annotation))
