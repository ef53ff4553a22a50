"""The log file of a node on this machine: its end, and what comes; the node need not run.

It holds more than what the node logs, as the last words of one that crashed.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from cli.news import PAUSE_S

if TYPE_CHECKING:
    from node.rpc.schemas import LogLine

_LEADING: Final = frozenset({"time_ms", "level", "logger", "event"})


def read_log(
    path: Path, *, lines: int, follow: bool, sleep: Callable[[float], None] = time.sleep
) -> Iterator[str]:
    """Yield the newest lines of a file, and with `follow` each further one, without an end.

    A line that is still being written is none yet, unless nobody waits for the rest of it.
    """
    while follow and not path.is_file():
        sleep(PAUSE_S)
    with path.open("rb") as file:
        newest = deque(_whole(file), maxlen=lines)
        if not follow and (rest := file.readline()):
            newest.append(_text(rest))
        yield from newest
        while follow:
            sleep(PAUSE_S)
            yield from _whole(file)


def line_of(text: str) -> "LogLine":
    """Return a line of the file as the API tells it; what is no record is an event at time 0."""
    from node.rpc.schemas import LogLine

    try:
        found = msgspec.json.decode(text, type=dict[str, str | int])
        fields = {name: str(value) for name, value in found.items() if name not in _LEADING}
        leading = {name: found[name] for name in _LEADING}
        return msgspec.convert({**leading, "fields": fields}, LogLine)
    except (msgspec.MsgspecError, KeyError):
        return LogLine(time_ms=0, level="", logger="", event=text, fields={})


def _whole(file: BinaryIO) -> Iterator[str]:
    while True:
        place = file.tell()
        line = file.readline()
        if not line.endswith(b"\n"):
            file.seek(place)
            return
        yield _text(line[:-1])


def _text(line: bytes) -> str:
    return line.decode(errors="replace")
