"""The examiner: reads a whole environment in a process of its own, since LMDB may abort it.

Of 150 zeroed pages 146 ended the process that read them (measured). So the doctor starts this file
as a process; it writes what it finds to its standard output, one JSON line each, at once, and keeps
the key that it is about to read in a small file that outlives it. It changes nothing.
"""

import mmap
import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import lmdb
import msgspec

from node.storage import meta_pages
from node.storage.commit_mark import check_mark, marked_commit
from node.storage.environment import TABLES_MAX
from node.storage.errors import CorruptRecordError
from node.storage.migration import open_table, read_stamp
from node.storage.schema import Schema
from node.storage.stamp import STAMPS, check_stamp
from node.storage.table import AnyTable
from node.storage.transaction import Snapshot
from primitives.errors import StorageError

TRACE_BYTES: Final = 1_024
DAMAGES_PER_TABLE_MAX: Final = 1_000
MAP_BYTES_SPARE: Final = 1 << 30


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to examine.

    Args:
        folder: of the environment.
        schema: where it is declared, as `module:name`.
        checks: further ones, as `module:function`; each is a `Check`.
        skipped: tables that ended an earlier examiner.
        is_live: a node has the environment open.
        trace: a file of `TRACE_BYTES` for the key that is read next.
    """

    folder: str
    schema: str
    checks: tuple[str, ...]
    skipped: tuple[str, ...]
    is_live: bool
    trace: str


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The environment opened, and says this about itself."""

    purpose: str
    version: int
    version_supported: int
    chain_id: str
    node_id: str
    created_ms: int
    last_commit: int
    file_bytes: int
    used_bytes: int


class TableFound(msgspec.Struct, frozen=True, tag=True):
    """A table was read to its end."""

    name: str
    records: int
    size_bytes: int


class Damage(msgspec.Struct, frozen=True, tag=True):
    """Something is not what was written.

    Args:
        table: empty if it is in no table.
        key: in hexadecimal, as stored; empty if it is in no record.
    """

    table: str
    key: str
    reason: str


class Fact(msgspec.Struct, frozen=True, tag=True):
    """Something that a check tells about a database, such as its height."""

    name: str
    text: str


class Finished(msgspec.Struct, frozen=True, tag=True):
    """The examiner came to its end."""


Line = Opened | TableFound | Damage | Fact | Finished
Check = Callable[[Snapshot], Iterable[Damage | Fact]]


def examine(request: Request) -> Iterator[Line]:
    """Yield what is found in an environment; whatever is wrong with it is a `Damage`."""
    folder = Path(request.folder)
    try:
        meta_pages.check(folder)
    except StorageError as error:
        yield Damage("", "", str(error))
    try:
        with _open_reader(folder, request) as opened:
            yield from _examine_tables(opened, request)
    except (StorageError, lmdb.Error) as error:
        yield Damage("", "", str(error))
    if not request.is_live:
        yield from _examine_structure(folder)
    yield Finished()


def _open_reader(folder: Path, request: Request) -> lmdb.Environment:
    return lmdb.open(
        str(folder),
        # Address space; a running node may go on writing while we read.
        map_size=2 * _file_bytes(folder) + MAP_BYTES_SPARE,
        create=False,
        readonly=True,
        # A running node must know of this reader, or it would reuse the pages that are read.
        lock=request.is_live,
        max_dbs=TABLES_MAX,
    )


def _file_bytes(folder: Path) -> int:
    path = folder / meta_pages.DATA_NAME
    return path.stat().st_size if path.exists() else 0


def _examine_structure(folder: Path) -> Iterator[Damage]:
    """Walk the pages without LMDB: reachable once, in order, and all accounted for."""
    try:
        verifier = import_module("lmdb.verify")
    except ImportError:
        yield Damage("", "", "the pages cannot be checked: lmdb is older than 3")
        return
    try:
        problems = verifier.verify(str(folder))
    except verifier.VerifyError as error:
        problems = [str(error)]
    for problem in problems[:DAMAGES_PER_TABLE_MAX]:
        yield Damage("", "", f"pages: {problem}")


def _examine_tables(opened: lmdb.Environment, request: Request) -> Iterator[Line]:
    folder = Path(request.folder)
    # Before the database is asked: a running node moves the mark after each commit.
    marked = marked_commit(folder)
    schema = _named(request.schema)
    assert isinstance(schema, Schema), "the doctor names a schema"
    found = _opened_line(opened, schema, folder)
    yield found
    try:
        check_mark(marked, found=found.last_commit, folder=folder)
    except StorageError as error:
        yield Damage("", "", str(error))
    handles = {}
    for table in (STAMPS, *schema.tables):
        if table.name not in request.skipped:
            try:
                handles[table.name] = open_table(opened, table, path=folder)
            except StorageError as error:
                yield Damage(table.name, "", str(error))
    with (
        Path(request.trace).open("r+b") as file,
        mmap.mmap(file.fileno(), TRACE_BYTES) as trace,
    ):
        for table in (STAMPS, *schema.tables):
            if table.name in handles:
                # A transaction of its own: one that met a damaged page reads nothing more.
                with Snapshot(opened.begin(), handles=handles, path=folder) as snapshot:
                    yield from _examine_table(snapshot, table, trace)
        write_trace(trace, "", b"")
        for name in request.checks:
            with Snapshot(opened.begin(), handles=handles, path=folder) as snapshot:
                yield from _named(name)(snapshot)


def _opened_line(opened: lmdb.Environment, schema: Schema, folder: Path) -> Opened:
    stamp = read_stamp(opened, path=folder)
    if stamp is None:
        raise StorageError(f"{folder}: nothing was ever written")
    check_stamp(stamp, schema=schema, identity=None, path=folder)
    facts = opened.info()
    return Opened(
        purpose=stamp.purpose,
        version=stamp.version,
        version_supported=schema.version,
        chain_id=stamp.chain_id.hex(),
        node_id=stamp.node_id.hex(),
        created_ms=stamp.created_ms,
        last_commit=facts["last_txnid"],
        file_bytes=_file_bytes(folder),
        used_bytes=(facts["last_pgno"] + 1) * opened.stat()["psize"],
    )


def _examine_table(snapshot: Snapshot, table: AnyTable, trace: mmap.mmap) -> Iterator[Line]:
    """Read every record of a table, whatever is wrong with those before it."""
    records = size_bytes = damages = 0
    below = b""
    write_trace(trace, table.name, below)
    try:
        expected = snapshot.count(table)
        for raw_key, sealed in snapshot.walk(table):
            write_trace(trace, table.name, raw_key)
            records += 1
            size_bytes += len(raw_key) + len(sealed)
            reason = _wrong_with(table, raw_key, sealed, below=below, snapshot=snapshot)
            below = max(below, raw_key)
            if reason:
                damages += 1
                yield Damage(table.name, raw_key.hex(), reason)
            # Damaged pages may lead round in a circle.
            if damages > DAMAGES_PER_TABLE_MAX or records > 2 * expected + TRACE_BYTES:
                break
    except StorageError as error:
        yield Damage(table.name, below.hex(), f"after this key: {error}")
        return
    if records != expected:
        yield Damage(table.name, "", f"{records} records, of {expected} that were written")
    yield TableFound(table.name, records, size_bytes)


def _wrong_with(
    table: AnyTable, raw_key: bytes, sealed: bytes, *, below: bytes, snapshot: Snapshot
) -> str:
    """Return what is wrong with a record, nothing if it is sound."""
    try:
        table.unseal(raw_key, sealed, path=snapshot.path)
        table.decode_key(raw_key, path=snapshot.path)
    except CorruptRecordError as error:
        return error.reason
    if raw_key <= below:
        return "out of order"
    # Walking from leaf to leaf reads nothing of the keys above them, which searches go by.
    with suppress(CorruptRecordError):
        if snapshot.sealed(table, raw_key) == sealed:
            return ""
    return "a search does not find it"


def write_trace(trace: mmap.mmap, table: str, raw_key: bytes) -> None:
    """Note where the examiner is; the mapped file keeps it when the process is killed."""
    text = f"{table} {raw_key.hex()} \n".encode("ascii")[:TRACE_BYTES]
    trace[: len(text)] = text


def read_trace(path: Path) -> tuple[str, str]:
    """Return in which table an examiner was, and the last key that it had read."""
    table, key, *_ = path.read_text(encoding="ascii").split(" ")
    return table, key


def _named(name: str) -> Any:  # noqa: ANN401 - what it is, the caller checks
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


def _main() -> None:
    # A dump would hold the whole map, and says nothing that is not in the file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in examine(msgspec.json.decode(sys.argv[1], type=Request)):
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _main()
