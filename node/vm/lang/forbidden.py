"""The parts of Python that a contract does not have, each with what to write in its place."""

import ast
from typing import Final

from node.vm.lang.errors import ProblemError

_NO_EXCEPTIONS: Final = (
    "a contract cannot catch an error",
    'a call that fails undoes everything; test first with `if` or require(..., "why")',
)
_NO_ASYNC: Final = ("a contract does not wait", "call a @scheduled method with schedule(...)")
_NO_GENERATORS: Final = ("a method cannot be a generator", "return a List")
_NO_MATCH: Final = ("`match` is not part of the language", "use if, elif and else")
_NO_COMPREHENSION: Final = (
    "comprehensions are not part of the language",
    "write a `for` loop that appends to a list",
)
_NO_NAMESPACES: Final = ("contracts have no global variables", "keep state in a contract field")
_NO_TUPLES: Final = (
    "tuples are not part of the language",
    "use a class X(Record) for values that belong together",
)

_WORDS: Final[dict[type[ast.AST], tuple[str, str]]] = {
    ast.Import: (
        "a contract imports nothing",
        "everything that it may use is built in; declare other contracts as class X(Interface)",
    ),
    ast.ImportFrom: (
        "a contract imports nothing",
        "everything that it may use is built in; declare other contracts as class X(Interface)",
    ),
    ast.Try: _NO_EXCEPTIONS,
    ast.TryStar: _NO_EXCEPTIONS,
    ast.Raise: ("`raise` is not part of the language", 'use fail("why")'),
    ast.Assert: ("`assert` is not part of the language", 'use require(condition, "why")'),
    ast.With: ("`with` is not part of the language", "a contract opens nothing"),
    ast.AsyncWith: _NO_ASYNC,
    ast.AsyncFor: _NO_ASYNC,
    ast.AsyncFunctionDef: _NO_ASYNC,
    ast.Await: _NO_ASYNC,
    ast.Yield: _NO_GENERATORS,
    ast.YieldFrom: _NO_GENERATORS,
    ast.Match: _NO_MATCH,
    ast.Global: _NO_NAMESPACES,
    ast.Nonlocal: _NO_NAMESPACES,
    ast.Lambda: ("`lambda` is not part of the language", "write a method"),
    ast.ListComp: _NO_COMPREHENSION,
    ast.SetComp: _NO_COMPREHENSION,
    ast.DictComp: _NO_COMPREHENSION,
    ast.GeneratorExp: _NO_COMPREHENSION,
    ast.Dict: (
        "dictionaries are not part of the language",
        "declare a contract field of type Map[K, V]",
    ),
    ast.Set: (
        "sets are not part of the language",
        "declare a contract field of type Map[K, Bool]",
    ),
    ast.Tuple: _NO_TUPLES,
    ast.Starred: ("`*` arguments are not part of the language", "write every argument"),
    ast.NamedExpr: ("`:=` is not part of the language", "assign on a line of its own"),
    ast.JoinedStr: (
        "f-strings are not part of the language",
        'join with +, numbers through Str(x): "round " + Str(n)',
    ),
    ast.FunctionDef: ("a function stands inside the contract class", "make it a method"),
    ast.ClassDef: ("a class stands at the top of the file", "move it out"),
}


def forbidden(node: ast.AST) -> ProblemError:
    """Return what is wrong with a construct that has no meaning where it stands."""
    message, hint = _WORDS.get(type(node), (f"{_kind(node)} has no meaning here", ""))
    return ProblemError(node, message, hint=hint)


def _kind(node: ast.AST) -> str:
    match node:
        case ast.stmt():
            return f"`{type(node).__name__.lower()}`"
        case _:
            return "this"
