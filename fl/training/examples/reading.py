"""Read the files of a source into a data set, checking every row on the way."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np

from fl.training.examples import parquet, rows
from fl.training.examples.columns import (
    Columns,
    LabelledColumns,
    PlainColumns,
    labelled_columns,
    plain_columns,
)
from fl.training.examples.errors import ExamplesError
from fl.training.examples.example import LabelledText, PlainText
from fl.training.examples.folder import Format, SourceFile, SplitFiles
from fl.training.examples.labels import LabelBook, Numerals
from fl.training.examples.limits import ReadLimits
from fl.training.examples.parquet_frames import Described
from fl.training.examples.rows import Row
from fl.training.examples.split import ExampleT, Split, Spool

# One text in ten is held out where a source has no test split of its own.
HELD_OUT_ONE_IN = 10


@dataclass(frozen=True, slots=True)
class Dataset(Generic[ExampleT]):
    """The examples of one source.

    Attributes:
        source: as the user named it.
        train: what is learnt from.
        test: what is only measured on; held out by the hash of the text where the source has none,
            and all there is in a folder for measuring that is not divided.
        label_names: the classes in the order of their numbers; empty for plain texts.
        skipped: how many rows were left out because their text is empty.
    """

    source: str
    train: Split[ExampleT]
    test: Split[ExampleT]
    label_names: tuple[str, ...]
    skipped: int


def read_labelled(
    files: SplitFiles, *, source: str, columns: Columns, limits: ReadLimits
) -> Dataset[LabelledText]:
    """Read labelled texts.

    Raises:
        ExamplesError: a file is damaged or a row is wrong; or all texts to learn from are of one
            class and `columns` does not name the others.
    """
    table = describe(files.first, limits)
    chosen = labelled_columns(columns, table.columns, source=source)
    stored = table.label_names.get(chosen.label, ())
    # A file that names its classes itself holds their places.
    numerals = Numerals.PLACE if stored else Numerals.NAME
    book = LabelBook(columns.label_names or stored, numerals=numerals)

    def add(row: Row, file: SourceFile, spools: _Spools) -> None:
        text = _text(row, chosen.text, file)
        try:
            number = book.number(_value(row, chosen.label, file))
        except ValueError as error:
            raise _wrong(str(error), row, chosen.label, file) from error
        spools.add(text, number, group=_group(row, chosen.group, file))

    spools = _read(files, chosen, source=source, limits=limits, add=add)
    train = Split(spools.train, LabelledText, numbers=book.final(spools.train.numbers))
    test = Split(spools.test, LabelledText, numbers=book.final(spools.test.numbers))
    _check_classes(train, test, book, source=source, field=chosen.label, given=columns.label_names)
    return Dataset(source, train, test, book.names(), spools.skipped)


def read_plain(
    files: SplitFiles, *, source: str, columns: Columns, limits: ReadLimits
) -> Dataset[PlainText]:
    """Read texts to learn to write, with their prompts if the table has them.

    Raises:
        ExamplesError: a file is damaged or a row is wrong.
    """
    table = describe(files.first, limits)
    chosen = plain_columns(columns, table.columns, source=source)

    def add(row: Row, file: SourceFile, spools: _Spools) -> None:
        text = _text(row, chosen.text, file)
        prompt = ""
        if chosen.prompt is not None and text:
            asked = [_text(row, chosen.prompt, file)]
            if chosen.context is not None:
                asked.append(_text(row, chosen.context, file))
            prompt = "".join(f"{part}\n" for part in asked if part)
        spools.add(prompt + text, len(prompt), group=_group(row, chosen.group, file))

    spools = _read(files, chosen, source=source, limits=limits, add=add)
    train, test = Split(spools.train, PlainText), Split(spools.test, PlainText)
    return Dataset(source, train, test, (), spools.skipped)


def describe(file: SourceFile, limits: ReadLimits) -> Described:
    """Return the names of the columns of a file, and of its classes if it has them.

    Raises:
        ExamplesError: the file is empty or damaged.
    """
    if file.format is Format.PARQUET:
        return parquet.describe(file)
    return Described(list(rows.text_columns(file, limits=limits)), {})


class _Spools:
    """Where the rows of both splits go."""

    def __init__(self, *, examples_max: int, source: str) -> None:
        self.train, self.test = Spool(), Spool()
        self.skipped = 0
        self.choose: Callable[[str], Spool] = lambda _: self.train
        self._examples_max = examples_max
        self._source = source

    def add(self, text: str, number: int, *, group: str | None) -> None:
        if not text:
            self.skipped += 1
            return
        if len(self.train) + len(self.test) == self._examples_max:
            raise ExamplesError(f"more than {self._examples_max} examples", source=self._source)
        self.choose(text).add(text, number, group=group)

    def hold_out(self, text: str) -> Spool:
        """Choose by the text alone, so that equal texts are never on both sides."""
        first = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        return self.test if first % HELD_OUT_ONE_IN == 0 else self.train


def _read(
    files: SplitFiles,
    chosen: LabelledColumns | PlainColumns,
    *,
    source: str,
    limits: ReadLimits,
    add: Callable[[Row, SourceFile, _Spools], None],
) -> _Spools:
    spools = _Spools(examples_max=limits.examples_max, source=source)
    if not files.test:
        spools.choose = spools.hold_out
    for file, row in _rows(files.train, chosen.names, limits):
        add(row, file, spools)
    if files.test:
        spools.choose = lambda _: spools.test
        for file, row in _rows(files.test, chosen.names, limits):
            add(row, file, spools)
    for name, spool in (("train", spools.train), ("test", spools.test)):
        if not len(spool) and (files.train or spool is spools.test):
            raise ExamplesError(f"there is no text in the {name} split", source=source)
    return spools


def _rows(
    files: Iterable[SourceFile], columns: Sequence[str], limits: ReadLimits
) -> Iterator[tuple[SourceFile, Row]]:
    for file in files:
        if file.format is Format.PARQUET:
            yield from ((file, row) for row in parquet.parquet_rows(file, columns, limits=limits))
        else:
            _check_columns(file, columns, limits)
            yield from ((file, row) for row in rows.text_rows(file, limits=limits))


def _check_columns(file: SourceFile, columns: Sequence[str], limits: ReadLimits) -> None:
    present = rows.text_columns(file, limits=limits)
    missing = [name for name in columns if name not in present]
    if missing:
        message = f"this column is missing; there are {', '.join(present)}"
        raise ExamplesError(message, source=file.shown, line=1, field=missing[0])


def _value(row: Row, column: str, file: SourceFile) -> object:
    value = row.values.get(column)
    if value is None:
        raise _wrong("missing or null", row, column, file)
    return value


def _text(row: Row, column: str, file: SourceFile) -> str:
    value = _value(row, column, file)
    if not isinstance(value, str):
        raise _wrong(f"must be a text, not {type(value).__name__}", row, column, file)
    return value.strip()


def _group(row: Row, column: str | None, file: SourceFile) -> str | None:
    return None if column is None else str(_value(row, column, file))


def _wrong(message: str, row: Row, column: str, file: SourceFile) -> ExamplesError:
    return ExamplesError(message, source=file.shown, line=row.line, field=column)


def _check_classes(
    train: Split[LabelledText],
    test: Split[LabelledText],
    book: LabelBook,
    *,
    source: str,
    field: str,
    given: Sequence[str],
) -> None:
    if not len(train):
        return
    learnt = np.unique(train.numbers)
    unknown = np.setdiff1d(test.numbers, learnt)
    names = book.names()
    if len(unknown) and not given:
        message = f"the class {names[unknown[0]]!r} is in the test split only"
        raise ExamplesError(message, source=source, field=field)
    if len(learnt) < 2 and not given:
        message = (
            f"every text to learn from is of class {names[learnt[0]]!r}; if others hold more "
            "classes, name them all with label_names="
        )
        raise ExamplesError(message, source=source, field=field)
