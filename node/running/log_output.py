"""Where log lines go: one line each to a stream, for people or as JSON, and into the ring.

A traceback shows no local variables, since those may hold keys.
"""

import datetime as dt
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

import structlog
from structlog.types import EventDict

from node.config.sections import LogFormat, LogLevel, LogsSection
from node.rpc.log_ring import LogRing
from primitives.clock import Clock

FIELD_LETTERS_MAX: Final = 500
TRACE_LETTERS_MAX: Final = 16_384
_TRACE: Final = "exception"
_LEADING: Final = ("time_ms", "level", "logger", "event")

_LEVELS: Final[Mapping[LogLevel, int]] = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}


class Scribe:
    """Writes the rendered lines of one logger; structlog makes one for each name."""

    def __init__(self, name: str, write: Callable[[str], None]) -> None:
        self.name = name
        self.debug = self.info = self.warning = self.error = self.critical = write
        self.exception = self.msg = write


def configure_logs(section: LogsSection, *, stream: TextIO, ring: LogRing, clock: Clock) -> None:
    """Send the log of this process to a stream and a ring from now on."""
    is_human = section.format is LogFormat.HUMAN or (
        section.format is LogFormat.AUTO and stream.isatty()
    )

    def write(line: str) -> None:
        stream.write(line + "\n")
        stream.flush()

    def scribe(*names: str) -> Scribe:
        return Scribe(names[0] if names else "hanse", write)

    def stamp(logger: Scribe, _method: str, event: EventDict) -> EventDict:
        return {**event, "logger": logger.name, "time_ms": clock.wall_ms()}

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            stamp,
            structlog.processors.format_exc_info,
            ring,
            _for_people if is_human else _as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[section.level]),
        logger_factory=scribe,
        cache_logger_on_first_use=False,
    )


def _for_people(_logger: object, _method: str, event: EventDict) -> str:
    fields = " ".join(f"{key}={value}" for key, value in _fields(event).items() if key != _TRACE)
    seconds = event["time_ms"] / 1_000
    time = dt.datetime.fromtimestamp(seconds, tz=dt.UTC).strftime("%H:%M:%S.%f")[:-3]
    text = f"{time} {event['level']:<7} {event['logger']}: {event['event']} {fields}".rstrip()
    return f"{text}\n{event[_TRACE]}" if _TRACE in event else text


def _as_json(_logger: object, _method: str, event: EventDict) -> str:
    leading: dict[str, Any] = {key: event[key] for key in _LEADING}
    return json.dumps({**leading, **_fields(event)}, ensure_ascii=False)


def _fields(event: EventDict) -> dict[str, str]:
    return {key: _text(key, value) for key, value in event.items() if key not in _LEADING}


def _text(key: str, value: object) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    letters_max = TRACE_LETTERS_MAX if key == _TRACE else FIELD_LETTERS_MAX
    return text if len(text) <= letters_max else f"{text[:letters_max]}..."
