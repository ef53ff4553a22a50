"""Fit the arguments of a call to the parameters it has: by place, by name, computed as written."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from node.vm.lang.errors import ProblemError
from node.vm.lang.scope import Scope
from node.vm.lang.steadiness import is_steady
from node.vm.lang.suggest import hint_for
from node.vm.lang.tree import Assign, Expression, Read, Staged, Step
from node.vm.lang.types import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The arguments of one call, in the order of the parameters.

    Args:
        values: one for each parameter.
        steps: to carry out before, where the order of the source differs and matters.
    """

    values: tuple[Expression, ...]
    steps: tuple[Step, ...]

    def before(self, result: Expression) -> Expression:
        """Return a result that uses the values, with what has to be done before."""
        return Staged(self.steps, result) if self.steps else result


def arguments(
    node: ast.Call,
    params: Sequence[Part],
    *,
    scope: Scope,
    what: str,
    ready: Mapping[ast.expr, Expression] = MappingProxyType({}),
) -> Arguments:
    """Check the arguments of a call.

    Args:
        node: the call.
        params: what it takes.
        scope: of the method that calls.
        what: the function as messages call it, such as "add()".
        ready: the values of arguments that are checked already.
    """
    given = written(node, params, scope=scope, what=what, ready=ready)
    check_complete(node, params, [place for place, _ in given], what=what)
    return ordered(given, scope=scope, node=node)


def written(
    node: ast.Call,
    params: Sequence[Part],
    *,
    scope: Scope,
    what: str,
    ready: Mapping[ast.expr, Expression] = MappingProxyType({}),
) -> list[tuple[int, Expression]]:
    """Return the arguments as they are written, each with the place of its parameter."""
    found: list[tuple[int, Expression]] = []
    for place, argument in _matched(node, params, what=what):
        wanted = params[place].type
        known = ready.get(argument)
        value = scope.value(argument, wanted) if known is None else known
        scope.check_type(argument, value.type, wanted, f"{params[place].name!r} of {what}")
        found.append((place, value))
    return found


def check_complete(
    node: ast.Call, params: Sequence[Part], places: Sequence[int], *, what: str
) -> None:
    """Refuse a call that leaves a parameter out."""
    missing = [part.name for place, part in enumerate(params) if place not in places]
    if missing:
        hint = "it takes " + ", ".join(f"{part.name}: {part.type}" for part in params)
        raise ProblemError(node, f"{what} lacks {missing[0]!r}", hint=hint)


def ordered(given: Sequence[tuple[int, Expression]], *, scope: Scope, node: ast.AST) -> Arguments:
    """Put values into the order of their places, keeping the order in which they are computed."""
    steps: list[Step] = []
    places = [place for place, _ in given]
    values = [value for _, value in given]
    if places != sorted(places) and not all(map(is_steady, values)):
        at = scope.at(node)
        for number, value in enumerate(values):
            variable = scope.hidden(value.type)
            steps.append(Assign(variable, value, at))
            values[number] = Read(variable, at)
    ranked = sorted(zip(places, range(len(values)), strict=True))
    return Arguments(values=tuple(values[number] for _, number in ranked), steps=tuple(steps))


def _matched(node: ast.Call, params: Sequence[Part], *, what: str) -> list[tuple[int, ast.expr]]:
    positional = node.args
    if len(positional) > len(params):
        takes = f"{len(params)} argument" + ("" if len(params) == 1 else "s")
        message = f"{what} takes {takes}, this is number {len(params) + 1}"
        raise ProblemError(positional[len(params)], message, hint=_parameters_hint(params))
    found: list[tuple[int, ast.expr]] = list(enumerate(positional))
    names = [part.name for part in params]
    for keyword in node.keywords:
        if keyword.arg is None:
            raise ProblemError(keyword.value, "`**` arguments are not part of the language")
        if keyword.arg not in names:
            hint = hint_for(keyword.arg, names) or _parameters_hint(params)
            message = f"{what} takes no {keyword.arg!r}"
            raise ProblemError(keyword, message, hint=hint)
        place = names.index(keyword.arg)
        if any(place == taken for taken, _ in found):
            raise ProblemError(keyword, f"{what} is given {keyword.arg!r} twice")
        found.append((place, keyword.value))
    return found


def _parameters_hint(params: Sequence[Part]) -> str:
    return "it takes " + ", ".join(part.name for part in params) if params else ""
