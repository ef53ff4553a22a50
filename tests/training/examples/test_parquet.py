"""Parquet files, most of them read in this process and the dangerous ones as users read them."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fl.training.examples.columns import Columns
from fl.training.examples.errors import ExamplesError
from fl.training.examples.example import LabelledText
from fl.training.examples.folder import Format, SourceFile
from fl.training.examples.limits import ReadLimits
from fl.training.examples.parquet import parquet_rows
from fl.training.examples.parquet_frames import (
    Answer,
    Described,
    Part,
    Refused,
    Request,
    read_answers,
)
from fl.training.examples.parquet_reader import serve
from fl.training.examples.sources import open_labelled
from tests.training.examples.files import FRUIT, write_parquet

COLUMNS = ("text", "label")


def served(
    path: Path, columns: Sequence[str] = COLUMNS, *, limits: ReadLimits | None = None
) -> list[Answer]:
    """Read a file in this process."""
    answers = io.BytesIO()
    serve(Request(str(path), list(columns), limits or ReadLimits()), answers)
    answers.seek(0)
    return list(read_answers(answers))


def cells(path: Path) -> list[list[object]]:
    return [[*row] for part in served(path) if isinstance(part, Part) for row in part.rows]


def refused(path: Path, *, limits: ReadLimits | None = None) -> Refused:
    last = served(path, limits=limits)[-1]
    assert isinstance(last, Refused)
    return last


def refusal(folder: Path, *, limits: ReadLimits | None = None) -> str:
    """Read a folder as a user does, in a process of its own, and return why that fails."""
    with pytest.raises(ExamplesError) as error:
        open_labelled(str(folder), limits=limits or ReadLimits())
    return str(error.value)


def test_folder_of_parquet_files_is_read_with_the_names_of_its_classes(tmp_path: Path) -> None:
    stored = b'{"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}'
    write_parquet(tmp_path / "train.parquet", metadata=stored)
    write_parquet(tmp_path / "test.parquet", FRUIT[:1])
    found = open_labelled(str(tmp_path))
    assert [example.text for example in found.train] == [row["text"] for row in FRUIT]
    assert list(found.test) == [LabelledText("An apple a day.", 0)]
    assert found.label_names == ("neg", "pos")


def test_rows_come_back_in_order_across_row_groups(tmp_path: Path) -> None:
    table = pa.table({"text": [f"text {n}" for n in range(1000)], "label": [0, 1] * 500})
    path = tmp_path / "train.parquet"
    pq.write_table(table, path, row_group_size=300)
    assert cells(path) == [[f"text {n}", n % 2] for n in range(1000)]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_may_be_stored_in_other_ways(tmp_path: Path, kind: pa.DataType) -> None:
    texts = pa.array(["a", "b", "a", None]).cast(kind)
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"text": texts, "label": [0.0, 1.0, 0.5, None]}), path)
    assert cells(path) == [["a", 0.0], ["b", 1.0], ["a", 0.5], [None, None]]


@pytest.mark.parametrize("stored", [b"{", b"[]", b'{"info": {"features": {"text": {}}}}'])
def test_metadata_that_says_nothing_of_classes_is_ignored(tmp_path: Path, stored: bytes) -> None:
    path = write_parquet(tmp_path / "train.parquet", metadata=stored)
    assert served(path, [])[0] == Described(["text", "label"], {})


def test_columns_of_other_things_are_refused(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "train.parquet", [{"text": ["a"], "label": 0}])
    assert refused(path).field == "text"
    assert "holds list<" in refused(path).message


def test_text_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    broken = pa.array([b"a", b"\xff\xfe"], pa.binary()).view(pa.string())
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"text": broken, "label": [0, 1]}), path)
    assert refused(path).message == "a text is not UTF-8"


def test_long_text_is_refused_with_its_row(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": 0}] * 300 + [{"text": "b" * 5000, "label": 1}]
    path = write_parquet(tmp_path / "train.parquet", rows)
    found = refused(path, limits=ReadLimits(line_size_bytes_max=4999))
    assert (found.row, found.field) == (301, "text")
    assert "longer than 4999 bytes" in found.message


def test_many_long_texts_come_one_by_one(tmp_path: Path) -> None:
    rows = [{"text": f"{n}" * 3_000_000, "label": n} for n in range(6)]
    path = write_parquet(tmp_path / "train.parquet", rows)
    parts = [len(part.rows) for part in served(path) if isinstance(part, Part)]
    assert parts == [1] * 6


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (ReadLimits(examples_max=3), "4 rows > 3"),
        (ReadLimits(chunk_size_bytes_max=20), "bytes in one row group > 20"),
        (ReadLimits(unpacked_size_bytes_max=20), "unpacked, the file exceeds 20 bytes"),
    ],
)
def test_footer_is_checked_before_anything_is_read(
    tmp_path: Path, limits: ReadLimits, message: str
) -> None:
    path = write_parquet(tmp_path / "train.parquet")
    answers = served(path, limits=limits)
    assert [type(answer) for answer in answers] == [Described, Refused]
    assert message in refused(path, limits=limits).message


def test_dictionary_bomb_is_stopped_before_its_texts_are_unfolded(tmp_path: Path) -> None:
    # 200,000 references to one text of 1 MB: a few kilobytes that stand for 200 GB.
    references = pa.DictionaryArray.from_arrays(
        pa.array([0] * 200_000, pa.int32()), pa.array(["x" * 1_000_000])
    )
    table = pa.table({"text": references, "label": [0, 1] * 100_000})
    path = tmp_path / "train.parquet"
    pq.write_table(table, path, compression="zstd", dictionary_pagesize_limit=2_000_000)
    assert path.stat().st_size < 100_000
    assert refused(path, limits=ReadLimits(examples_max=50)).message == "200000 rows > 50"
    before = pa.default_memory_pool().bytes_allocated()
    bounded = ReadLimits(unpacked_size_bytes_max=200_000_000)
    assert refused(path, limits=bounded).message == "unpacked, the texts exceed 200000000 bytes"
    assert pa.default_memory_pool().bytes_allocated() - before < 1_000_000


def test_file_that_aborts_the_native_reader_is_an_error_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    # One byte of the footer is changed; pyarrow 26 answers with an abort of its process.
    path.write_bytes(Path(__file__).with_name("aborting.parquet").read_bytes())
    assert refusal(tmp_path).startswith(f"{path}: ")


@pytest.mark.parametrize("size", [0, 3, 100])
def test_file_that_was_cut_off_is_refused(tmp_path: Path, size: int) -> None:
    path = write_parquet(tmp_path / "train.parquet")
    path.write_bytes(path.read_bytes()[:size])
    assert "not a readable Parquet file" in refused(path).message


def test_changed_bytes_are_read_or_refused(tmp_path: Path) -> None:
    good = write_parquet(tmp_path / "good.parquet").read_bytes()
    path = tmp_path / "bad.parquet"
    endings = set()
    # Every seventh byte, all bits of it: none of these aborts, or this process would end here.
    for place in range(0, len(good), 7):
        bad = bytearray(good)
        bad[place] ^= 0xFF
        path.write_bytes(bad)
        endings.add(type(served(path)[-1]))
    assert endings == {Part, Refused}


def test_reading_may_end_early_and_begin_again(tmp_path: Path) -> None:
    file = SourceFile(write_parquet(tmp_path / "train.parquet"), "fruit", Format.PARQUET)
    rows = parquet_rows(file, ["text"], limits=ReadLimits())
    assert next(rows).values == {"text": FRUIT[0]["text"]}
    rows.close()
    again = parquet_rows(file, ["text"], limits=ReadLimits())
    assert [row.line for row in again] == [1, 2, 3, 4]


def test_missing_column_is_named(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "test.parquet", [{"text": "a"}])
    assert refused(path).field == "label"
    assert "there are text" in refused(path).message


def test_frame_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="a frame of 4294967295 bytes"):
        list(read_answers(io.BytesIO(b"\xff" * 8)))


@pytest.mark.parametrize(
    "answer",
    [b"\xff" * 8, b"\0\0\0\1\xc1", b"\0\0\0\2\x91\x09", b"\0\0\0\3\x93\x02\x01"],
    ids=["too long", "no msgpack", "of no kind", "of another shape"],
)
def test_reader_that_talks_nonsense_is_an_error_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    program = f"import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write({answer!r})"
    monkeypatch.setattr("fl.training.examples.parquet.READER", (sys.executable, "-c", program))
    path = write_parquet(tmp_path / "train.parquet")
    assert refusal(tmp_path).startswith(f"{path}: damaged Parquet file: ")


def test_reader_that_says_nothing_is_an_error_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fl.training.examples.parquet.READER", (sys.executable, "-c", ""))
    path = write_parquet(tmp_path / "train.parquet")
    assert refusal(tmp_path).startswith(f"{path}: damaged Parquet file: ")


def test_whole_numbers_are_places_where_the_file_names_its_classes(tmp_path: Path) -> None:
    stored = b'{"info": {"features": {"label": {"names": ["1", "2"], "_type": "ClassLabel"}}}}'
    write_parquet(tmp_path / "train.parquet", metadata=stored)
    write_parquet(tmp_path / "test.parquet", metadata=stored)
    for columns in (Columns(), Columns(label_names=("1", "2"))):
        found = open_labelled(str(tmp_path), columns=columns)
        assert [example.label for example in found.train] == [row["label"] for row in FRUIT]
