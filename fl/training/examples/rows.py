"""Read rows from files of text: JSON lines and comma-separated values, plain or gzipped.

One line is in memory at a time, and a line has a largest size, so neither a file without line
breaks nor a gzip bomb can fill the memory.
"""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import msgspec

from fl.training.examples.errors import ExamplesError
from fl.training.examples.folder import Format, SourceFile
from fl.training.examples.limits import ReadLimits


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table and the line, counted from 1, where it ends."""

    line: int
    values: Mapping[str, object]


def text_columns(file: SourceFile, *, limits: ReadLimits) -> tuple[str, ...]:
    """Return the names of the columns, which for JSON lines are the keys of the first line."""
    with _reading(file):
        if file.format in {Format.CSV, Format.CSV_GZ}:
            return tuple(_header(_csv_cells(file, limits), file))
        first = next(_json_rows(file, limits), None)
    if first is None:
        raise ExamplesError("the file is empty", source=file.shown)
    return tuple(first.values)


def text_rows(file: SourceFile, *, limits: ReadLimits) -> Iterator[Row]:
    """Yield the rows of a file; what is wrong with one is an `ExamplesError` with its line."""
    is_csv = file.format in {Format.CSV, Format.CSV_GZ}
    with _reading(file):
        yield from _csv_rows(file, limits) if is_csv else _json_rows(file, limits)


def _json_rows(file: SourceFile, limits: ReadLimits) -> Iterator[Row]:
    for line, text in _numbered_lines(file, limits):
        if text.isspace():
            continue
        try:
            values = msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError) as error:
            # Deep nesting surfaces as RecursionError, which is not a MsgspecError.
            raise ExamplesError(f"not valid JSON: {error}", source=file.shown, line=line) from error
        if not isinstance(values, dict):
            message = f"each line must hold one JSON object, not {_word(values)}"
            raise ExamplesError(message, source=file.shown, line=line)
        yield Row(line, values)


def _csv_rows(file: SourceFile, limits: ReadLimits) -> Iterator[Row]:
    lines = _csv_cells(file, limits)
    names = _header(lines, file)
    for line, cells in lines:
        if len(cells) != len(names):
            if not cells:
                continue
            message = f"{len(cells)} fields, but the header names {len(names)}"
            raise ExamplesError(message, source=file.shown, line=line)
        yield Row(line, dict(zip(names, cells, strict=True)))


def _csv_cells(file: SourceFile, limits: ReadLimits) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row, the header's first, with the line where it ends."""
    # The module's own limit is 128 KiB. It also ends a quote that is never closed.
    csv.field_size_limit(limits.line_size_bytes_max)
    reader = csv.reader(_text_lines(file, limits), strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        message = f"not valid CSV: {error}"
        raise ExamplesError(message, source=file.shown, line=reader.line_num) from error


def _header(lines: Iterator[tuple[int, list[str]]], file: SourceFile) -> list[str]:
    _, names = next(lines, (0, []))
    if not names:
        raise ExamplesError("the file is empty, without a header", source=file.shown)
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        message = f"the header names {twice[0]!r} twice"
        raise ExamplesError(message, source=file.shown, line=1)
    return names


def _text_lines(file: SourceFile, limits: ReadLimits) -> Iterator[str]:
    return (text for _, text in _numbered_lines(file, limits))


def _numbered_lines(file: SourceFile, limits: ReadLimits) -> Iterator[tuple[int, str]]:
    with _open(file) as stream:
        line = size_bytes = 0
        while raw := stream.readline(limits.line_size_bytes_max + 1):
            line += 1
            size_bytes += len(raw)
            if len(raw) > limits.line_size_bytes_max:
                message = f"the line is longer than {limits.line_size_bytes_max} bytes"
                raise ExamplesError(message, source=file.shown, line=line)
            if size_bytes > limits.unpacked_size_bytes_max:
                message = f"unpacked, the file exceeds {limits.unpacked_size_bytes_max} bytes"
                raise ExamplesError(message, source=file.shown, line=line)
            yield line, _decode(raw, file=file, line=line)


def _decode(raw: bytes, *, file: SourceFile, line: int) -> str:
    try:
        # Only the first line may begin with the mark that some editors write.
        return raw.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        message = f"not UTF-8 at byte {error.start} of the line; save the file as UTF-8"
        raise ExamplesError(message, source=file.shown, line=line) from error


@contextmanager
def _reading(file: SourceFile) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        message = f"damaged gzip file: {str(error).lower()}"
        raise ExamplesError(message, source=file.shown) from error
    except OSError as error:
        raise ExamplesError(f"cannot be read: {error.strerror}", source=file.shown) from error


def _open(file: SourceFile) -> IO[bytes]:
    if file.format in {Format.JSONL_GZ, Format.CSV_GZ}:
        return io.BufferedReader(gzip.GzipFile(file.path))
    return file.path.open("rb")


def _word(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool() | int() | float():
            return "a number"
        case str():
            return "a text"
        case _:
            return "a list"
