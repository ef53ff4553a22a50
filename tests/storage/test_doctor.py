"""The doctor names the table and the key of every damaged record, and survives what it reads."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.storage.batch import WriteBatch
from node.storage.doctor import Report, examine_environment
from node.storage.errors import CorruptRecordError, DamagedDatabaseError
from node.storage.examiner import Damage
from node.storage.meta_pages import COMMIT_OFFSET
from node.storage.table import Number, Table
from node.storage.transaction import Snapshot
from primitives.errors import StorageError
from tests.storage.places import CREATED_MS, IDENTITY, NOTES, PAIRS, SCHEMA, notes, open_at, opened

SCHEMA_NAME = "tests.storage.places:SCHEMA"
PAGE_BYTES = 4_096
BRANCH_FLAG = 1


def write_some(folder: Path) -> None:
    """Make a database of some pages."""
    with opened(folder) as (_, writer):
        batch = notes(*((number, b"note %d" % number * 30) for number in range(300)))
        for number in range(300):
            batch.put(PAIRS, (number, 0), b"pair %d" % number)
        writer.write(batch)


def examine(folder: Path, *checks: str) -> Report:
    """Examine a database of the tests."""
    return examine_environment(folder, schema=SCHEMA_NAME, checks=checks)


def damage(folder: Path, *, old: bytes, new: bytes) -> None:
    """Exchange some bytes of the file, wherever they are."""
    path = folder / "data.mdb"
    raw = path.read_bytes()
    assert old in raw
    assert len(old) == len(new)
    path.write_bytes(raw.replace(old, new))


def pages_with(folder: Path, content: bytes) -> list[int]:
    """Return where the pages begin that hold some bytes."""
    raw = (folder / "data.mdb").read_bytes()
    starts = range(0, len(raw), PAGE_BYTES)
    return [start for start in starts if content in raw[start : start + PAGE_BYTES]]


def overwrite_page(folder: Path, start: int, content: bytes) -> None:
    """Put other bytes where a page was."""
    with (folder / "data.mdb").open("r+b") as file:
        file.seek(start)
        file.write(content)


def no_odd_notes(snapshot: Snapshot) -> Iterator[Damage]:
    """Object to every note with an odd key from 297 on: a check of somebody else's."""
    for key, _ in snapshot.scan(NOTES, first=297):
        if key % 2:
            yield Damage("notes", Number().encode(key).hex(), "odd")


def test_sound_database_is_described(tmp_path: Path) -> None:
    write_some(tmp_path)
    before = (tmp_path / "data.mdb").read_bytes()
    report = examine(tmp_path)
    assert report.is_sound
    assert not report.is_live
    assert {table.name: table.records for table in report.tables} == {
        "stamp": 1,
        "notes": 300,
        "pairs": 300,
    }
    opened_line = report.opened
    assert opened_line is not None
    assert (opened_line.version, opened_line.version_supported) == (1, 1)
    assert opened_line.chain_id == IDENTITY.chain_id.hex()
    assert opened_line.created_ms == CREATED_MS
    assert opened_line.last_commit == 2
    assert opened_line.file_bytes == len(before)
    assert (tmp_path / "data.mdb").read_bytes() == before


def test_database_in_use_is_examined_while_it_is_written(tmp_path: Path) -> None:
    write_some(tmp_path)
    with opened(tmp_path) as (_, writer):
        writer.write(notes((1_000, b"more")))
        report = examine(tmp_path)
        assert (report.is_live, report.is_sound) == (True, True)
        assert {table.records for table in report.tables} == {1, 300, 301}
        writer.write(notes((1_001, b"even more")))


def test_large_database_is_examined(tmp_path: Path) -> None:
    with opened(tmp_path) as (_, writer):
        writer.write(notes((1, bytes(12 << 20)), (2, bytes(12 << 20))))
    assert examine(tmp_path).is_sound


@pytest.mark.parametrize("number", [0, 150])
def test_damaged_record_is_named_by_table_and_key(number: int, tmp_path: Path) -> None:
    write_some(tmp_path)
    damage(
        tmp_path,
        old=b"note %dnote %dn" % (number, number),
        new=b"n0te %dnote %dn" % (number, number),
    )
    report = examine(tmp_path)
    assert not report.is_sound
    key = Number().encode(number).hex()
    assert report.damages == (Damage("notes", key, "the checksum does not match"),)
    assert {table.records for table in report.tables} == {1, 300}


def test_every_damaged_record_is_named(tmp_path: Path) -> None:
    write_some(tmp_path)
    damage(tmp_path, old=b"pair 2", new=b"pear 2")
    named = {(found.table, found.key) for found in examine(tmp_path).damages}
    twos = [number for number in range(300) if str(number).startswith("2")]
    assert named == {("pairs", PAIRS.encode_key((number, 0)).hex()) for number in twos}


def test_damaged_key_between_leaves_is_a_finding_and_never_an_answer(tmp_path: Path) -> None:
    write_some(tmp_path)
    path = tmp_path / "data.mdb"
    raw = path.read_bytes()
    branches = [at for at in range(0, len(raw), PAGE_BYTES) if raw[at + 10] == BRANCH_FLAG]
    keys = [PAIRS.encode_key((number, 0)) for number in range(1, 300)]
    places = [(at, key) for at in branches for key in keys if key in raw[at : at + PAGE_BYTES]]
    assert places
    start, key = places[-1]
    at = raw.index(key, start)
    number, _ = PAIRS.key.decode(key)
    # One higher: the search for this key now goes to the leaf before the one that has it.
    path.write_bytes(raw[:at] + PAIRS.encode_key((number + 1, 0)) + raw[at + len(key) :])
    assert Damage("pairs", key.hex(), "a search does not find it") in examine(tmp_path).damages
    with open_at(tmp_path) as environment, environment.snapshot() as snapshot:
        assert snapshot.get(PAIRS, (number - 1, 0)) == b"pair %d" % (number - 1)
        with pytest.raises(CorruptRecordError):
            snapshot.get(PAIRS, (number, 0))


def test_zeroed_page_is_a_finding_and_the_other_tables_are_read(tmp_path: Path) -> None:
    write_some(tmp_path)
    (start,) = pages_with(tmp_path, b"note 5note 5")
    overwrite_page(tmp_path, start, bytes(PAGE_BYTES))
    report = examine(tmp_path)
    assert any(found.table in {"notes", ""} for found in report.damages)
    assert {table.name: table.records for table in report.tables}["pairs"] == 300


def test_page_of_noise_is_a_finding(tmp_path: Path) -> None:
    write_some(tmp_path)
    (start,) = pages_with(tmp_path, b"note 5note 5")
    overwrite_page(tmp_path, start, bytes(range(256)) * (PAGE_BYTES // 256))
    report = examine(tmp_path)
    assert not report.is_sound
    assert {table.name: table.records for table in report.tables}["pairs"] == 300


def flip_commit_number(folder: Path, mask: int) -> None:
    """Flip bits of the number of the last commit, in its meta page."""
    path = folder / "data.mdb"
    raw = bytearray(path.read_bytes())
    numbers = [raw[start + COMMIT_OFFSET] for start in (0, PAGE_BYTES)]
    newest = numbers.index(max(numbers)) * PAGE_BYTES + COMMIT_OFFSET
    raw[newest] ^= mask
    path.write_bytes(raw)


@pytest.mark.parametrize("mask", [1, 2, 128])
def test_commit_that_went_missing_is_noticed(mask: int, tmp_path: Path) -> None:
    write_some(tmp_path)
    with opened(tmp_path) as (environment, writer):
        writer.write(notes((1_000, b"the last one")))
        assert environment.last_commit == 3
    # LMDB itself would open another commit without a word.
    flip_commit_number(tmp_path, mask)
    with pytest.raises(DamagedDatabaseError, match="commit"):
        open_at(tmp_path)
    assert any("commit" in found.reason for found in examine(tmp_path).damages)


def test_older_copy_of_the_file_is_noticed(tmp_path: Path) -> None:
    write_some(tmp_path)
    older = (tmp_path / "data.mdb").read_bytes()
    with opened(tmp_path) as (_, writer):
        writer.write(notes((1_000, b"the last one")))
    (tmp_path / "data.mdb").write_bytes(older)
    with pytest.raises(
        DamagedDatabaseError, match="commit 3 was acknowledged and the last one is 2"
    ):
        open_at(tmp_path)
    assert any("commit 3" in found.reason for found in examine(tmp_path).damages)


@pytest.mark.parametrize("content", [None, b"", b"\xff" * 12])
def test_mark_that_a_power_cut_left_behind_proves_nothing(
    content: bytes | None, tmp_path: Path
) -> None:
    write_some(tmp_path)
    mark = tmp_path / "last-commit"
    mark.unlink()
    if content is not None:
        mark.write_bytes(content)
    assert examine(tmp_path).is_sound
    open_at(tmp_path).close()


@pytest.mark.parametrize("size_bytes", [1, PAGE_BYTES, PAGE_BYTES + 50])
def test_file_that_was_cut_short_is_a_finding(size_bytes: int, tmp_path: Path) -> None:
    write_some(tmp_path)
    path = tmp_path / "data.mdb"
    path.write_bytes(path.read_bytes()[:size_bytes])
    report = examine(tmp_path)
    assert not report.is_sound
    assert report.opened is None
    with pytest.raises(DamagedDatabaseError):
        open_at(tmp_path)


def test_checks_of_other_rooms_are_run(tmp_path: Path) -> None:
    write_some(tmp_path)
    report = examine(tmp_path, "tests.storage.test_doctor:no_odd_notes")
    assert [(found.key[-4:], found.reason) for found in report.damages] == [
        ("0129", "odd"),
        ("012b", "odd"),
    ]


def test_check_that_fails_is_a_finding(tmp_path: Path) -> None:
    write_some(tmp_path)
    report = examine(tmp_path, "tests.storage.test_doctor:no_such_check")
    (found,) = report.damages
    assert "no_such_check" in found.reason


class Deadly:
    """A codec that ends the process at one value, as LMDB does at some damaged pages."""

    def encode(self, value: bytes, /) -> bytes:
        return value

    def decode(self, raw: bytes, /) -> bytes:
        if raw.startswith(b"note 5n"):
            os.abort()
        return raw


DEADLY = replace(SCHEMA, tables=(Table("notes", key=Number(), value=Deadly()), PAIRS))


def abort(_: Snapshot) -> Iterator[Damage]:
    """End the process."""
    os.abort()


def test_process_that_reading_ends_is_a_finding_and_another_reads_on(tmp_path: Path) -> None:
    write_some(tmp_path)
    report = examine_environment(tmp_path, schema="tests.storage.test_doctor:DEADLY")
    key = Number().encode(5).hex()
    reason = "reading on from here ends the process with SIGABRT"
    assert report.damages == (Damage("notes", key, reason),)
    assert {table.name: table.records for table in report.tables} == {"stamp": 1, "pairs": 300}


def test_check_that_ends_the_process_is_a_finding(tmp_path: Path) -> None:
    write_some(tmp_path)
    (found,) = examine(tmp_path, "tests.storage.test_doctor:abort").damages
    assert "SIGABRT" in found.reason


def test_database_of_another_purpose_is_a_finding(tmp_path: Path) -> None:
    write_some(tmp_path)
    report = examine_environment(tmp_path, schema="tests.storage.workloads:TRANSFERS")
    (found,) = report.damages
    assert "belongs to another purpose" in found.reason


def test_folder_without_a_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no database"):
        examine(tmp_path / "nothing")
    assert not examine(tmp_path).is_sound


def test_empty_table_is_sound(tmp_path: Path) -> None:
    with opened(tmp_path) as (_, writer):
        writer.write(WriteBatch())
    assert examine(tmp_path).is_sound
