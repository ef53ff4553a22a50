"""Where records of rounds lie: the last ones in memory, those that ended in files as well.

Guards: both are bounded, the oldest rounds go first, but reading displaces none that runs, as there
is no other copy; a file that cannot be read is as good as none, and a disk that takes none costs
explanations of rounds after the next restart, nothing else.
"""

import re
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import structlog

from node.rpc.round_record import RoundRecord
from node.storage.disk import DEFAULT_RESERVE, Reserve, check_reserve
from node.storage.errors import DiskReserveError

RECORDS_MAX: Final = 256
"""In memory, of rounds that ended, and as many that run; the record of a round with 100 updates and
64 scorecards takes some 300 kB."""

FILES_MAX: Final = 4_096
FILE_BYTES_MAX: Final = 4 << 20
ASIDE: Final = "round.new"
"""Where one is written before it gets its name."""

_NAME: Final = re.compile(r"round-[0-9]{1,10}-[0-9]{1,10}\.json")

_log: Final = structlog.get_logger("node.rpc.round_shelf")

_Records: TypeAlias = OrderedDict[tuple[int, int], RoundRecord]


class _Filed(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds.

    Args:
        chain: its id; a folder may be left from another one.
    """

    chain: bytes
    record: RoundRecord


class RoundShelf:
    """Keeps records; may be used from any thread.

    Args:
        folder: of the files, its own; None: there are none.
        chain_id: of the chain whose rounds these are.
        reserve: what files leave free on the disk.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        chain_id: bytes = b"",
        files_max: int = FILES_MAX,
        reserve: Reserve = DEFAULT_RESERVE,
    ) -> None:
        self._folder = folder
        self._chain_id = chain_id
        self._files_max = files_max
        self._reserve = reserve
        self._running: _Records = OrderedDict()
        self._ended: _Records = OrderedDict()
        self._lock = threading.Lock()

    def get(self, task: int, number: int) -> RoundRecord | None:
        """Return the record of a round, None if there is none."""
        place = task, number
        with self._lock:
            if place in self._running:
                return self._running[place]
            record = self._ended.get(place) or self._read(task, number)
            if record is not None:
                _keep(self._ended, record)
            return record

    def put(self, record: RoundRecord) -> None:
        """Keep a record; if the round has ended and had updates, in a file.

        Opening rounds costs little, so those without updates displace no others.
        """
        with self._lock:
            if not record.is_ended:
                if record.updates:
                    _keep(self._running, record)
                return
            self._running.pop((record.task, record.number), None)
            _keep(self._ended, record)
            if record.updates and self._folder is not None:
                try:
                    self._write(record, self._folder)
                except (OSError, DiskReserveError) as error:
                    _log.warning("a round is not kept on disk", reason=str(error))

    def _read(self, task: int, number: int) -> RoundRecord | None:
        if self._folder is None:
            return None
        try:
            with (self._folder / _name(task, number)).open("rb") as file:
                filed = msgspec.json.decode(file.read(FILE_BYTES_MAX + 1), type=_Filed)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            _log.warning("the record of a round is not readable", reason=str(error)[:200])
            return None
        found = filed.chain, filed.record.task, filed.record.number
        is_it = found == (self._chain_id, task, number) and filed.record.is_ended
        return filed.record if is_it else None

    def _write(self, record: RoundRecord, folder: Path) -> None:
        raw = msgspec.json.encode(_Filed(chain=self._chain_id, record=record))
        if len(raw) > FILE_BYTES_MAX:
            return
        folder.mkdir(parents=True, exist_ok=True)
        check_reserve(folder, self._reserve)
        path = folder / _name(record.task, record.number)
        aside = folder / ASIDE
        try:
            aside.write_bytes(raw)
            aside.replace(path)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        known = [one for one in folder.iterdir() if _NAME.fullmatch(one.name)]
        if len(known) > self._files_max:
            known.sort(key=lambda one: (one.stat().st_mtime_ns, one.name))
            for one in known[: len(known) - self._files_max]:
                one.unlink(missing_ok=True)


def _keep(records: _Records, record: RoundRecord) -> None:
    records[record.task, record.number] = record
    records.move_to_end((record.task, record.number))
    if len(records) > RECORDS_MAX:
        records.popitem(last=False)


def _name(task: int, number: int) -> str:
    return f"round-{task}-{number}.json"
