"""One process, one chain, one node, one purpose; grows by itself; durable or stopped."""

import os
import subprocess
import sys
import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path

import lmdb
import pytest

from node.storage.environment import (
    DEFAULT_LIMITS,
    SNAPSHOTS_MAX,
    Environment,
    MapLimits,
)
from node.storage.errors import (
    DamagedDatabaseError,
    DatabaseFullError,
    DatabaseTooNewError,
    ForeignDatabaseError,
    SnapshotLimitError,
    StorageClosedError,
    StorageInUseError,
    WriterStoppedError,
)
from node.storage.schema import Schema
from node.storage.stamp import Identity
from node.storage.table import Number, RawBytes, Table
from primitives.errors import StorageError
from primitives.ids import ChainId
from tests.storage.places import (
    CREATED_MS,
    IDENTITY,
    NOTES,
    PAIRS,
    SCHEMA,
    SMALL,
    notes,
    open_at,
    opened,
    read_note,
)
from tests.tidy.sources import ROOT

OPEN_ELSEWHERE = """
import sys
from pathlib import Path
from primitives.errors import StorageError
from tests.storage.places import open_at
try:
    open_at(Path(sys.argv[1]))
except StorageError as error:
    print(error.code, error)
"""


def test_new_environment_is_stamped(tmp_path: Path) -> None:
    with open_at(tmp_path / "ledger") as environment:
        stamp = environment.stamp
        assert environment.path == tmp_path / "ledger"
    assert (stamp.purpose, stamp.version, stamp.created_ms) == ("test", 1, CREATED_MS)
    assert (stamp.chain_id, stamp.node_id) == (IDENTITY.chain_id, IDENTITY.node_id)


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    with open_at(folder):
        modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    assert modes.pop("ledger") == 0o700
    assert modes == dict.fromkeys(("data.mdb", "lock.mdb", "owner.lock", "last-commit"), 0o600)


def test_what_was_committed_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    with opened(tmp_path) as (environment, writer):
        writer.write(notes((1, b"one")))
        first = environment.last_commit
    with open_at(tmp_path) as environment:
        assert read_note(environment, 1) == b"one"
        assert environment.last_commit == first


def test_every_commit_is_synced(tmp_path: Path) -> None:
    with open_at(tmp_path) as environment:
        flags = environment._lmdb.flags()  # noqa: SLF001 - nothing else tells how it was opened
    assert (flags["sync"], flags["metasync"]) == (True, True)
    assert (flags["writemap"], flags["map_async"]) == (False, False)


def test_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with open_at(tmp_path):
        command = [sys.executable, "-c", OPEN_ELSEWHERE, str(tmp_path)]
        other = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    (line,) = other.stdout.splitlines()
    assert line == f"storage_in_use {tmp_path} is in use by process {os.getpid()}"


def test_second_opening_in_one_process_is_refused(tmp_path: Path) -> None:
    with open_at(tmp_path):
        with pytest.raises(StorageInUseError) as refusal:
            open_at(tmp_path)
        assert refusal.value.holder == f"process {os.getpid()}"
    with open_at(tmp_path):
        pass


@pytest.mark.parametrize(
    ("subject", "schema", "identity"),
    [
        ("chain", SCHEMA, replace(IDENTITY, chain_id=ChainId(b"x" * 32))),
        ("node", SCHEMA, replace(IDENTITY, node_id=b"another node")),
        ("purpose", replace(SCHEMA, purpose="blobs"), IDENTITY),
    ],
)
def test_foreign_environment_is_refused_in_one_line(
    subject: str, schema: Schema, identity: Identity, tmp_path: Path
) -> None:
    open_at(tmp_path).close()
    with pytest.raises(ForeignDatabaseError) as refusal:
        open_at(tmp_path, schema=schema, identity=identity)
    assert refusal.value.subject == subject
    assert "\n" not in str(refusal.value)
    open_at(tmp_path).close()


def test_database_newer_than_the_program_is_refused_in_one_line(tmp_path: Path) -> None:
    newer = replace(SCHEMA, migrations=(lambda _: None, lambda _: None))
    open_at(tmp_path, schema=newer).close()
    with pytest.raises(DatabaseTooNewError) as refusal:
        open_at(tmp_path)
    assert (refusal.value.found, refusal.value.supported) == (3, 1)
    assert str(refusal.value) == (
        f"{tmp_path} has schema version 3, this program knows up to 1: use a newer program"
    )


def test_table_that_went_missing_is_not_made_anew(tmp_path: Path) -> None:
    open_at(tmp_path).close()
    grown = replace(SCHEMA, tables=(*SCHEMA.tables, Table("lost", key=Number(), value=RawBytes())))
    with pytest.raises(DamagedDatabaseError, match="table 'lost' is gone"):
        open_at(tmp_path, schema=grown)


def test_lmdb_file_without_a_stamp_is_refused(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path), max_dbs=1) as other, other.begin(write=True) as txn:
        txn.put(b"key", b"value")
    with pytest.raises(DamagedDatabaseError, match="has no stamp"):
        open_at(tmp_path)


def test_file_that_was_created_and_never_committed_is_a_new_environment(tmp_path: Path) -> None:
    lmdb.open(str(tmp_path)).close()
    with open_at(tmp_path) as environment:
        assert environment.stamp.purpose == "test"


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be used"):
        open_at(tmp_path / "file" / "ledger")


def test_map_grows_before_it_is_full(tmp_path: Path) -> None:
    with opened(tmp_path, limits=SMALL) as (environment, writer):
        for number in range(40):
            writer.write(notes((number, bytes(100_000))))
            assert environment.used_bytes < environment.map_bytes
        assert environment.map_bytes == 8 * SMALL.bytes_first
        assert read_note(environment, 0) == bytes(100_000)
    with open_at(tmp_path, limits=SMALL) as environment:
        assert read_note(environment, 39) == bytes(100_000)


def test_commit_larger_than_the_map_makes_it_grow(tmp_path: Path) -> None:
    with opened(tmp_path, limits=SMALL) as (environment, writer):
        writer.write(notes((1, bytes(3 << 20))))
        assert environment.map_bytes >= 4 << 20
        assert read_note(environment, 1) == bytes(3 << 20)


def test_map_does_not_grow_under_an_open_snapshot(tmp_path: Path) -> None:
    with opened(tmp_path, limits=SMALL) as (environment, writer):
        writer.write(notes((1, b"one")))
        with environment.snapshot() as snapshot:
            writer.write(notes((2, bytes(900_000))))
            writer.write(notes((3, b"three")))
            assert environment.map_bytes == SMALL.bytes_first
            assert snapshot.get(NOTES, 1) == b"one"
            assert snapshot.get(NOTES, 3) is None
        writer.write(notes((4, b"four")))
        assert environment.map_bytes == 2 * SMALL.bytes_first


def test_map_at_its_limit_stops_the_writer_and_loses_nothing(tmp_path: Path) -> None:
    limits = MapLimits(bytes_first=1 << 20, bytes_max=2 << 20)
    with opened(tmp_path, limits=limits) as (environment, writer):
        writer.write(notes((1, b"one")))
        with pytest.raises(DatabaseFullError) as failure:
            writer.write(notes((2, bytes(3 << 20))))
        assert failure.value.size_bytes == 2 << 20
        with pytest.raises(WriterStoppedError):
            environment.snapshot()
    with open_at(tmp_path) as environment:
        assert (read_note(environment, 1), read_note(environment, 2)) == (b"one", None)


def test_snapshot_stays_at_its_commit(tmp_path: Path) -> None:
    with opened(tmp_path) as (environment, writer):
        writer.write(notes((1, b"old")))
        with environment.snapshot() as snapshot:
            writer.write(notes((1, b"new")))
            assert snapshot.get(NOTES, 1) == b"old"
        assert read_note(environment, 1) == b"new"


def test_closed_snapshot_is_refused(tmp_path: Path) -> None:
    with open_at(tmp_path) as environment:
        snapshot = environment.snapshot()
        snapshot.close()
        snapshot.close()
        for read in (
            lambda: snapshot.get(NOTES, 1),
            lambda: snapshot.count(NOTES),
            lambda: list(snapshot.scan(NOTES)),
            lambda: list(snapshot.scan_keys(NOTES)),
            lambda: list(snapshot.scan_back(NOTES, first=0, last=9)),
        ):
            with pytest.raises(StorageClosedError):
                read()


def test_closed_environment_is_refused(tmp_path: Path) -> None:
    environment = open_at(tmp_path)
    environment.close()
    environment.close()
    with pytest.raises(StorageClosedError):
        environment.snapshot()
    with pytest.raises(StorageClosedError):
        environment.commit([notes((1, b"one"))])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork_may_not_use_what_it_inherits(tmp_path: Path) -> None:
    with open_at(tmp_path) as environment:
        child = os.fork()
        if not child:
            try:
                environment.snapshot()
            except StorageClosedError:
                os._exit(17)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 17


def test_scans_are_ordered_and_include_both_ends(tmp_path: Path) -> None:
    keys = [(a, b) for a in range(4) for b in (0, 7, 300)]
    with opened(tmp_path) as (environment, writer):
        batch = notes((5, b"elsewhere"))
        for key in reversed(keys):
            batch.put(PAIRS, key, repr(key).encode())
        writer.write(batch)
        with environment.snapshot() as snapshot:
            assert [key for key, _ in snapshot.scan(PAIRS)] == keys
            some = list(snapshot.scan(PAIRS, first=(0, 300), last=(2, 0)))
            assert [key for key, _ in some] == keys[2:7]
            assert all(value == repr(key).encode() for key, value in some)
            back = snapshot.scan_back(PAIRS, first=(0, 300), last=(2, 0))
            assert list(back) == some[::-1]
            assert list(snapshot.scan_back(PAIRS, first=(0, 1), last=(0, 6))) == []
            assert [k for k, _ in snapshot.scan_back(PAIRS, first=(3, 0), last=(9, 9))] == (
                keys[:8:-1]
            )
            assert list(snapshot.scan_back(PAIRS, first=(7, 0), last=(9, 9))) == []
            assert snapshot.count(PAIRS) == len(keys)


def test_default_map_is_address_space_and_not_disk(tmp_path: Path) -> None:
    with open_at(tmp_path) as environment:
        assert environment.map_bytes == DEFAULT_LIMITS.bytes_first
    assert (tmp_path / "data.mdb").stat().st_size < 1 << 20


def test_open_releases_the_lock_when_it_fails(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"not a database" * 1_000)
    for _ in range(2):
        with pytest.raises(DamagedDatabaseError):
            Environment.open(tmp_path, schema=SCHEMA, identity=IDENTITY, now_ms=CREATED_MS)


def test_thread_inside_opens_a_second_snapshot_while_the_map_waits_to_grow(tmp_path: Path) -> None:
    with opened(tmp_path, limits=SMALL) as (environment, writer):
        with environment.snapshot() as first:
            written = writer.submit(notes((1, bytes(3 << 20))))
            while not environment._gate.is_shut:  # noqa: SLF001 - nothing else tells that it waits
                time.sleep(0.001)
            with environment.snapshot() as second:
                assert first.get(NOTES, 1) is second.get(NOTES, 1) is None
        written.result(timeout=10)
        assert read_note(environment, 1) == bytes(3 << 20)


def test_map_waits_a_while_for_snapshots_before_it_is_full(tmp_path: Path) -> None:
    limits = replace(SMALL, early_wait_seconds=20)
    with opened(tmp_path, limits=limits) as (environment, writer):
        writer.write(notes((1, bytes(900_000))))
        snapshot = environment.snapshot()
        written = writer.submit(notes((2, b"two")))
        while not environment._gate.is_shut:  # noqa: SLF001 - nothing else tells that it waits
            time.sleep(0.001)
        snapshot.close()
        written.result(timeout=10)
        assert environment.map_bytes == 2 * SMALL.bytes_first


def test_map_does_not_wait_again_before_it_is_much_fuller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    with opened(tmp_path, limits=SMALL) as (environment, writer):
        alone = environment._gate.alone  # noqa: SLF001 - nothing else tells how long it waits

        def watched(*, timeout_seconds: float) -> AbstractContextManager[bool]:
            waits.append(timeout_seconds)
            return alone(timeout_seconds=timeout_seconds)

        monkeypatch.setattr(environment._gate, "alone", watched)  # noqa: SLF001 - as above
        writer.write(notes((1, bytes(850_000))))
        with environment.snapshot():
            for number in range(3):
                writer.write(notes((2, b"%d" % number)))
            writer.write(notes((3, bytes(60_000))))
            writer.write(notes((4, b"four")))
        assert environment.map_bytes == SMALL.bytes_first
    patient = SMALL.early_wait_seconds
    assert waits == [patient, 0, 0, 0, patient]


def test_one_snapshot_too_many_is_refused_and_is_no_damage(tmp_path: Path) -> None:
    with open_at(tmp_path) as environment, ExitStack() as snapshots:
        for _ in range(SNAPSHOTS_MAX):
            snapshots.enter_context(environment.snapshot())
        with pytest.raises(SnapshotLimitError) as refusal:
            environment.snapshot()
        assert refusal.value.limit == SNAPSHOTS_MAX
        snapshots.close()
        assert read_note(environment, 1) is None


def test_mark_that_cannot_be_opened_is_an_error_and_keeps_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "last-commit").mkdir()
    for _ in range(2):
        with pytest.raises(StorageError, match="cannot be used: Is a directory"):
            open_at(tmp_path)
    (tmp_path / "last-commit").rmdir()
    open_at(tmp_path).close()
