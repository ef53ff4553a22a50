from pathlib import Path

import pytest

from fl.training.examples.errors import ExamplesError
from fl.training.examples.folder import Purpose, SplitFiles, files_in, sort_out


def sorted_out(
    *names: str, files_max: int = 100, purpose: Purpose = Purpose.LEARNING
) -> tuple[list[str], list[str]]:
    named = [(name, Path(name)) for name in names]
    files = sort_out(named, source="notes", files_max=files_max, purpose=purpose)
    return [str(file.path) for file in files.train], [str(file.path) for file in files.test]


@pytest.mark.parametrize(
    ("names", "train", "test"),
    [
        (["train.jsonl", "test.jsonl"], ["train.jsonl"], ["test.jsonl"]),
        (["TRAIN.JSONL.GZ", "dev.jsonl.gz"], ["TRAIN.JSONL.GZ"], ["dev.jsonl.gz"]),
        (["train.csv", "test.csv", "valid.csv"], ["train.csv"], ["test.csv"]),
        (["train.csv", "validation.csv", "more.csv"], ["train.csv"], ["validation.csv"]),
        (["b.jsonl", "a.jsonl", "README.md"], ["a.jsonl", "b.jsonl"], []),
        (["trainers.csv", "testimony.csv"], ["testimony.csv", "trainers.csv"], []),
        (
            ["data/train-00001-of-00002.parquet", "data/train-00000-of-00002.parquet"],
            ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"],
            [],
        ),
        (
            ["default/partial-train/0000.parquet", "default/test/0000.parquet"],
            ["default/partial-train/0000.parquet"],
            ["default/test/0000.parquet"],
        ),
    ],
)
def test_names_of_files_decide_their_split(
    names: list[str], train: list[str], test: list[str]
) -> None:
    assert sorted_out(*names) == (train, test)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "notes: no file ends with .jsonl.gz, .jsonl, .csv.gz, .csv, .parquet; it is empty"),
        (["a.txt"], "; only a.txt"),
        (["test.csv"], "notes: there is test.csv but no train file"),
        (["train.csv", "train.jsonl"], "one split in two formats, .csv and .jsonl: keep one"),
    ],
)
def test_folder_without_one_train_split_is_refused(names: list[str], message: str) -> None:
    with pytest.raises(ExamplesError) as refused:
        sorted_out(*names)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("names", "train", "test"),
    [
        (["train.jsonl", "test.jsonl"], ["train.jsonl"], ["test.jsonl"]),
        (["train.csv", "dev.csv", "more.csv"], ["train.csv"], ["dev.csv"]),
        (["held.jsonl"], [], ["held.jsonl"]),
        (["test.jsonl"], [], ["test.jsonl"]),
        (["train.jsonl"], [], ["train.jsonl"]),
        (["test.csv", "more.csv"], [], ["more.csv", "test.csv"]),
    ],
)
def test_source_for_measuring_is_whole_unless_it_has_both_splits(
    names: list[str], train: list[str], test: list[str]
) -> None:
    assert sorted_out(*names, purpose=Purpose.MEASURING) == (train, test)


def test_source_for_measuring_has_one_format() -> None:
    with pytest.raises(ExamplesError, match=r"one split in two formats, \.csv and \.jsonl"):
        sorted_out("test.csv", "more.jsonl", purpose=Purpose.MEASURING)


def test_number_of_files_is_bounded() -> None:
    with pytest.raises(ExamplesError, match="3 files of one split > 2"):
        sorted_out("a.csv", "b.csv", "c.csv", files_max=2)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(ExamplesError, match=r"nowhere: there is no such folder"):
        files_in(missing, files_max=1)


def test_folders_inside_a_folder_are_not_read(tmp_path: Path) -> None:
    inner = tmp_path / "train.csv"
    inner.mkdir()
    outer = tmp_path / "notes.csv"
    outer.touch()
    assert [file.path for file in _files(tmp_path).train] == [outer]


def _files(folder: Path) -> SplitFiles:
    return files_in(folder, files_max=10)
