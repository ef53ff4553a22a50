"""Find which files of a folder, or of a repository, hold the train and the test split."""

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fl.training.examples.errors import ExamplesError

# A part of the path, or the start of the file's name up to a sign: train-00000-of-00002.parquet.
TRAIN = re.compile(r"(partial-)?train(ing)?(?![a-z0-9])", re.IGNORECASE)
TEST = re.compile(r"(partial-)?test(ing)?(?![a-z0-9])", re.IGNORECASE)
VALIDATION = re.compile(r"(partial-)?(val|valid|validation|dev|eval)(?![a-z0-9])", re.IGNORECASE)


class Format(enum.Enum):
    """The formats that are read; the value is the end of the file's name."""

    JSONL_GZ = ".jsonl.gz"
    JSONL = ".jsonl"
    CSV_GZ = ".csv.gz"
    CSV = ".csv"
    PARQUET = ".parquet"


class Purpose(enum.Enum):
    """What becomes of a folder without files of both splits; who has both means them."""

    LEARNING = "learning"
    """It is for training, and a test split is held out while reading."""

    MEASURING = "measuring"
    """It was set apart: all of it is the test split, and nobody trains on it."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read; `shown` is how messages call it."""

    path: Path
    shown: str
    format: Format


@dataclass(frozen=True, slots=True)
class SplitFiles:
    """The files of each split in the order of their names.

    Without test files some texts of the others are held out; without train files none is learnt.
    """

    train: tuple[SourceFile, ...]
    test: tuple[SourceFile, ...]

    @property
    def first(self) -> SourceFile:
        """Return the file that tells which columns there are."""
        return (self.train or self.test)[0]


def files_in(folder: Path, *, files_max: int, purpose: Purpose = Purpose.LEARNING) -> SplitFiles:
    """List the files of a folder, not of the folders in it.

    Raises:
        ExamplesError: there is no such folder, or nothing for its purpose in it.
    """
    if not folder.is_dir():
        raise ExamplesError("there is no such folder", source=str(folder))
    named = [(path.name, path) for path in sorted(folder.iterdir()) if path.is_file()]
    return sort_out(named, source=str(folder), files_max=files_max, purpose=purpose)


def sort_out(
    named: Sequence[tuple[str, Path]],
    *,
    source: str,
    files_max: int,
    purpose: Purpose = Purpose.LEARNING,
) -> SplitFiles:
    """Divide files, each with its path inside the source, into train and test.

    Where no file is called train, all files are; then a test split is held out while reading. What
    is for measuring is only divided where it has both.

    Raises:
        ExamplesError: nothing to read, several formats of one split, or too many files.
    """
    known = {
        name: SourceFile(path, f"{source.rstrip('/')}/{name}", kind)
        for name, path in sorted(named)
        if (kind := format_of(name)) is not None
    }
    if not known:
        raise ExamplesError(_nothing_found(named), source=source)
    train = _of(TRAIN, known)
    test = _of(TEST, known) or _of(VALIDATION, known)
    if purpose is Purpose.MEASURING and not (train and test):
        train, test = (), tuple(known.values())
    elif test and not train:
        raise ExamplesError(f"there is {test[0].path.name} but no train file", source=source)
    elif not train:
        train = tuple(known.values())
    for files in (train, test):
        _check(files, source=source, files_max=files_max)
    return SplitFiles(train, test)


def format_of(name: str) -> Format | None:
    """Tell the format by the end of a file's name."""
    lower = name.lower()
    return next((kind for kind in Format if lower.endswith(kind.value)), None)


def _of(split: re.Pattern[str], known: Mapping[str, SourceFile]) -> tuple[SourceFile, ...]:
    return tuple(
        file for name, file in known.items() if any(split.match(part) for part in name.split("/"))
    )


def _check(files: Sequence[SourceFile], *, source: str, files_max: int) -> None:
    kinds = sorted({file.format.value for file in files})
    if len(kinds) > 1:
        raise ExamplesError(
            f"one split in two formats, {' and '.join(kinds)}: keep one of them", source=source
        )
    if len(files) > files_max:
        raise ExamplesError(f"{len(files)} files of one split > {files_max}", source=source)


def _nothing_found(named: Iterable[tuple[str, Path]]) -> str:
    ends = ", ".join(kind.value for kind in Format)
    others = [name for name, _ in named][:3]
    seen = f"only {', '.join(others)}" if others else "it is empty"
    return f"no file ends with {ends}; {seen}"
