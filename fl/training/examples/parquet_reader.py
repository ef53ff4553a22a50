"""The process that opens Parquet files: `python -m fl.training.examples.parquet_reader`.

pyarrow is native code, and some damaged files abort it (version 26 does on one changed byte in a
footer); so it runs in a process of its own whose end is an error and no more. A small Parquet file
can also stand for an enormous table: a dictionary of one long text and a billion references to it
compress to nothing. So the footer's counts are checked before anything is read, texts stay
references until their sizes are known, each text and all together have a largest size, and the
memory of the process is limited where the system can do that.
"""

import resource
import sys
from collections.abc import Iterator, Sequence
from typing import IO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fl.training.examples.limits import ReadLimits
from fl.training.examples.parquet_frames import (
    Described,
    Part,
    Refused,
    Request,
    read_request,
    write_frame,
)

MEMORY_SIZE_BYTES_MAX = 4 << 30
ROWS_AT_ONCE = 256
PART_SIZE_BYTES_MAX = 16 << 20
BUFFER_SIZE_BYTES = 1 << 20
# Of the footer, which names every column of every row group.
FOOTER_STRING_SIZE_BYTES_MAX = 64 << 20
FOOTER_ITEMS_MAX = 1_000_000


class RefusedTableError(Exception):
    """Carry a refusal to where it is sent."""

    def __init__(self, message: str, *, row: int | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.refusal = Refused(message, row, field)


def serve(request: Request, answers: IO[bytes]) -> None:
    """Answer one request; whatever is wrong with the file is an answer too."""
    try:
        with _open(request.path) as table:
            write_frame(answers, _describe(table.schema_arrow))
            _check_columns(table.schema_arrow, request.columns)
            _check_footer(table.metadata, request.columns, limits=request.limits)
        if request.columns:
            with _open(request.path, as_dictionary=request.columns) as table:
                for part in _parts(table, request.columns, limits=request.limits):
                    write_frame(answers, part)
    except RefusedTableError as error:
        write_frame(answers, error.refusal)
    except UnicodeDecodeError:
        write_frame(answers, Refused("a text is not UTF-8"))
    except MemoryError:
        message = f"reading it takes more than {MEMORY_SIZE_BYTES_MAX} bytes of memory"
        write_frame(answers, Refused(message))
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].lower() if str(error) else "no reason given"
        write_frame(answers, Refused(f"not a readable Parquet file: {reason}"))


def _open(path: str, *, as_dictionary: Sequence[str] = ()) -> pq.ParquetFile:
    return pq.ParquetFile(
        path,
        read_dictionary=list(as_dictionary),
        buffer_size=BUFFER_SIZE_BYTES,
        pre_buffer=False,
        thrift_string_size_limit=FOOTER_STRING_SIZE_BYTES_MAX,
        thrift_container_size_limit=FOOTER_ITEMS_MAX,
    )


class _Feature(msgspec.Struct):
    names: list[str] = []


class _Features(msgspec.Struct):
    features: dict[str, _Feature]


class _Stored(msgspec.Struct):
    """What the `datasets` library writes into the metadata, as far as it is of use here."""

    info: _Features


def _describe(schema: pa.Schema) -> Described:
    raw = (schema.metadata or {}).get(b"huggingface", b"null")
    try:
        features = msgspec.json.decode(raw, type=_Stored).info.features
    except (msgspec.MsgspecError, RecursionError):
        features = {}
    named = {column: feature.names for column, feature in features.items() if feature.names}
    return Described(schema.names, named)


def _parts(table: pq.ParquetFile, columns: Sequence[str], *, limits: ReadLimits) -> Iterator[Part]:
    row = size_bytes = 0
    for batch in table.iter_batches(
        batch_size=ROWS_AT_ONCE, columns=list(columns), use_threads=False
    ):
        cells = [batch.column(name) for name in columns]
        weight_bytes = _weigh(cells, columns, first_row=row + 1, limits=limits)
        size_bytes += weight_bytes
        if size_bytes > limits.unpacked_size_bytes_max:
            message = f"unpacked, the texts exceed {limits.unpacked_size_bytes_max} bytes"
            raise RefusedTableError(message, row=row + 1)
        step = batch.num_rows if weight_bytes <= PART_SIZE_BYTES_MAX else 1
        for start in range(0, batch.num_rows, max(1, step)):
            lists = [_decoded(column.slice(start, step)).to_pylist() for column in cells]
            yield Part([list(line) for line in zip(*lists, strict=True)])
        row += batch.num_rows


def _check_columns(schema: pa.Schema, columns: Sequence[str]) -> None:
    for name in columns:
        found = schema.get_all_field_indices(name)
        if len(found) != 1:
            present = ", ".join(schema.names)
            message = f"this column is missing or there twice; there are {present}"
            raise RefusedTableError(message, field=name)
        kind = schema.field(found[0]).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if not _is_plain(kind):
            message = f"holds {kind}, neither texts nor whole numbers"
            raise RefusedTableError(message, field=name)


def _is_plain(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
    return _is_text(kind) or any(test(kind) for test in tests)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check_footer(footer: pq.FileMetaData, columns: Sequence[str], *, limits: ReadLimits) -> None:
    if footer.num_rows > limits.examples_max:
        raise RefusedTableError(f"{footer.num_rows} rows > {limits.examples_max}")
    total_bytes = 0
    for group in (footer.row_group(index) for index in range(footer.num_row_groups)):
        for chunk in (group.column(index) for index in range(group.num_columns)):
            if chunk.path_in_schema not in columns:
                continue
            size_bytes = chunk.total_uncompressed_size
            total_bytes += size_bytes
            if not 0 <= size_bytes <= limits.chunk_size_bytes_max:
                message = f"{size_bytes} bytes in one row group > {limits.chunk_size_bytes_max}"
                raise RefusedTableError(message, field=chunk.path_in_schema)
    if total_bytes > limits.unpacked_size_bytes_max:
        message = f"unpacked, the file exceeds {limits.unpacked_size_bytes_max} bytes"
        raise RefusedTableError(message)


def _weigh(
    cells: Sequence[pa.Array], names: Sequence[str], *, first_row: int, limits: ReadLimits
) -> int:
    """Return the size of all texts in bytes, before any is unfolded."""
    total_bytes = 0
    for name, column in zip(names, cells, strict=True):
        sizes = _sizes_bytes(column)
        if sizes is None:
            continue
        largest = pc.max(sizes).as_py() or 0
        if largest > limits.line_size_bytes_max:
            row = first_row + pc.index(sizes, largest).as_py()
            message = f"the text is longer than {limits.line_size_bytes_max} bytes"
            raise RefusedTableError(message, row=row, field=name)
        total_bytes += pc.sum(sizes).as_py() or 0
    return total_bytes


def _sizes_bytes(column: pa.Array) -> pa.Array | None:
    """Return the size of each text, (rows,), or nothing for a column of other things."""
    if pa.types.is_dictionary(column.type):
        if not _is_text(column.type.value_type):
            return None
        lengths = pc.cast(pc.binary_length(column.dictionary), pa.int64())
        return pc.take(lengths, column.indices)
    return pc.cast(pc.binary_length(column), pa.int64()) if _is_text(column.type) else None


def _decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def main() -> None:
    """Answer the request on standard input, in bounded memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_SIZE_BYTES_MAX, MEMORY_SIZE_BYTES_MAX))
    serve(read_request(sys.stdin.buffer), sys.stdout.buffer)


if __name__ == "__main__":
    main()
