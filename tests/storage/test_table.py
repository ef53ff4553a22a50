"""A record that is not what was written is named, and never returned."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import lmdb
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from node.storage.errors import CorruptRecordError, KeySizeError
from node.storage.schema import Schema
from node.storage.table import KEY_SIZE_BYTES_MAX, Number, Packed, RawBytes, Table
from primitives.codec import Codec
from primitives.errors import MalformedBytesError
from tests.storage.places import NOTES, PAIRS, notes, open_at, opened, read_note

PATH = Path("ledger")


class Note(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(max_length=10)]


TYPED: Table[bytes, Note] = Table("typed", key=RawBytes(), value=Codec(Note, size_bytes_max=64))


def overwrite(folder: Path, table: str, key: bytes, value: bytes) -> None:
    """Write past the table, as a damaged disk would."""
    with (
        lmdb.open(str(folder), max_dbs=8) as opened_elsewhere,
        opened_elsewhere.begin(write=True) as txn,
    ):
        txn.put(key, value, db=opened_elsewhere.open_db(table.encode(), txn=txn))


def stored(folder: Path, table: str, key: bytes) -> bytes:
    """Return what is stored under a key, checksum and all."""
    with lmdb.open(str(folder), max_dbs=8) as opened_elsewhere:
        handle = opened_elsewhere.open_db(table.encode())
        with opened_elsewhere.begin() as txn:
            found = txn.get(key, None, handle)
    assert isinstance(found, bytes)
    return found


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_numbers_sort_as_they_are_stored(one: int, other: int) -> None:
    codec = Number()
    assert (one < other) == (codec.encode(one) < codec.encode(other))
    assert codec.decode(codec.encode(one)) == one


@given(
    st.tuples(
        st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.binary(min_size=4, max_size=4)
    ),
    st.tuples(
        st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.binary(min_size=4, max_size=4)
    ),
)
def test_tuples_sort_as_they_are_stored(
    one: tuple[int, int, bytes], other: tuple[int, int, bytes]
) -> None:
    codec: Packed[tuple[int, int, bytes]] = Packed("QI4s")
    assert (one < other) == (codec.encode(one) < codec.encode(other))
    assert codec.decode(codec.encode(one)) == one


@pytest.mark.parametrize("codec", [Number(), Packed("QI")])
def test_key_of_another_size_is_no_key(codec: Number | Packed[tuple[int, int]]) -> None:
    with pytest.raises(MalformedBytesError):
        codec.decode(b"seven b")


def test_layout_that_does_not_keep_the_order_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        Packed("q")


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=60), st.data())
def test_every_flipped_byte_of_a_record_is_found(
    key: bytes, value: bytes, draw: st.DataObject
) -> None:
    table: Table[bytes, bytes] = Table("raw", key=RawBytes(), value=RawBytes())
    record = key + table.seal(key, value)
    assert table.unseal(key, record[len(key) :], path=PATH) == value
    place = draw.draw(st.integers(0, len(record) - 1))
    flip = draw.draw(st.integers(1, 255))
    damaged = bytearray(record)
    damaged[place] ^= flip
    with pytest.raises(CorruptRecordError):
        table.unseal(bytes(damaged[: len(key)]), bytes(damaged[len(key) :]), path=PATH)


def test_record_of_another_table_is_no_record() -> None:
    with pytest.raises(CorruptRecordError):
        PAIRS.unseal(b"key", NOTES.seal(b"key", b"value"), path=PATH)


def test_border_between_key_and_value_is_covered() -> None:
    table: Table[bytes, bytes] = Table("raw", key=RawBytes(), value=RawBytes())
    checksum, value = table.seal(b"key", b"value")[:4], b"value"
    with pytest.raises(CorruptRecordError):
        table.unseal(b"keyv", checksum + value[1:], path=PATH)


def test_record_shorter_than_its_checksum_is_no_record() -> None:
    with pytest.raises(CorruptRecordError):
        NOTES.unseal(b"key", b"ab", path=PATH)


@pytest.mark.parametrize("size_bytes", [0, KEY_SIZE_BYTES_MAX + 1])
def test_key_that_lmdb_cannot_hold_is_refused_before_it_reaches_it(size_bytes: int) -> None:
    with pytest.raises(KeySizeError) as refusal:
        TYPED.encode_key(bytes(size_bytes))
    assert (refusal.value.table, refusal.value.size_bytes) == ("typed", size_bytes)


def test_longest_key_is_stored(tmp_path: Path) -> None:
    with opened(tmp_path, schema=Schema(purpose="test", tables=(TYPED,))) as (environment, writer):
        batch = notes()
        batch.put(TYPED, b"k" * KEY_SIZE_BYTES_MAX, Note("text"))
        writer.write(batch)
        with environment.snapshot() as snapshot:
            assert snapshot.get(TYPED, b"k" * KEY_SIZE_BYTES_MAX) == Note("text")


def test_corrupt_record_names_environment_table_and_key(tmp_path: Path) -> None:
    with opened(tmp_path) as (_, writer):
        writer.write(notes((7, b"seven")))
    key = Number().encode(7)
    overwrite(tmp_path, "notes", key, stored(tmp_path, "notes", key)[:-1] + b"N")
    with open_at(tmp_path) as environment:
        with pytest.raises(CorruptRecordError) as failure:
            read_note(environment, 7)
        with environment.snapshot() as snapshot, pytest.raises(CorruptRecordError):
            list(snapshot.scan(NOTES))
    assert (failure.value.path, failure.value.table, failure.value.key) == (tmp_path, "notes", key)
    assert str(failure.value) == (
        f"{tmp_path}: table 'notes', key 0000000000000007: the checksum does not match"
    )


def test_sound_record_that_is_no_value_is_corrupt(tmp_path: Path) -> None:
    raw: Table[bytes, bytes] = Table("typed", key=RawBytes(), value=RawBytes())
    with opened(tmp_path, schema=Schema(purpose="test", tables=(raw,))) as (_, writer):
        batch = notes()
        batch.put(raw, b"key", b"\xff\xff")
        writer.write(batch)
    schema = Schema(purpose="test", tables=(TYPED,))
    with (
        open_at(tmp_path, schema=schema) as environment,
        environment.snapshot() as snapshot,
        pytest.raises(CorruptRecordError, match="typed"),
    ):
        snapshot.get(TYPED, b"key")


def test_sound_record_under_no_key_of_the_table_is_corrupt(tmp_path: Path) -> None:
    raw: Table[bytes, bytes] = Table("notes", key=RawBytes(), value=RawBytes())
    open_at(tmp_path).close()
    overwrite(tmp_path, "notes", b"odd", raw.seal(b"odd", b"value"))
    with (
        open_at(tmp_path) as environment,
        environment.snapshot() as snapshot,
        pytest.raises(CorruptRecordError, match="3 bytes are no number"),
    ):
        list(snapshot.scan(NOTES))


@pytest.mark.parametrize("damaged", [0, 2, 7, 2**63 + 5])
def test_absence_beside_a_damaged_key_is_not_believed(damaged: int, tmp_path: Path) -> None:
    with opened(tmp_path) as (_, writer):
        writer.write(notes(*((number, b"%d" % number) for number in range(10))))
    record = Number().encode(5) + stored(tmp_path, "notes", Number().encode(5))
    path = tmp_path / "data.mdb"
    raw = path.read_bytes()
    assert record in raw
    path.write_bytes(raw.replace(record, Number().encode(damaged) + record[8:]))
    with open_at(tmp_path) as environment:
        for number in range(10):
            with suppress(CorruptRecordError):
                assert read_note(environment, number) == b"%d" % number
        with pytest.raises(CorruptRecordError) as failure:
            read_note(environment, 5)
        assert failure.value.table == "notes"
        with environment.snapshot() as snapshot, pytest.raises(CorruptRecordError):
            list(snapshot.scan(NOTES))


class Counted(RawBytes):
    """Counts how often a value is decoded."""

    def __init__(self) -> None:
        self.count = 0

    @override
    def decode(self, raw: bytes, /) -> bytes:
        self.count += 1
        return raw


def test_absent_key_costs_no_decoding_of_its_neighbours(tmp_path: Path) -> None:
    codec = Counted()
    table = Table(NOTES.name, key=Number(), value=codec)
    with opened(tmp_path) as (environment, writer):
        writer.write(notes((1, b"one"), (3, b"three")))
        with environment.snapshot() as snapshot:
            assert snapshot.get(table, 2) is None
            assert codec.count == 0
            assert snapshot.get(table, 1) == b"one"
    assert codec.count == 1
