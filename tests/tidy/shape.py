"""How long files and functions may be, and how many files the shared room may hold."""

import ast
import statistics
from collections.abc import Iterable, Iterator

from tests.tidy.sources import Finding, Source, scopes

FILE_LINES_MEDIAN_MAX = 150
FILE_LINES_MOST_MAX = 350
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
PRIMITIVES_FILES_MAX = 12


def long_files(sources: Iterable[Source]) -> Iterator[Finding]:
    """Report each file over the hard limit."""
    for source in sources:
        lines = _line_count(source)
        if lines > FILE_LINES_MAX:
            yield Finding("long file", source.path, f"{lines} lines > {FILE_LINES_MAX}")


def long_functions(sources: Iterable[Source]) -> Iterator[Finding]:
    """Report each function over the limit; its decorators do not count."""
    for source in sources:
        for name, scope in scopes(source.tree):
            if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            lines = (scope.end_lineno or scope.lineno) - scope.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                place = f"{source.path}::{name}"
                yield Finding("long function", place, f"{lines} lines > {FUNCTION_LINES_MAX}")


def large_rooms(sources: Iterable[Source]) -> Iterator[Finding]:
    """Report when the median file, or the tenth part that is longest, is too long."""
    lengths = sorted(_line_count(source) for source in sources)
    if not lengths:
        return
    median = statistics.median(lengths)
    if median > FILE_LINES_MEDIAN_MAX:
        yield Finding("file lengths", "median", f"{median} lines > {FILE_LINES_MEDIAN_MAX}")
    over = sum(length > FILE_LINES_MOST_MAX for length in lengths)
    if over * 10 > len(lengths):
        detail = f"{over} of {len(lengths)} files are longer than {FILE_LINES_MOST_MAX} lines"
        yield Finding("file lengths", "longest tenth", detail)


def crowded_primitives(sources: Iterable[Source]) -> Iterator[Finding]:
    """Report when the shared room, which is closed, holds more files than it may."""
    files = [
        source.path
        for source in sources
        if source.room == "primitives" and not source.path.endswith("__init__.py")
    ]
    if len(files) > PRIMITIVES_FILES_MAX:
        detail = f"{len(files)} files > {PRIMITIVES_FILES_MAX}"
        yield Finding("crowded room", "primitives", detail)


def _line_count(source: Source) -> int:
    return source.text.count("\n")
