"""Every key of the table changes something: the code of the node reads it from its section.

The code is read, not run: an attribute counts where what it is taken from is a section, by its
annotation, by an assignment, or by the name of the section before it.
"""

import ast
from collections.abc import Iterator

import pytest

from node.config.sections import Config
from node.config.table import keys, sections
from tests.tidy.sources import ROOT

KINDS = {section.kind.__name__: section.name for section in sections()}
HOLDERS = {"config", "_config"}


def _read() -> set[str]:
    files = [path for path in (ROOT / "node").rglob("*.py") if path.parent.name != "config"]
    # What the table of keys itself is made of reads none of them; this file does.
    files += [ROOT / "node" / "config" / "watched.py"]
    return {key for path in files for key in _keys_in(path.read_text(encoding="utf-8"))}


def _keys_in(text: str) -> Iterator[str]:
    tree = ast.parse(text)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            names = dict(_names(function))
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute):
                    section = _section(node.value, names)
                    if section is not None:
                        yield f"{section}.{node.attr}"


def _names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, str]]:
    """Yield the names in a function that stand for a section, with it."""
    arguments = function.args
    for one in (*arguments.args, *arguments.kwonlyargs):
        if isinstance(one.annotation, ast.Name) and one.annotation.id in KINDS:
            yield one.arg, KINDS[one.annotation.id]
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            yield from _assigned(node.targets[0], node.value)


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, str]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, part in zip(target.elts, value.elts, strict=True):
            yield from _assigned(one, part)
    elif isinstance(target, ast.Name) and (section := _section(value, {})) is not None:
        yield target.id, section


def _section(node: ast.expr, names: dict[str, str]) -> str | None:
    """Return the section that an expression stands for: a name, or config.SECTION."""
    match node:
        case ast.Name(id=name):
            return names.get(name)
        case ast.Attribute(value=holder, attr=name) if name in Config.__struct_fields__:
            last = holder.attr if isinstance(holder, ast.Attribute) else ""
            last = holder.id if isinstance(holder, ast.Name) else last
            return name if last in HOLDERS else None
        case _:
            return None


def test_every_key_is_read_by_the_node() -> None:
    assert {key.place for key in keys()} - _read() == set()


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("def f(config): return config.mempool.bytes_max", {"mempool.bytes_max"}),
        ("def f(self): return self._config.rpc.cors", {"rpc.cors"}),
        ("def f(section: RpcSection): return section.cors", {"rpc.cors"}),
        ("def f(c): s, x = c.config.rpc, 1; return s.cors", {"rpc.cors"}),
        ("def f(self): return self._limits.per_sender_max", set()),
        ("def f(mempool): return mempool.bytes_max", set()),
    ],
)
def test_a_key_counts_where_it_is_taken_from_its_section(code: str, read: set[str]) -> None:
    every = {key.place for key in keys()}
    assert set(_keys_in(code)) & every == read
