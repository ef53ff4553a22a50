import io
import json

import structlog

from node.config.sections import LogFormat, LogLevel, LogsSection
from node.rpc.log_ring import LogRing
from node.running.log_output import FIELD_LETTERS_MAX, configure_logs


class FixedClock:
    def monotonic_ms(self) -> int:
        return 0

    def wall_ms(self) -> int:
        return 1_700_000_000_123


def configured(
    form: LogFormat, *, level: LogLevel = LogLevel.INFO, ring: LogRing | None = None
) -> io.StringIO:
    stream, clock = io.StringIO(), FixedClock()
    section = LogsSection(level=level, format=form)
    configure_logs(section, stream=stream, ring=ring or LogRing(clock), clock=clock)
    return stream


def test_a_line_for_people_names_time_level_room_phrase_and_fields() -> None:
    stream = configured(LogFormat.HUMAN)
    structlog.get_logger("validator").info("seat taken", seat=2, digest=b"\x01\x02")
    assert stream.getvalue() == "22:13:20.123 info    validator: seat taken seat=2 digest=0102\n"


def test_a_line_for_programs_is_one_json_object() -> None:
    stream = configured(LogFormat.AUTO)
    structlog.get_logger("sync").warning("peer is slow", peer="12D3")
    assert json.loads(stream.getvalue()) == {
        "time_ms": 1_700_000_000_123,
        "level": "warning",
        "logger": "sync",
        "event": "peer is slow",
        "peer": "12D3",
    }


def test_what_is_below_the_level_is_not_written() -> None:
    stream = configured(LogFormat.HUMAN, level=LogLevel.WARNING)
    structlog.get_logger("x").info("quiet")
    assert stream.getvalue() == ""


def test_long_fields_are_cut_and_an_exception_keeps_its_trace() -> None:
    stream = configured(LogFormat.HUMAN)
    try:
        int("x")
    except ValueError:
        structlog.get_logger("x").exception("it broke", text="y" * 10_000)
    written = stream.getvalue()
    assert "y" * FIELD_LETTERS_MAX + "..." in written
    assert "y" * (FIELD_LETTERS_MAX + 1) not in written
    assert "Traceback" in written
    assert "invalid literal" in written


def test_lines_are_kept_for_the_api() -> None:
    ring = LogRing(FixedClock())
    configured(LogFormat.JSON, ring=ring)
    structlog.get_logger("x").info("line", number=3)
    (line,) = ring.tail(5)
    assert (line.logger, line.event, line.fields["number"]) == ("x", "line", "3")
