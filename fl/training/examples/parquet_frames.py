"""What the reader of Parquet files and the process that started it say to each other.

Each frame is four bytes of length, big-endian, and one msgpack value. The first is the request, on
the reader's standard input; the others come back on its standard output: a description, then parts
of the table, or at any time a refusal, which is the last. The reader is our own program, but the
file makes it say what it says, so lengths are bounded and values are typed.
"""

from collections.abc import Iterator
from typing import IO

import msgspec

from fl.training.examples.limits import ReadLimits

FRAME_SIZE_BYTES_MAX = 256 << 20


class Request(msgspec.Struct, frozen=True, tag=0, array_like=True):
    """Describe a file and read these of its columns; without any, only describe it."""

    path: str
    columns: list[str]
    limits: ReadLimits


class Described(msgspec.Struct, frozen=True, tag=1, array_like=True):
    """The top-level columns, and the names of the classes where the metadata has any."""

    columns: list[str]
    label_names: dict[str, list[str]]


class Part(msgspec.Struct, frozen=True, tag=2, array_like=True):
    """The next rows, each with a cell for every column that was asked for."""

    rows: list[list[str | int | float | bool | None]]


class Refused(msgspec.Struct, frozen=True, tag=3, array_like=True):
    """What is wrong with the file."""

    message: str
    row: int | None = None
    field: str | None = None


Answer = Described | Part | Refused


def write_frame(stream: IO[bytes], value: Request | Answer) -> None:
    """Send one value."""
    content = msgspec.msgpack.encode(value)
    stream.write(len(content).to_bytes(4, "big"))
    stream.write(content)
    stream.flush()


def read_request(stream: IO[bytes]) -> Request:
    """Return the one request."""
    return msgspec.msgpack.decode(_frame(stream), type=Request)


def read_answers(stream: IO[bytes]) -> Iterator[Answer]:
    """Yield answers until the stream ends, wherever that is.

    Raises:
        ValueError: a frame is too long or holds something else.
    """
    decoder = msgspec.msgpack.Decoder(Answer)
    while content := _frame(stream):
        yield decoder.decode(content)


def _frame(stream: IO[bytes]) -> bytes:
    length = int.from_bytes(stream.read(4), "big")
    if length > FRAME_SIZE_BYTES_MAX:
        raise ValueError(f"a frame of {length} bytes > {FRAME_SIZE_BYTES_MAX}")
    content = stream.read(length)
    return content if len(content) == length else b""
