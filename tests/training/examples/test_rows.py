"""Files of text that are damaged: one clear line with the file and the line of it."""

import gzip
import time
from pathlib import Path

import pytest

from fl.training.examples.errors import ExamplesError
from fl.training.examples.folder import Format, SourceFile
from fl.training.examples.limits import ReadLimits
from fl.training.examples.rows import text_columns, text_rows
from fl.training.examples.sources import open_labelled
from tests.training.examples.files import FRUIT, write_csv, write_jsonl

GOOD = b'{"text": "a", "label": 0}\n{"text": "b", "label": 1}\n'
TINY = ReadLimits(line_size_bytes_max=64, unpacked_size_bytes_max=400)


def refusal(path: Path, *, limits: ReadLimits = TINY) -> ExamplesError:
    with pytest.raises(ExamplesError) as refused:
        open_labelled(str(path.parent), limits=limits)
    return refused.value


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", None, "the file is empty"),
        (b"\n\n  \n", None, "the file is empty"),
        (GOOD + b'{"text": "c", "label"\n', 3, "not valid JSON"),
        (GOOD + b"[" * 5000 + b"\n", 3, "longer than 64 bytes"),
        (GOOD + b"[1]\n", 3, "one JSON object, not a list"),
        (GOOD + b'"text"\n', 3, "one JSON object, not a text"),
        (GOOD + b"null\n", 3, "one JSON object, not null"),
        (GOOD + b"3\n", 3, "one JSON object, not a number"),
        (GOOD + b'{"text": "\xff", "label": 0}\n', 3, "not UTF-8 at byte 10"),
        (GOOD + b'{"text": "\\ud800", "label": 0}\n', 3, "not valid JSON"),
        (GOOD + b'{"text": "' + b"x" * 64 + b'"}\n', 3, "longer than 64 bytes"),
        (GOOD + b'{"text": NaN, "label": 0}\n', 3, "not valid JSON"),
        (GOOD * 10, 16, "exceeds 400 bytes"),
        (GOOD + b'{"label": 0}\n', 3, "field 'text': missing or null"),
        (GOOD + b'{"text": null, "label": 0}\n', 3, "field 'text': missing or null"),
        (GOOD + b'{"text": 7, "label": 0}\n', 3, "field 'text': must be a text, not int"),
        (GOOD + b'{"text": "c"}\n', 3, "field 'label': missing or null"),
        (GOOD + b'{"text": "c", "label": 0.5}\n', 3, "field 'label': a label is"),
        (GOOD + b'{"text": "c", "label": []}\n', 3, "field 'label': a label is"),
        (GOOD + b'{"text": "c", "label": -1}\n', 3, "field 'label': the label -1 is not"),
        (GOOD + b'{"text": "c", "label": "x"}\n', 3, "field 'label': the label 'x' is a name"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_bad_json_lines_are_refused_with_file_and_line(
    tmp_path: Path, content: bytes, line: int | None, message: str, packed: bool
) -> None:
    name = "train.jsonl.gz" if packed else "train.jsonl"
    path = written(tmp_path, name, gzip.compress(content) if packed else content)
    error = refusal(path)
    assert str(error).startswith(f"{path}:{line}: " if line else f"{path}: ")
    assert message in str(error)
    assert "\n" not in str(error)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "train.jsonl", GOOD + b'{"a":' * 100_000 + b"\n")
    assert "not valid JSON" in str(refusal(path, limits=ReadLimits()))


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", None, "the file is empty, without a header"),
        (b"text,label,text\na,0,b\n", 1, "the header names 'text' twice"),
        (b"text,label\na,0\nb\n", 3, "1 fields, but the header names 2"),
        (b'text,label\na,0\n"b,1\n', 3, "not valid CSV"),
        (b'text,label\n"a"b,1\n', 2, "not valid CSV"),
        (b"text,label\na,0\n\xe4,1\n", 3, "not UTF-8 at byte 0"),
        (b"text,label\na,zero\nb,1\n", 3, "field 'label': the label '1' is a number"),
        (b'"text"x,label\na,0\n', 1, "not valid CSV"),
        (b"text,label\ra,0\r", 1, "not valid CSV: new-line character"),
        (b"note,kind\na,0\n", None, "no label column among note, kind; name it with label="),
    ],
)
def test_bad_csv_is_refused_with_file_and_line(
    tmp_path: Path, content: bytes, line: int | None, message: str
) -> None:
    error = refusal(written(tmp_path, "train.csv", content))
    assert error.line == line
    assert message in str(error)


def test_cell_of_csv_may_be_as_long_as_a_line(tmp_path: Path) -> None:
    write_csv(tmp_path / "test.csv")
    text = "x" * 200_000
    written(tmp_path, "train.csv", f"text,label\n{text},0\nb,1\n".encode())
    assert next(iter(open_labelled(str(tmp_path)).train)).text == text


def test_quote_that_is_never_closed_ends_at_the_length_of_a_line(tmp_path: Path) -> None:
    rows = "".join(f"line {number} of many\n" for number in range(20_000))
    path = written(tmp_path, "train.csv", f'text,label\n"{rows}'.encode())
    error = refusal(path, limits=ReadLimits(line_size_bytes_max=100_000))
    assert "field larger than field limit (100000)" in str(error)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda packed: packed[:-9],
        lambda packed: packed[:20] + b"\xff\xff\xff" + packed[23:],
        lambda packed: packed[:-8] + bytes(8),
        lambda _: b"no gzip at all",
    ],
    ids=["cut off", "changed", "wrong checksum", "no gzip"],
)
def test_damaged_gzip_is_refused(tmp_path: Path, spoil: object) -> None:
    assert callable(spoil)
    path = write_jsonl(tmp_path / "train.jsonl.gz", FRUIT * 20)
    path.write_bytes(spoil(path.read_bytes()))
    assert "damaged gzip file" in str(refusal(path, limits=ReadLimits()))


def test_gzip_bomb_without_line_breaks_is_stopped_by_the_length_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl.gz"
    path.write_bytes(gzip.compress(bytes(50_000_000), compresslevel=1))
    assert "longer than 4194304 bytes" in str(refusal(path, limits=ReadLimits()))


def test_marks_and_empty_lines_of_editors_are_skipped(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "test.jsonl")
    written(tmp_path, "train.jsonl", b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n\r\n"))
    found = open_labelled(str(tmp_path))
    assert [example.text for example in found.train] == ["a", "b"]


def test_cells_of_csv_may_hold_commas_and_line_breaks(tmp_path: Path) -> None:
    write_csv(tmp_path / "test.csv")
    tmp_path.joinpath("train.csv").write_bytes(b'text,label\n"a, b\nc",0\n\nd,1\n')
    found = open_labelled(str(tmp_path))
    assert [example.text for example in found.train] == ["a, b\nc", "d"]


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    gone = SourceFile(tmp_path / "train.jsonl", "notes/train.jsonl", Format.JSONL)
    with pytest.raises(ExamplesError, match=r"^notes/train.jsonl: cannot be read: No such file"):
        list(text_rows(gone, limits=TINY))


def test_wide_header_is_checked_for_twins_in_linear_time(tmp_path: Path) -> None:
    names = [f"column{number}" for number in range(50_000)]
    path = written(tmp_path, "train.csv", ",".join([*names, names[-1]]).encode() + b"\n")
    began_s = time.process_time()
    with pytest.raises(ExamplesError, match="the header names 'column49999' twice"):
        text_columns(SourceFile(path, "train.csv", Format.CSV), limits=ReadLimits())
    # Counting each name in all of them takes half a minute.
    assert time.process_time() - began_s < 5
