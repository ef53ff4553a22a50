"""What an examiner writes down, in the process of the test: none of this damage is to LMDB."""

from dataclasses import replace
from pathlib import Path

import lmdb
import pytest

from node.storage.examiner import (
    DAMAGES_PER_TABLE_MAX,
    TRACE_BYTES,
    Damage,
    Finished,
    Line,
    Opened,
    Request,
    TableFound,
    examine,
    read_trace,
)
from node.storage.table import Number, RawBytes, Table
from tests.storage.places import NOTES, PAIRS, SCHEMA, notes, open_at, opened
from tests.storage.test_doctor import PAGE_BYTES, damage, flip_commit_number, write_some

GROWN = replace(SCHEMA, tables=(*SCHEMA.tables, Table("more", key=Number(), value=RawBytes())))
NEWER = replace(SCHEMA, migrations=(lambda _: None,))
OTHER_KEYS = replace(SCHEMA, tables=(Table("notes", key=PAIRS.key, value=RawBytes()),))


def request_of(folder: Path, **changes: object) -> Request:
    """Return a request; its trace lies beside the folder."""
    trace = folder.parent / "trace"
    trace.write_bytes(b" " * TRACE_BYTES)
    fields: dict[str, object] = {
        "folder": str(folder),
        "schema": "tests.storage.places:SCHEMA",
        "checks": (),
        "skipped": (),
        "is_live": False,
        "trace": str(trace),
    }
    return Request(**(fields | changes))  # type: ignore[arg-type] # typed by the fields above


def lines_of(folder: Path, **changes: object) -> list[Line]:
    """Return what an examiner finds."""
    lines = list(examine(request_of(folder, **changes)))
    assert lines.pop() == Finished()
    return lines


def damages_of(folder: Path, **changes: object) -> list[Damage]:
    """Return the damages that an examiner finds."""
    return [line for line in lines_of(folder, **changes) if isinstance(line, Damage)]


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    write_some(tmp_path / "ledger")
    return tmp_path / "ledger"


@pytest.mark.parametrize("is_live", [False, True])
def test_sound_database_has_no_damage(is_live: bool, folder: Path) -> None:
    head, *tables = lines_of(folder, is_live=is_live)
    assert isinstance(head, Opened)
    assert [table.name for table in tables if isinstance(table, TableFound)] == [
        "stamp",
        "notes",
        "pairs",
    ]


def test_trace_tells_where_the_examiner_is(folder: Path) -> None:
    request = request_of(folder)
    trace = Path(request.trace)
    assert read_trace(trace) == ("", "")
    places = [(line, read_trace(trace)) for line in examine(request)]
    ends = {line.name: place for line, place in places if isinstance(line, TableFound)}
    assert ends["notes"] == ("notes", Number().encode(299).hex())
    assert read_trace(trace) == ("", "")


def test_damaged_records_are_named(folder: Path) -> None:
    damage(folder, old=b"pair 29", new=b"peer 29")
    found = damages_of(folder)
    assert len(found) == 11
    assert {(line.table, line.reason) for line in found} == {
        ("pairs", "the checksum does not match")
    }


def test_skipped_table_is_not_read(folder: Path) -> None:
    damage(folder, old=b"pair 29", new=b"peer 29")
    assert damages_of(folder, skipped=("pairs",)) == []


def test_missing_table_is_named(folder: Path) -> None:
    (found,) = damages_of(folder, schema="tests.storage.test_examiner:GROWN")
    assert (found.table, "is gone" in found.reason) == ("more", True)


def test_key_that_is_out_of_place_is_named(folder: Path) -> None:
    key, odd = Number().encode(150), Number().encode(3)
    sealed = NOTES.seal(key, b"note 150" * 30)
    damage(folder, old=key + sealed, new=odd + sealed)
    found = damages_of(folder)
    assert found[0] == Damage("notes", odd.hex(), "the checksum does not match")


def test_sound_record_that_is_out_of_place_is_named(folder: Path) -> None:
    key, odd = Number().encode(150), Number().encode(3)
    value = b"note 150" * 30
    damage(folder, old=key + NOTES.seal(key, value), new=odd + NOTES.seal(odd, value))
    found = damages_of(folder)
    assert found[0] == Damage("notes", odd.hex(), "out of order")


def test_key_that_is_none_of_the_table_is_named(folder: Path) -> None:
    found = damages_of(folder, schema="tests.storage.test_examiner:OTHER_KEYS")
    assert {line.reason for line in found} == {"8 bytes, not 12"}
    assert len(found) == 300


def test_circle_of_damage_is_left(folder: Path) -> None:
    with opened(folder) as (_, writer):
        writer.write(notes(*((number, b"many") for number in range(300, 2_000))))
    found = damages_of(folder, schema="tests.storage.test_examiner:OTHER_KEYS")
    assert len(found) <= DAMAGES_PER_TABLE_MAX + 2


def test_lost_commit_is_named(folder: Path) -> None:
    flip_commit_number(folder, 2)
    assert any("was acknowledged" in line.reason for line in damages_of(folder))


def test_empty_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    lmdb.open(str(tmp_path / "ledger")).close()
    (found,) = damages_of(tmp_path / "ledger")
    assert "nothing was ever written" in found.reason


def test_older_version_is_examined_as_it_is(folder: Path) -> None:
    head, *_ = lines_of(folder, schema="tests.storage.test_examiner:NEWER")
    assert isinstance(head, Opened)
    assert (head.version, head.version_supported) == (1, 2)


def test_newer_version_is_named(tmp_path: Path) -> None:
    open_at(tmp_path / "ledger", schema=NEWER).close()
    (found,) = damages_of(tmp_path / "ledger")
    assert "use a newer program" in found.reason


def test_checks_are_asked(folder: Path) -> None:
    found = damages_of(folder, checks=("tests.storage.test_doctor:no_odd_notes",))
    assert [line.reason for line in found] == ["odd", "odd"]


def test_pages_are_checked_unless_a_node_writes_them(folder: Path) -> None:
    path = folder / "data.mdb"
    path.write_bytes(path.read_bytes() + bytes(PAGE_BYTES - 100))
    assert damages_of(folder, is_live=True) == []
    assert all(line.reason.startswith("pages: ") for line in damages_of(folder))
