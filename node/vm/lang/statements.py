"""Check statements: what a method does, line by line."""

import ast

from node.vm.lang.assignments import assignment
from node.vm.lang.changes import delete
from node.vm.lang.errors import ProblemError
from node.vm.lang.forbidden import forbidden
from node.vm.lang.list_changes import append, clear
from node.vm.lang.loops import for_loop
from node.vm.lang.operators import condition
from node.vm.lang.references import refer
from node.vm.lang.scope import Scope
from node.vm.lang.tree import (
    Branch,
    Expression,
    Fail,
    Label,
    Leave,
    Literal,
    Loop,
    Operation,
    Perform,
    Repeat,
    Require,
    Return,
    Staged,
    Step,
    ends,
)
from node.vm.lang.types import (
    BOOL_TYPE,
    STR_TYPE,
    UNIT_TYPE,
    ListOf,
    OptionOf,
    ValueType,
    with_article,
)
from node.vm.limits import MESSAGE_LENGTH_MAX, NESTING_MAX
from node.vm.opcodes import Op


def body(nodes: list[ast.stmt], scope: Scope) -> tuple[Step, ...]:
    """Check the statements of a block; each one with a problem is noted and left out."""
    steps: list[Step] = []
    if len(scope.blocks) > NESTING_MAX:
        message = f"blocks are nested more than {NESTING_MAX} deep"
        raise ProblemError(nodes[0], message, hint="move the inner ones into a method")
    scope.blocks.append(nodes)
    for node in nodes:
        if _is_docstring(node):
            continue
        with scope.world.findings, scope.statement(node):
            if ends(tuple(steps[-1:])):
                raise ProblemError(node, "this line is never reached", hint="remove it")
            steps.extend(_statement(node, scope))
    scope.blocks.pop()
    return tuple(steps)


def _is_docstring(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case _:
            return False


def _statement(node: ast.stmt, scope: Scope) -> tuple[Step, ...]:
    match node:
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            return assignment(node, scope)
        case ast.Expr():
            return _expression(node, scope)
        case ast.If() | ast.While() | ast.For():
            return _block(node, scope)
        case ast.Delete(targets=targets):
            return tuple(step for target in targets for step in delete(target, scope))
        case ast.Pass():
            return ()
        case _:
            return (_jump(node, scope),)


def _block(node: ast.If | ast.While | ast.For, scope: Scope) -> tuple[Step, ...]:
    match node:
        case ast.If():
            test = _test(node.test, scope, "the condition of `if`")
            yes = body(node.body, scope)
            no = body(node.orelse, scope)
            return (Branch(test, yes, no),) if test is not None else ()
        case ast.While():
            return _while(node, scope)
        case ast.For():
            return _for(node, scope)


def _jump(node: ast.stmt, scope: Scope) -> Step:
    match node:
        case ast.Return():
            return _return(node, scope)
        case ast.Break():
            label = _loop(node, scope)
            scope.left.add(label)
            return Leave(label)
        case ast.Continue():
            return Repeat(_loop(node, scope))
        case _:
            raise forbidden(node)


def _test(node: ast.expr, scope: Scope, what: str) -> Expression | None:
    """Check a condition; a problem in it does not keep the block from being checked."""
    with scope.world.findings:
        return condition(node, scope, what)
    return None


def _expression(node: ast.Expr, scope: Scope) -> tuple[Step, ...]:
    match node.value:
        case ast.Call(func=ast.Name(id="require")) as call:
            return (_require(call, scope),)
        case ast.Call(func=ast.Name(id="fail")) as call:
            return (_fail(call, scope),)
        case ast.Call(func=ast.Attribute(value=owner, attr="append" | "clear" as name)) as call:
            if _is_list(owner, scope):
                rule = append if name == "append" else clear
                return rule(owner, call, scope)
        case ast.Constant(value=written) if written is ...:
            hint = "write `pass` for a block that does nothing"
            raise ProblemError(node, "`...` has no meaning here", hint=hint)
        case _:
            pass
    value = scope.value(node.value)
    if not isinstance(node.value, ast.Call):
        raise ProblemError(node, "the value is not used", hint="assign it, or remove the line")
    if not _has_effect(value):
        raise ProblemError(node, "the result is not used", hint="assign it, or remove the line")
    return (Perform(value),)


def _is_list(owner: ast.expr, scope: Scope) -> bool:
    match owner:
        case ast.Name(id="self"):
            return False
        case _:
            return isinstance(refer(owner, scope).type, ListOf)


def _has_effect(value: Expression) -> bool:
    match value:
        case Staged():
            return True
        case Operation(op=op, type=type_):
            return type_ is UNIT_TYPE or op in {Op.CALL, Op.INVOKE, Op.SLPOP}
        case _:
            return False


def _require(node: ast.Call, scope: Scope) -> Step:
    match node:
        case ast.Call(args=[test_node, message_node], keywords=[]):
            pass
        case _:
            hint = 'write require(amount > 0, "the amount must be positive")'
            raise ProblemError(node, "require takes a condition and a message", hint=hint)
    test = condition(test_node, scope, "the condition of require()")
    message = _message(message_node, scope)
    if isinstance(message, Literal):
        return Require(test, message)
    opposite = scope.operation(Op.NOT, BOOL_TYPE, test, at=scope.at(node))
    return Branch(opposite, (Fail(message),))


def _fail(node: ast.Call, scope: Scope) -> Step:
    match node:
        case ast.Call(args=[message_node], keywords=[]):
            return Fail(_message(message_node, scope))
        case _:
            raise ProblemError(node, "fail takes a message", hint='write fail("why")')


def _message(node: ast.expr, scope: Scope) -> Expression:
    message = scope.typed(node, STR_TYPE, "the message")
    match message:
        case Literal(value=str(text)) if not text:
            raise ProblemError(node, "the message is empty", hint="say what went wrong")
        case Literal(value=str(text)) if len(text) > MESSAGE_LENGTH_MAX:
            raise ProblemError(node, f"the message has more than {MESSAGE_LENGTH_MAX} characters")
        case _:
            return message


def _while(node: ast.While, scope: Scope) -> tuple[Step, ...]:
    _refuse_else(node)
    test = _test(node.test, scope, "the condition of `while`")
    label = Label()
    scope.loops.append(label)
    steps = body(node.body, scope)
    scope.loops.pop()
    match test:
        case None:
            return ()
        case Literal(value=True):
            return (Loop(label, steps, is_endless=label not in scope.left),)
        case _:
            return (Loop(label, (Branch(test, (), (Leave(label),)), *steps), is_endless=False),)


def _for(node: ast.For, scope: Scope) -> tuple[Step, ...]:
    _refuse_else(node)
    label = Label()
    with scope.world.findings:
        plan = for_loop(node, label, scope)
        scope.loops.append(label)
        steps = body(node.body, scope)
        scope.loops.pop()
        return plan.around(steps)
    _check_anyway(node, scope)
    return ()


def _check_anyway(node: ast.For, scope: Scope) -> None:
    """Check the body of a loop whose first line has a problem."""
    if isinstance(node.target, ast.Name):
        scope.give_up(node.target.id)
    scope.loops.append(Label())
    body(node.body, scope)
    scope.loops.pop()


def _refuse_else(node: ast.For | ast.While) -> None:
    if node.orelse:
        hint = "put the lines behind the loop"
        raise ProblemError(node.orelse[0], "a loop has no `else`", hint=hint)


def _loop(node: ast.stmt, scope: Scope) -> Label:
    if not scope.loops:
        word = "break" if isinstance(node, ast.Break) else "continue"
        raise ProblemError(node, f"`{word}` stands outside a loop")
    return scope.loops[-1]


def _return(node: ast.Return, scope: Scope) -> Step:
    result = scope.signature.result
    match node.value:
        case None:
            if result is UNIT_TYPE:
                return Return(_unit(node, scope))
            message = f"{scope.signature.name}() returns {with_article(result)}"
            raise ProblemError(node, message, hint="write `return` and a value")
        case ast.Constant(value=None) if result is UNIT_TYPE:
            return Return(_unit(node, scope))
        case value_node:
            pass
    if result is UNIT_TYPE:
        raise _unexpected_result(value_node, scope)
    _explain_option(value_node, result)
    what = f"the result of {scope.signature.name}()"
    return Return(scope.typed(value_node, result, what))


def _explain_option(node: ast.expr, result: ValueType) -> None:
    match node, result:
        case ast.Constant(value=None), OptionOf():
            raise ProblemError(node, "None is not a value", hint="write `return none`")
        case _:
            pass


def _unexpected_result(node: ast.expr, scope: Scope) -> ProblemError:
    found = scope.value(node).type
    name = scope.signature.name
    if found is UNIT_TYPE:
        hint = "put `return` on a line of its own"
        return ProblemError(node, f"{name}() returns nothing", hint=hint)
    hint = f"write -> {found} behind its parameters"
    return ProblemError(
        node, f"{name}() does not say that it returns {with_article(found)}", hint=hint
    )


def _unit(node: ast.AST, scope: Scope) -> Expression:
    return Operation(UNIT_TYPE, Op.UNIT, (), (), scope.at(node))
