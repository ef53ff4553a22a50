"""How much a source may hold before it is refused."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """Bounds on what one source may make this process keep.

    Attributes:
        line_size_bytes_max: a line of a text file, or one text of a Parquet file.
        examples_max: of both splits together.
        unpacked_size_bytes_max: of one file, after decompression.
        chunk_size_bytes_max: a column of one row group of a Parquet file, as its footer declares.
        files_max: of one split.
    """

    line_size_bytes_max: int = 4 << 20
    examples_max: int = 20_000_000
    unpacked_size_bytes_max: int = 16 << 30
    chunk_size_bytes_max: int = 1 << 30
    files_max: int = 10_000
