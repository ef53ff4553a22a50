"""Queues without a bound, unfinished work without an issue, dead files, blobs, machine paths."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.tidy.sources import ROOT, Finding, Source

BLOB_SIZE_BYTES_MAX = 100_000
QUEUES = frozenset({"Queue", "PriorityQueue", "LifoQueue", "SimpleQueue"})
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))")
HOMES = ("home", "root", "work", "Users", "mnt", "private")
# Not after a word, a dot or a slash: those are addresses and paths inside the repository.
MACHINE_PATH = re.compile(r"(?<![\w./:-])/(?:" + "|".join(HOMES) + r")/\w")


def unbounded_queues(sources: Iterable[Source]) -> Iterator[Finding]:
    """Report each queue that is made without a positive `maxsize`."""
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and _is_unbounded_queue(node):
                place = f"{source.path}:{node.lineno}"
                yield Finding("unbounded queue", place, "give it a maxsize")


def unowned_todos(sources: Iterable[Source]) -> Iterator[Finding]:
    """Report each comment about unfinished work that names no issue, as in TODO(#12)."""
    for source in sources:
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type == tokenize.COMMENT and UNFINISHED.search(token.string):
                place = f"{source.path}:{token.start[0]}"
                yield Finding("unowned todo", place, token.string.strip())


def unimported_files(sources: Iterable[Source], *, entry_points: str) -> Iterator[Finding]:
    """Report each file that nothing imports and no command starts.

    Args:
        sources: the whole project, tests included.
        entry_points: texts that start modules by name, such as the Makefile.
    """
    known = list(sources)
    imported = {
        name for source in known for name in _named_modules(source) if name != source.module
    }
    for source in known:
        if _is_started_by_name(source) or source.module in imported:
            continue
        if not re.search(rf"\b{re.escape(source.module)}\b", entry_points):
            yield Finding("unimported file", source.path, "nothing imports it")


def large_blobs(paths: Iterable[Path]) -> Iterator[Finding]:
    """Report each binary file over the limit."""
    for path in paths:
        content = path.read_bytes()
        if len(content) > BLOB_SIZE_BYTES_MAX and not _is_text(content):
            place = _relative(path)
            yield Finding("large blob", place, f"{len(content)} bytes > {BLOB_SIZE_BYTES_MAX}")


def machine_paths(paths: Iterable[Path]) -> Iterator[Finding]:
    """Report each text that names a folder of somebody's machine."""
    for path in paths:
        content = path.read_bytes()
        if not _is_text(content):
            continue
        for number, line in enumerate(content.decode().splitlines(), start=1):
            if MACHINE_PATH.search(line):
                yield Finding("machine path", f"{_relative(path)}:{number}", line.strip())


def _is_unbounded_queue(call: ast.Call) -> bool:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in QUEUES:
            sizes = [word.value for word in call.keywords if word.arg == "maxsize"]
        case _:
            return False
    match [*call.args, *sizes]:
        case []:
            return True
        case [ast.Constant(value=int(size)), *_]:
            return size <= 0
        case [ast.UnaryOp(op=ast.USub()), *_]:
            return True
        case _:
            return name == "SimpleQueue"


def _named_modules(source: Source) -> Iterator[str]:
    """Yield the modules that a file imports or starts as `python -m`.

    `from a import b` is read as both a and a.b, and every text may be the name of a module.
    """
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(module=str(module), names=aliases):
                yield module
                yield from (f"{module}.{alias.name}" for alias in aliases)
            case ast.Constant(value=str(text)):
                yield text
            case _:
                pass


def _is_started_by_name(source: Source) -> bool:
    file = source.path.rsplit("/", 1)[-1]
    return file in {"__init__.py", "__main__.py", "conftest.py"} or file.startswith("test_")


def _is_text(content: bytes) -> bool:
    if b"\0" in content:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
