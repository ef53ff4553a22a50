"""A disk that fills up during commits stops the writer, says so, and loses nothing committed.

The processes that fill it are real ones: under a limit on the size of a file, and, where a small
file system may be mounted, on a device without room. Before it is full, a disk that is nearly so is
only read.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from node.storage.block_store import BLOCK_TABLES, LmdbBlockStore
from node.storage.disk import Reserve, check_reserve
from node.storage.environment import MapLimits
from node.storage.errors import DiskReserveError
from node.storage.schema import Schema
from tests.conformance.block_store import CONTEXT, ROUNDS
from tests.conformance.block_store import fill as fill_blocks
from tests.consensus.builders import refs_of
from tests.storage.faults import busy_disk
from tests.storage.places import NOTES, notes, open_at, opened, read_note
from tests.tidy.sources import ROOT

VALUE_BYTES: Final = 20_000
LIMIT_BYTES: Final = 3 << 20

FILL: Final = """
import resource, signal, sys
from pathlib import Path
from primitives.errors import StorageError
from tests.storage.places import UNRESERVED, notes, opened
from tests.storage.test_disk_full import VALUE_BYTES

limit = int(sys.argv[2])
with opened(Path(sys.argv[1]), limits=UNRESERVED) as (environment, writer):
    if limit:
        # Without this the first write past the limit ends the process before it is an error.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        for number in range(1_000_000):
            writer.write(notes((number, number.to_bytes(8, "big") + bytes(VALUE_BYTES))))
            print("acknowledged", number, flush=True)
    except StorageError as error:
        print(error.code, error, flush=True)
    try:
        writer.write(notes((0, b"again")))
    except StorageError as error:
        print(error.code, flush=True)
"""


def fill(folder: Path, *, limit_bytes: int) -> tuple[list[int], list[str]]:
    """Write until the disk is full; return what was acknowledged, and what was said then."""
    command = [sys.executable, "-c", FILL, str(folder), str(limit_bytes)]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    lines = ended.stdout.splitlines()
    acknowledged = [int(line.split()[1]) for line in lines if line.startswith("acknowledged")]
    return acknowledged, lines[len(acknowledged) :]


def check_intact(folder: Path, acknowledged: list[int]) -> None:
    """Check that exactly what was acknowledged is there."""
    with open_at(folder) as environment:
        with environment.snapshot() as snapshot:
            found = [number for number, _ in snapshot.scan(NOTES)]
        assert found == acknowledged
        for number in (acknowledged[0], acknowledged[-1]):
            value = read_note(environment, number)
            assert value == number.to_bytes(8, "big") + bytes(VALUE_BYTES)


def test_limit_on_the_size_of_a_file_is_a_full_disk(tmp_path: Path) -> None:
    acknowledged, (full, stopped) = fill(tmp_path, limit_bytes=LIMIT_BYTES)
    assert acknowledged == list(range(len(acknowledged)))
    assert len(acknowledged) > 50
    assert full.startswith(f"storage_disk_full {tmp_path}: the disk is full (")
    assert full.endswith("nothing that was committed is lost")
    assert stopped == "storage_writer_stopped"
    check_intact(tmp_path, acknowledged)
    # With room again, the same database goes on.
    more, _ = fill(tmp_path, limit_bytes=2 * LIMIT_BYTES)
    check_intact(tmp_path, more)


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: a full device; only root may mount a small file system")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={LIMIT_BYTES}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("NOT TESTED: a full device; mounting a file system is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607 - wherever it is


def test_device_without_room_is_a_full_disk(small_disk: Path) -> None:
    acknowledged, (full, stopped) = fill(small_disk / "ledger", limit_bytes=0)
    assert len(acknowledged) > 50
    assert full.startswith("storage_disk_full ")
    assert stopped == "storage_writer_stopped"
    check_intact(small_disk / "ledger", acknowledged)


OPEN: Final = """
import resource, signal, sys
from pathlib import Path
from primitives.errors import StorageError
from tests.storage.places import open_at

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    open_at(Path(sys.argv[1])).close()
except StorageError as error:
    print(error.code)
"""


@pytest.mark.parametrize("limit_bytes", [0, 4_096, 16_384])
def test_disk_that_is_full_at_the_opening_is_no_damage(tmp_path: Path, limit_bytes: int) -> None:
    command = [sys.executable, "-c", OPEN, str(tmp_path), str(limit_bytes)]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    assert ended.stdout == "storage_disk_full\n"
    open_at(tmp_path).close()


ALL_OF_IT: Final = MapLimits(reserve=Reserve(percent=100, bytes_max=1 << 62))
"""No disk has more room than it has bytes, and this one holds at least a program."""


def test_nearly_full_disk_is_read_and_not_written(tmp_path: Path) -> None:
    with opened(tmp_path) as (_, writer):
        writer.write(notes((1, b"one")))
    with opened(tmp_path, limits=ALL_OF_IT) as (environment, writer):
        before = environment.last_commit
        with pytest.raises(DiskReserveError) as refusal:
            writer.write(notes((1, b"other"), (2, b"two")))
        assert str(refusal.value).startswith(f"{tmp_path} is read-only: ")
        assert refusal.value.free_bytes < refusal.value.reserve_bytes
        assert environment.last_commit == before
        assert (read_note(environment, 1), read_note(environment, 2)) == (b"one", None)


def test_what_waits_behind_a_refused_write_is_refused_with_it(tmp_path: Path) -> None:
    with opened(tmp_path, limits=ALL_OF_IT) as (environment, writer):
        with busy_disk(environment):
            futures = [writer.submit(notes((number, b"note"))) for number in range(9)]
            assert all(isinstance(future.exception(), DiskReserveError) for future in futures)
        assert read_note(environment, 8) is None


@pytest.mark.parametrize(
    ("reserve", "is_enough"),
    [
        (Reserve(percent=0), True),
        (Reserve(percent=100, bytes_max=0), True),
        (Reserve(percent=100, bytes_max=1), True),
        (Reserve(percent=100, bytes_max=1 << 62), False),
    ],
)
def test_reserve_is_a_part_of_the_disk_and_no_more_than_so_many_bytes(
    tmp_path: Path, *, reserve: Reserve, is_enough: bool
) -> None:
    if is_enough:
        check_reserve(tmp_path, reserve)
    else:
        with pytest.raises(DiskReserveError):
            check_reserve(tmp_path, reserve)


def test_writing_goes_on_by_itself_when_there_is_room_again(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with opened(small_disk / "ledger") as (environment, writer):
        writer.write(notes((1, b"one")))
        free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
        ballast.write_bytes(bytes(free - LIMIT_BYTES // 25))
        for _ in range(3):
            with pytest.raises(DiskReserveError):
                writer.write(notes((2, b"two")))
        assert read_note(environment, 1) == b"one"
        ballast.unlink()
        writer.write(notes((3, b"three")))
        assert (read_note(environment, 2), read_note(environment, 3)) == (None, b"three")


def test_blocks_that_could_not_be_synced_are_synced_when_there_is_room(small_disk: Path) -> None:
    schema = Schema(purpose="consensus", tables=BLOCK_TABLES)
    ballast = small_disk / "ballast"
    with opened(small_disk / "ledger", schema=schema) as (environment, writer):
        store = LmdbBlockStore.open(environment, writer, CONTEXT)
        fill_blocks(store, boundaries=())
        waiting = store.pending_count
        free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
        ballast.write_bytes(bytes(free - LIMIT_BYTES // 25))
        with pytest.raises(DiskReserveError):
            store.sync()
        assert store.pending_count == waiting > 0
        ballast.unlink()
        store.sync()
    with opened(small_disk / "ledger", schema=schema) as (environment, writer):
        again = LmdbBlockStore.open(environment, writer, CONTEXT)
        assert len(again.read_blocks(tuple(refs_of(ROUNDS[0])))) == len(ROUNDS[0])
