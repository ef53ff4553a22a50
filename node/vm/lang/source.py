"""Turn a contract's text into a syntax tree of bounded size and depth.

Everything that walks the tree later may recurse, because its depth is bounded here; no text makes
the parser warn, overflow its stack, or hide from a reader what it says.
"""

import ast
import re
import warnings
from dataclasses import dataclass
from typing import Final

from node.vm.lang.errors import ContractError, Position, Problem

SOURCE_BYTES_MAX: Final = 256 * 1024
TREE_DEPTH_MAX: Final = 64
NAME_LENGTH_MAX: Final = 64
PARTS_MAX: Final = 256

# A source that is shown in another order than it is read hides what it does (CVE-2021-42574).
_REORDERING: Final = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f]")
# Longer than what the parser reads as a number.
_MANY_DIGITS: Final = re.compile("[0-9][0-9_]{4299,}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed contract: its name for messages, its lines and its tree."""

    file: str
    lines: tuple[str, ...]
    tree: ast.Module

    def locate(self, node: ast.AST) -> Position:
        """Return where a node begins; the parser itself counts bytes, people count characters."""
        line = getattr(node, "lineno", 1)
        offset = getattr(node, "col_offset", 0)
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return Position(line, len(text.encode()[:offset].decode(errors="replace")) + 1)


def parse(text: str, *, file: str) -> Source:
    """Parse a contract's text.

    Raises:
        ContractError: it is too long or too deep, holds hidden characters, or is not Python syntax.
    """
    lines = lines_of(text)
    unified = "\n".join(lines)
    _check_text(unified, file=file)
    tree = _parsed(unified, file=file)
    source = Source(file, lines, tree)
    _check_tree(source)
    return source


def lines_of(text: str) -> tuple[str, ...]:
    """Return the lines as the positions of problems count them; all three line ends are one."""
    return tuple(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))


def _check_text(text: str, *, file: str) -> None:
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError as error:
        raise _refusal(file, _place(text, error.start), "a character that is not Unicode") from None
    if size_bytes > SOURCE_BYTES_MAX:
        message = f"the source has {size_bytes} bytes, more than {SOURCE_BYTES_MAX}"
        raise _refusal(file, Position(1, 1), message, "split it into several contracts")
    for pattern, message in (
        (_CONTROL, "a control character"),
        (_REORDERING, "a character that changes the order in which text is shown"),
    ):
        found = pattern.search(text)
        if found is not None:
            hint = f"write \\u{ord(found.group()):04x} inside a string, or remove it"
            raise _refusal(file, _place(text, found.start()), message, hint)


_TOO_DEEP: Final = (
    f"nested more than {TREE_DEPTH_MAX} deep",
    "give a part of it a name of its own",
)


def _parsed(text: str, *, file: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            # What the parser only warns of, such as "\d", is refused: its meaning may change.
            warnings.simplefilter("error")
            return ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise _syntax_refusal(error, text, file=file) from None
    except (RecursionError, MemoryError):
        raise too_deep(file) from None


def too_deep(file: str) -> ContractError:
    """Return the refusal of a source that is nested too deeply, wherever that is."""
    return _refusal(file, Position(1, 1), *_TOO_DEEP)


def _syntax_refusal(error: SyntaxError | ValueError, text: str, *, file: str) -> ContractError:
    # The parser leaves the place out, or counts from 0, for some errors at the end of the text.
    line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 1
    place = Position(max(line, 1), max(column, 1))
    reason = str(error.args[0]).partition(" (<unknown>")[0]
    digits = _MANY_DIGITS.search(text)
    if digits is not None and "integer string conversion" in reason:
        place = _place(text, digits.start())
        return _refusal(file, place, "the number has too many digits", "Int has 256 bits")
    return _refusal(file, place, f"not Python syntax: {reason}", _SYNTAX_HINTS.get(reason, ""))


_SYNTAX_HINTS: Final = {
    "expected ':'": "a line that opens a block ends with a colon",
    "invalid syntax. Perhaps you forgot a comma?": "",
    "invalid syntax. Maybe you meant '==' or ':=' instead of '='?": "compare with ==",
    "unterminated string literal": "close the quotes on the same line",
}


def _check_tree(source: Source) -> None:
    """Refuse a deep tree without recursion, and names that look like other names."""
    waiting: list[tuple[ast.AST, int, ast.AST]] = [(source.tree, 0, source.tree)]
    while waiting:
        node, depth, shown = waiting.pop()
        shown = node if hasattr(node, "lineno") else shown
        if depth > TREE_DEPTH_MAX:
            raise _refusal(source.file, source.locate(shown), *_TOO_DEEP)
        if _width(node) > PARTS_MAX:
            message = f"an expression of more than {PARTS_MAX} parts"
            hint = "give some of them names of their own"
            raise _refusal(source.file, source.locate(shown), message, hint)
        for name in _names(node):
            _check_name(name, source=source, node=shown)
        waiting.extend((child, depth + 1, shown) for child in ast.iter_child_nodes(node))


def _width(node: ast.AST) -> int:
    match node:
        case ast.Compare(ops=parts) | ast.BoolOp(values=parts) | ast.List(elts=parts):
            return len(parts)
        case ast.Call(args=args, keywords=keywords):
            return len(args) + len(keywords)
        case _:
            return 0


def _names(node: ast.AST) -> list[str]:
    match node:
        case (
            ast.Name(id=name)
            | ast.Attribute(attr=name)
            | ast.arg(arg=name)
            | ast.keyword(arg=str(name))
            | ast.FunctionDef(name=name)
            | ast.ClassDef(name=name)
        ):
            return [name]
        case _:
            return []


def _check_name(name: str, *, source: Source, node: ast.AST) -> None:
    if not name.isascii():
        hint = "letters of other alphabets can look the same; they may stand in strings"
        raise _refusal(source.file, source.locate(node), "a name outside ASCII", hint)
    if len(name) > NAME_LENGTH_MAX:
        message = f"a name of {len(name)} characters, more than {NAME_LENGTH_MAX}"
        raise _refusal(source.file, source.locate(node), message)


def _place(text: str, index: int) -> Position:
    before = text[:index]
    return Position(before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)


def _refusal(file: str, place: Position, message: str, hint: str = "") -> ContractError:
    return ContractError((Problem(file, place.line, place.column, message, hint),))
