"""What can be wrong with examples, said with the place where it is."""

from typing import ClassVar

from primitives.errors import TrainingError


class ExamplesError(TrainingError):
    """Refuse a source of examples.

    Args:
        message: what is wrong and what to do, in lower case.
        source: the file, folder or data set, as the user named it.
        line: the line of a text file, or the row of a Parquet file, counted from 1.
        field: the column.
    """

    code: ClassVar[str] = "examples"

    def __init__(
        self, message: str, *, source: str, line: int | None = None, field: str | None = None
    ) -> None:
        place = source if line is None else f"{source}:{line}"
        what = message if field is None else f"field {field!r}: {message}"
        super().__init__(f"{place}: {what}")
        self.source = source
        self.line = line
        self.field = field
