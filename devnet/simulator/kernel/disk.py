"""The durable storage of one node: append-only logs and key-value tables over one write order.

Writes are visible at once and durable only when a `sync` that came after them has finished. A crash
keeps a random prefix of the rest, as a write-ahead log does after a power cut, and may leave the
next log record torn. Invariant: what a finished sync covered survives every crash.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from devnet.simulator.kernel.dice import chance, heavy_tail, uniform
from devnet.simulator.kernel.scheduler import Scheduler
from primitives.errors import StorageError

TORN_PERMILLE = 500

# The mean of dice.heavy_tail is 1.65 medians.
_MEDIAN_PER_MEAN_PERMILLE = 606


class DiskFailureError(StorageError):
    """Report a sync that failed; the only safe answer is to stop the node."""

    code = "disk_failure"


class _Absent:
    """Stands for the value of a key that is not there, and for a record that cannot be read."""


_ABSENT = _Absent()
_TORN = _Absent()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of everything durable on a disk at one moment."""

    logs: dict[str, list[Any]] = field(default_factory=dict)
    tables: dict[str, dict[Any, Any]] = field(default_factory=dict)


# How to undo one write: (table, key, value before) or (log, _ABSENT, _ABSENT) for an append.
_Undo = tuple[str, Any, Any]


class Disk:
    """Simulated storage; values are immutable objects, kept without a copy.

    Attributes:
        sync_us: what every sync takes.
        slow_us_mean: the mean of what a sick disk adds to it; 0 for a healthy one.
    """

    def __init__(self, scheduler: Scheduler, rng: Random, *, sync_us: int = 0) -> None:
        self.sync_us = sync_us
        self.slow_us_mean = 0
        self.syncs_count = 0
        self.lost_writes_count = 0
        self._scheduler = scheduler
        self._rng = rng
        self._logs: dict[str, list[Any]] = {}
        self._tables: dict[str, dict[Any, Any]] = {}
        self._undo: list[_Undo] = []
        self._durable_count = 0
        self._syncs: deque[tuple[int, int]] = deque()
        self._will_fail = False

    @property
    def will_fail(self) -> bool:
        """Tell whether the next sync raises."""
        return self._will_fail

    def append(self, log: str, record: object) -> None:
        """Add a record at the end of a log."""
        self._logs.setdefault(log, []).append(record)
        self._undo.append((log, _ABSENT, _ABSENT))

    def records(self, log: str) -> list[Any]:
        """Return the records of a log in order; a torn one fails its checksum and is not there."""
        return [record for record in self._logs.get(log, ()) if record is not _TORN]

    def put(self, table: str, key: object, value: object) -> None:
        """Set a key; None is a value like any other."""
        entries = self._tables.setdefault(table, {})
        self._undo.append((table, key, entries.get(key, _ABSENT)))
        entries[key] = value

    def delete(self, table: str, key: object) -> None:
        """Remove a key, if it is there."""
        entries = self._tables.get(table, {})
        if key in entries:
            self._undo.append((table, key, entries.pop(key)))

    def get(self, table: str, key: object) -> Any:  # noqa: ANN401 - values are the caller's
        """Return the value of a key, or None when there is none."""
        return self._tables.get(table, {}).get(key)

    def items(self, table: str) -> list[tuple[Any, Any]]:
        """Return a table in the order of its keys, which must be comparable."""
        entries = self._tables.get(table, {})
        return [(key, entries[key]) for key in sorted(entries)]

    def sync(self) -> int:
        """Start to make everything written so far durable; return how many us that takes.

        Raises:
            DiskFailureError: the disk failed; what was not durable may be lost.
        """
        self._settle()
        if self._will_fail:
            self._will_fail = False
            raise DiskFailureError("sync failed")
        self.syncs_count += 1
        latency_us = self.sync_us
        if self.slow_us_mean:
            median_us = self.slow_us_mean * _MEDIAN_PER_MEAN_PERMILLE // 1000
            latency_us += heavy_tail(self._rng, median_us)
        done_us = self._scheduler.now_us + latency_us
        if self._syncs:
            # One device: a sync does not finish before those that were started earlier.
            done_us = max(done_us, self._syncs[-1][0])
        self._syncs.append((done_us, self._durable_count + len(self._undo)))
        self._settle()
        return done_us - self._scheduler.now_us

    def fail_next_sync(self) -> None:
        """Make the next sync raise."""
        self._will_fail = True

    def heal(self) -> None:
        """Be a healthy disk from now on."""
        self._will_fail = False
        self.slow_us_mean = 0

    def crash(self, rng: Random) -> None:
        """Lose a random suffix of what no finished sync covered."""
        self._settle()
        keep_count = uniform(rng, 0, len(self._undo))
        lost = self._undo[keep_count:]
        _roll_back(self._logs, self._tables, lost)
        if lost and lost[0][1] is _ABSENT and chance(rng, TORN_PERMILLE):
            self._logs[lost[0][0]].append(_TORN)
        self.lost_writes_count += len(lost)
        self._forget_order()

    def wipe(self) -> None:
        """Lose everything (amnesia)."""
        self.restore(Snapshot())

    def snapshot(self) -> Snapshot:
        """Copy what is durable now, as a backup would."""
        self._settle()
        logs = {log: list(records) for log, records in self._logs.items()}
        tables = {table: dict(entries) for table, entries in self._tables.items()}
        _roll_back(logs, tables, self._undo)
        return Snapshot(logs=logs, tables=tables)

    def restore(self, snapshot: Snapshot) -> None:
        """Replace everything by a backup; the machine must be down."""
        self._logs = {log: list(records) for log, records in snapshot.logs.items()}
        self._tables = {table: dict(entries) for table, entries in snapshot.tables.items()}
        self._forget_order()

    def _settle(self) -> None:
        """Make durable what the syncs covered that have finished by now."""
        syncs = self._syncs
        covered_count = self._durable_count
        while syncs and syncs[0][0] <= self._scheduler.now_us:
            _, covered_count = syncs.popleft()
        if covered_count > self._durable_count:
            del self._undo[: covered_count - self._durable_count]
            self._durable_count = covered_count

    def _forget_order(self) -> None:
        """Start anew after what is on the disk was settled by a crash or a restore."""
        self._undo.clear()
        self._syncs.clear()
        self._durable_count = 0


def _roll_back(
    logs: dict[str, list[Any]], tables: dict[str, dict[Any, Any]], lost: Iterable[_Undo]
) -> None:
    """Undo writes, last one first."""
    for name, key, before in reversed(list(lost)):
        if key is _ABSENT:
            logs[name].pop()
        elif before is _ABSENT:
            del tables[name][key]
        else:
            tables[name][key] = before
