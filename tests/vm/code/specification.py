"""The parts of SPEC.md that are written from the code.

`python -m tests.vm.code.specification` writes them into the document; a test compares.
"""

import ast
import enum
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from node.vm import limits
from node.vm.gas import Rate
from node.vm.instruction_set import FAMILIES
from node.vm.module import FunctionKind
from node.vm.opcodes import Effect, Immediate, OpSpec
from node.vm.rejection import Reason
from node.vm.traps import Trap
from node.vm.types import SCALAR_NAMES

DOCUMENT: Final = Path(inspect.getfile(limits)).with_name("SPEC.md")

_BLOCK: Final = re.compile(r"(<!-- from the code: (\w+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def with_tables(text: str) -> str:
    """Return the document with every part that is written from the code."""
    tables = {
        "scalars": _scalars(),
        "kinds": _members(FunctionKind),
        "immediates": _table(
            ("letter", "immediate"),
            ((f"`{each.value}`", each.name.lower().replace("_", " ")) for each in Immediate),
        ),
        "opcodes": _opcodes(),
        "limits": _limits(),
        "traps": _members(Trap),
        "reasons": _members(Reason),
    }
    return _BLOCK.sub(lambda block: f"{block[1]}\n{tables[block[2]]}\n{block[3]}", text)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = tuple(heads)
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _scalars() -> str:
    return _table(("index", "type"), ((str(i), name) for i, name in enumerate(SCALAR_NAMES)))


def _opcodes() -> str:
    heads = ("byte", "opcode", "stack", "gas", "meaning", "traps")
    parts = [
        f"### {title}\n\n{_table(heads, map(_opcode, family))}"
        for title, family in FAMILIES.items()
    ]
    return "\n".join(parts)


def _opcode(spec: OpSpec) -> tuple[str, ...]:
    letters = "".join(f" {immediate.value}" for immediate in spec.immediates)
    effect = "" if spec.effect is Effect.PURE else f" *{spec.effect.value.capitalize()}s.*"
    return (
        f"{spec.op.value:02x}",
        f"`{spec.op.name}{letters}`",
        f"`{spec.stack}`",
        f"{spec.static_gas}{_rate(spec.dynamic_gas)}",
        f"{spec.text}{effect}",
        ", ".join(trap.name for trap in dict.fromkeys(spec.traps)),
    )


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return ""
    unit = f" per {1 << rate.shift}" if rate.shift else " each"
    return f" + {rate.gas}{unit}: {rate.measure.value}"


def _limits() -> str:
    bounds = {name: value for name, value in vars(limits).items() if name.isupper()}
    return _table(("limit", "value"), ((f"`{name}`", _number(n)) for name, n in bounds.items()))


def _number(value: int) -> str:
    exponent = abs(value).bit_length() - 1
    if abs(value) < 1 << 32:
        return f"{value:,}"
    if value == 1 << exponent or value == -(1 << exponent):
        return f"{'-' if value < 0 else ''}2**{exponent}"
    assert value == (1 << exponent + 1) - 1
    return f"2**{exponent + 1} - 1"


def _members(kind: type[enum.Enum]) -> str:
    """Return a table of the members with the text that stands below each in the source."""
    (tree,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(tree, ast.ClassDef)
    texts = [
        node.value.value
        for node in tree.body[1:]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    rows = zip(kind, texts, strict=True)
    return _table(
        ("code", "name", "meaning"),
        ((str(member.value), member.name, " ".join(str(text).split())) for member, text in rows),
    )


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
