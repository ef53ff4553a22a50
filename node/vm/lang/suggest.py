"""Guess what a name was meant to be."""

from collections.abc import Iterable, Mapping
from typing import Final

# What people bring along from Python and from other contract languages.
_HABITS: Final[Mapping[str, str]] = {
    "int": "the type is Int, Int(x) converts",
    "str": "the type is Str, Str(x) converts",
    "bytes": "the type is Bytes, Bytes(x) converts",
    "bool": "the type is Bool",
    "float": 'there are no floats; the type is Fixed, as in fixed("0.5")',
    "Float": 'there are no floats; the type is Fixed, as in fixed("0.5")',
    "Decimal": 'the type is Fixed, as in fixed("0.5")',
    "list": "the type is List[T]; a list is written [a, b]",
    "tuple": "the type is List[T]; values of several types are a class X(Record)",
    "dict": "the type is Map[K, V], for contract fields",
    "Dict": "the type is Map[K, V], for contract fields",
    "set": "keep a Map[K, Bool]",
    "Set": "keep a Map[K, Bool]",
    "Optional": "the type is Option[T]",
    "Any": "every value has one type",
    "object": "every value has one type",
    "print": 'use emit("Name", field=value)',
    "any": "write a `for` loop",
    "all": "write a `for` loop",
    "map": "write a `for` loop",
    "filter": "write a `for` loop",
    "zip": "loop over range(len(xs)) and read both lists",
    "enumerate": "loop over range(len(xs))",
    "reversed": "loop over range(len(xs) - 1, -1, -1)",
    "round": "Int(x) rounds a Fixed down",
    "pow": "write x ** n",
    "divmod": "write x // y and x % y",
    "isinstance": "every value has one type, known beforehand",
    "hash": "use sha256(x)",
    "super": "a contract has no parent",
    "this": "the contract is self, its address self_address()",
    "msg": "use sender() and value()",
    "block": "use now() and height()",
    "assert": 'use require(condition, "why")',
    "revert": 'use fail("why")',
    "Exception": 'use fail("why")',
    "ValueError": 'use fail("why")',
    "time": "use now(), in milliseconds",
    "random": "use beacon(), 32 bytes that nobody knew before",
    "math": "use isqrt, muldiv, min, max, abs",
    "Uint": "the type is Int",
    "uint256": "the type is Int",
    "Integer": "the type is Int",
    "String": "the type is Str",
    "Account": "the type is Address",
}

_DISTANCE_MAX: Final = 2


def hint_for(name: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown name, empty without an idea."""
    habit = _HABITS.get(name)
    if habit is not None:
        return habit
    candidates = (other for other in known if _may_be_meant(name, other))
    ranked = sorted((_distance(name, other), other) for other in candidates)
    if not ranked or ranked[0][0] > min(_DISTANCE_MAX, len(name) // 3):
        return ""
    return f"did you mean {ranked[0][1]!r}?"


def _may_be_meant(name: str, other: str) -> bool:
    return abs(len(name) - len(other)) <= _DISTANCE_MAX


def _distance(name: str, other: str) -> int:
    """Count the letters to leave out, add, change or swap with their neighbour; case is free.

    Source: the optimal string alignment distance (Damerau 1964, Levenshtein 1965).
    """
    left, right = name.lower(), other.lower()
    before: list[int] = []
    above = list(range(len(right) + 1))
    for row, letter in enumerate(left, start=1):
        current = [row]
        for column, target in enumerate(right, start=1):
            cost = min(
                above[column] + 1,
                current[column - 1] + 1,
                above[column - 1] + (letter != target),
            )
            swapped = row > 1 and column > 1 and left[row - 2 : row] == target + right[column - 2]
            if swapped:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, above = above, current
    return above[-1]
