"""CPU that our peer costs beside js-libp2p, with js-libp2p at the other end of every connection.

Each case runs twice, once with our peer in the role that is measured and once with that of the
other implementation; the counterpart stays the same, so both get the same bytes. Peers are
processes over loopback that measure themselves: all threads, from the first message to the last.
Figures are the least of several runs. A full measurement shows py-libp2p too, where it is
installed, with messages at a pace that its queues of 32 can take.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.comparison import Row, compare, run
from p2p.probe.events import Performed, Published, Redialled, Stats
from tests.interop.kinds import JS, OURS, PY, Kind
from tests.interop.pairs import LINGER, TOPIC, connected

GOAL: Final = 1.0
"""Less CPU than the peer."""
LIMIT_S: Final = 300.0
MS_PER_S: Final = 1000.0
MEBIBYTE: Final = 1024 * 1024
STREAM_MEBIBYTES: Final = 100
JS_NAME: Final = "js-libp2p 3.3"
PY_NAME: Final = "py-libp2p 0.8"
PY_MESSAGES: Final = 1_000
PY_MESSAGES_PER_S: Final = 100

STREAM: Final = f"stream, {STREAM_MEBIBYTES // 2} MiB each way"
MESSAGE_UNIT: Final = "ms of CPU each"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Attributes:
        runs: of which the best counts.
        small_count: messages of 1 KiB in one run.
        large_count: messages of 64 KiB in one run.
        redials: connections in one run.
        with_py: whether to show py-libp2p too, if it is here.
    """

    runs: int = 3
    small_count: int = 10_000
    large_count: int = 1_000
    redials: int = 200
    with_py: bool = True


QUICK: Final = Effort(runs=1, small_count=2_000, large_count=200, redials=50, with_py=False)


@dataclass(frozen=True, slots=True)
class Load:
    """Messages of one size and policy; `rate` a second, or as fast as the reader takes them."""

    count: int
    size_bytes: int
    policy: tuple[str, ...] = ()
    rate: int = 0

    @property
    def flags(self) -> tuple[str, ...]:
        """What both peers are told."""
        return ("--topic", TOPIC, "--quiet", "--timeout", str(int(LIMIT_S)), *self.policy)

    def messages_ms(self, publisher: Kind, reader: Kind) -> tuple[float, float]:
        """Return the CPU per message of both peers."""
        publish = ("--publish", str(self.count), "--size", str(self.size_bytes))
        dialler = (*self.flags, *publish, "--rate", str(self.rate), "--settle", "1", *LINGER)
        listener = (*self.flags, "--expect", str(self.count), *LINGER)
        with connected((publisher, reader), dialler=dialler, listener=listener) as (client, server):
            read = server.wait_for(Stats, limit_s=LIMIT_S)
            published = client.wait_for(Published, limit_s=LIMIT_S)
        if read.received < self.count:
            raise AssertionError(f"{reader.name} got {read.received} of {self.count} messages")
        per_message = MS_PER_S / self.count
        return published.cpu_s * per_message, read.cpu_s * per_message


UNSIGNED: Final = ("--policy", "StrictNoSign", "--msgid", "topic20")


def measure_rows(effort: Effort) -> list[Row]:
    """Measure every case; the rows come in the order of the layers, from messages down."""
    runs, small, large = effort.runs, effort.small_count, effort.large_count
    rows = [
        *_message_rows("1 KiB, signed", Load(small, 1024), runs),
        *_message_rows("1 KiB, unsigned", Load(small, 1024, UNSIGNED), runs),
        *_message_rows("64 KiB, signed", Load(large, 65_536), runs),
    ]
    ours_stream, js_stream = (stream_s(kind, runs=runs) for kind in (OURS, JS))
    rows.append(_row(STREAM, "s of CPU", ours_stream, js_stream))
    ours_dial, js_dial = (dial_ms(kind, effort.redials, runs=runs) for kind in (OURS, JS))
    rows.append(_row("connection dialled and closed", "ms of CPU", ours_dial, js_dial))
    if effort.with_py and PY.missing is None:
        rows += _py_rows(ours_stream, runs)
    return rows


def _message_rows(case: str, load: Load, runs: int) -> Iterator[Row]:
    """Measure both roles; two peers of js-libp2p show both of theirs at once."""
    ours_read = least(runs, lambda: load.messages_ms(JS, OURS)[1])
    ours_published = least(runs, lambda: load.messages_ms(OURS, JS)[0])
    both = [load.messages_ms(JS, JS) for _ in range(runs)]
    js_published, js_read = (min(figures) for figures in zip(*both, strict=True))
    yield _row(f"read {case}", MESSAGE_UNIT, ours_read, js_read)
    yield _row(f"publish {case}", MESSAGE_UNIT, ours_published, js_published)


def _py_rows(ours_stream: float, runs: int) -> Iterator[Row]:
    slow = Load(PY_MESSAGES, 1024, rate=PY_MESSAGES_PER_S)
    ours, py = (slow.messages_ms(JS, kind)[1] for kind in (OURS, PY))
    case = f"read 1 KiB, signed, {PY_MESSAGES_PER_S}/s"
    yield compare(case, MESSAGE_UNIT, ours, peer_name=PY_NAME, peer=py, goal=GOAL)
    py_stream = stream_s(PY, runs=runs)
    yield compare(STREAM, "s of CPU", ours_stream, peer_name=PY_NAME, peer=py_stream, goal=GOAL)


def _row(case: str, unit: str, ours: float, js: float) -> Row:
    return compare(case, unit, ours, peer_name=JS_NAME, peer=js, goal=GOAL)


def least(runs: int, figure: Callable[[], float]) -> float:
    """Return the least of several runs: what disturbs a run only ever adds."""
    return min(figure() for _ in range(runs))


def stream_s(kind: Kind, *, runs: int) -> float:
    """Return the CPU of a peer that sends half of the bytes over a stream and gets half."""
    half = str(STREAM_MEBIBYTES * MEBIBYTE // 2)

    def once() -> float:
        with connected((kind, JS), dialler=("--perf-up", half, "--perf-down", half)) as (client, _):
            return client.wait_for(Performed, limit_s=LIMIT_S).cpu_s

    return least(runs, once)


def dial_ms(kind: Kind, count: int, *, runs: int) -> float:
    """Return the CPU of a peer that dials, gets a connection ready for streams, and closes it."""

    def once() -> float:
        with connected((kind, JS), dialler=("--redials", str(count))) as (client, _):
            return client.wait_for(Redialled, limit_s=LIMIT_S).cpu_s / count * MS_PER_S

    return least(runs, once)


def main() -> None:
    """Measure everything, or with less patience; say so where js-libp2p is not installed."""
    if JS.missing is not None:
        sys.exit(f"error: {JS.missing}")
    run("p2p", lambda is_quick: measure_rows(QUICK if is_quick else Effort()))


if __name__ == "__main__":
    main()
