"""Check calls of methods: `self.pay(to)` and `Token(address).transfer(to, amount, value=5)`."""

import ast

from node.vm.lang.arguments import arguments, check_complete, ordered, written
from node.vm.lang.declarations import MONEY_NAME, Interface, Method, Signature
from node.vm.lang.errors import ProblemError
from node.vm.lang.scope import Scope
from node.vm.lang.suggest import hint_for
from node.vm.lang.tree import Expression, Literal, Operation
from node.vm.lang.types import ADDRESS_TYPE, INT_TYPE, Part
from node.vm.module import FunctionKind
from node.vm.opcodes import Op


def own_call(node: ast.Call, name: str, scope: Scope) -> Expression:
    """Check `self.name(...)`."""
    declarations = scope.declarations
    if not scope.is_method:
        raise ProblemError(node, "a constant cannot call a method")
    method = declarations.methods.get(name)
    if method is None:
        if name in declarations.faulty:
            raise scope.unknown(node, name)
        hint = hint_for(name, declarations.methods)
        raise ProblemError(node, f"the contract has no method {name!r}", hint=hint)
    _check_callable(node, method, scope=scope)
    signature = method.signature
    given = arguments(node, signature.params, scope=scope, what=f"{name}()")
    at = scope.at(node)
    return given.before(Operation(signature.result, Op.CALL, (method.index,), given.values, at))


def _check_callable(node: ast.Call, method: Method, *, scope: Scope) -> None:
    signature = method.signature
    match signature.kind:
        case FunctionKind.INTERNAL | FunctionKind.VIEW:
            pass
        case FunctionKind.SCHEDULED:
            hint = f"write schedule(at_ms, self.{signature.name}, ...)"
            raise ProblemError(node, f"{signature.name!r} is called by the chain", hint=hint)
        case FunctionKind.INIT:
            raise ProblemError(node, f"{signature.name!r} runs once, at the deployment")
        case FunctionKind.EXTERNAL | FunctionKind.PAYABLE:
            word = signature.kind.name.lower()
            hint = "move what both need into a method without a decorator"
            raise ProblemError(node, f"{signature.name!r} is @{word}: others call it", hint=hint)


def invocation(node: ast.Call, target: ast.Call, scope: Scope) -> Expression:
    """Check `Interface(address).method(...)`."""
    assert isinstance(node.func, ast.Attribute)
    assert isinstance(target.func, ast.Name)
    interface = scope.declarations.interfaces[target.func.id]
    signature = _signature(node, node.func, interface)
    address = _address(target, interface, scope)
    what = f"{interface.name}.{signature.name}()"
    if signature.kind is not FunctionKind.VIEW and scope.signature.kind is FunctionKind.VIEW:
        hint = "mark it with @view in the interface if it changes nothing"
        raise ProblemError(node, f"a @view method cannot call {what}, which may write", hint=hint)
    given = ordered(
        [(_ADDRESS, address), *_sent(node, signature, scope=scope, what=what)],
        scope=scope,
        node=node,
    )
    index = scope.world.registry.method(interface.name, signature.name)
    call = Operation(signature.result, Op.INVOKE, (index,), given.values, scope.at(node))
    return given.before(call)


# The order in which the machine takes what goes along with a call.
_ADDRESS, _MONEY, _FIRST_ARGUMENT = range(3)


def _sent(
    node: ast.Call, signature: Signature, *, scope: Scope, what: str
) -> list[tuple[int, Expression]]:
    """Return the money, if the method takes any, and the arguments, as they are written."""
    params = signature.params
    is_payable = signature.kind is FunctionKind.PAYABLE
    if not is_payable:
        _refuse_money(node, signature)
    accepted = (*params, Part(MONEY_NAME, INT_TYPE)) if is_payable else params
    if is_payable and len(node.args) > len(params):
        hint = f"the money is given by name: {MONEY_NAME}=..."
        raise ProblemError(node.args[len(params)], f"too many arguments of {what}", hint=hint)
    given = written(node, accepted, scope=scope, what=what)
    check_complete(node, params, [place for place, _ in given], what=what)
    sent = [
        (_MONEY if place == len(params) else _FIRST_ARGUMENT + place, value)
        for place, value in given
    ]
    if is_payable and len(given) == len(params):
        sent.insert(0, (_MONEY, Literal(INT_TYPE, 0)))
    return sent


def _refuse_money(node: ast.Call, signature: Signature) -> None:
    has_parameter = any(param.name == MONEY_NAME for param in signature.params)
    for keyword in node.keywords:
        if keyword.arg == MONEY_NAME and not has_parameter:
            hint = "mark it with @payable in the interface if it takes money"
            raise ProblemError(keyword, f"{signature.name}() takes no money", hint=hint)


def _signature(node: ast.Call, func: ast.Attribute, interface: Interface) -> Signature:
    signature = interface.methods.get(func.attr)
    if signature is None:
        message = f"{interface.name} has no method {func.attr!r}"
        hint = hint_for(func.attr, interface.methods)
        raise ProblemError(node, message, hint=hint or f"declare it in class {interface.name}")
    return signature


def _address(target: ast.Call, interface: Interface, scope: Scope) -> Expression:
    match target:
        case ast.Call(args=[argument], keywords=[]):
            return scope.typed(argument, ADDRESS_TYPE, f"the address of {interface.name}")
        case _:
            hint = f"write {interface.name}(address).method(...)"
            raise ProblemError(target, f"{interface.name} takes one address", hint=hint)
