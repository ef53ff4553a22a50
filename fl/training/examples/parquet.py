"""Read rows from Parquet files through `parquet_reader`, a process for each file.

What that process does, crash included, ends here as rows or as an `ExamplesError`.
"""

import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec

import msgspec

from fl.training.examples.errors import ExamplesError
from fl.training.examples.folder import SourceFile
from fl.training.examples.limits import ReadLimits
from fl.training.examples.parquet_frames import (
    Answer,
    Described,
    Part,
    Refused,
    Request,
    read_answers,
    write_frame,
)
from fl.training.examples.rows import Row

READER = (sys.executable, "-m", "fl.training.examples.parquet_reader")


def describe(file: SourceFile) -> Described:
    """Return the columns of a file and the names of classes that its metadata has.

    Raises:
        ExamplesError: it is no Parquet file or damaged.
    """
    with closing(_answers(file, (), ReadLimits())) as answers:
        for answer in answers:
            if isinstance(answer, Described):
                return answer
    raise ExamplesError("damaged Parquet file: its reader says nothing", source=file.shown)


def parquet_rows(
    file: SourceFile, columns: Sequence[str], *, limits: ReadLimits
) -> Generator[Row, None, None]:
    """Yield the rows with the given columns; `line` counts rows from 1.

    Raises:
        ExamplesError: a column is missing, the file is damaged, or it holds too much.
    """
    row = 0
    with closing(_answers(file, columns, limits)) as answers:
        for answer in answers:
            if isinstance(answer, Part):
                for cells in answer.rows:
                    row += 1
                    yield Row(row, _named(columns, cells))


def _named(columns: Sequence[str], cells: Sequence[object]) -> Mapping[str, object]:
    return dict(zip(columns, cells, strict=True))


def _answers(
    file: SourceFile, columns: Sequence[str], limits: ReadLimits
) -> Generator[Answer, None, None]:
    if find_spec("pyarrow") is None:
        message = "Parquet files need pyarrow, which the extra `training` installs"
        raise ExamplesError(message, source=file.shown)
    with _reader() as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        with suppress(BrokenPipeError), reader.stdin as request:
            write_frame(request, Request(str(file.path), list(columns), limits))
        try:
            for answer in read_answers(reader.stdout):
                if isinstance(answer, Refused):
                    raise ExamplesError(
                        answer.message, source=file.shown, line=answer.row, field=answer.field
                    )
                yield answer
        except (ValueError, msgspec.MsgspecError) as error:
            message = f"damaged Parquet file: its reader is not understood: {error}"
            raise ExamplesError(message, source=file.shown) from error
        if reader.wait() != 0:
            message = f"damaged Parquet file: its reader ended with {reader.returncode}"
            raise ExamplesError(message, source=file.shown)


@contextmanager
def _reader() -> Iterator[subprocess.Popen[bytes]]:
    reader = subprocess.Popen(  # noqa: S603 (our own program, no word of the command is given)
        READER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        yield reader
    finally:
        reader.kill()
        reader.wait()
        if reader.stdout is not None:
            reader.stdout.close()
