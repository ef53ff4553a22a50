"""The results file: one line for each arm and seed, so that a run that was broken off goes on."""

import sys
from pathlib import Path

import msgspec

from benchmarks.federated.settings import Arm, Record
from benchmarks.lines import append_line


class Results:
    """Records in memory, and in a file where one is named."""

    def __init__(self, place: str, *, key: str) -> None:
        """Read what the file has of these settings; lines of other settings stay and are ignored.

        Args:
            place: of the file; empty for none.
            key: of the settings.
        """
        self._path = Path(place) if place else None
        self.records: dict[tuple[Arm, int], Record] = {}
        for record in self._read():
            if record.key == key:
                self.records[record.arm, record.seed] = record

    def add(self, record: Record) -> None:
        """Keep a record."""
        self.records[record.arm, record.seed] = record
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            append_line(self._path, msgspec.json.encode(record))

    def of(self, arm: Arm) -> list[Record]:
        """Return the records of an arm, by seed."""
        chosen = [record for (other, _), record in self.records.items() if other is arm]
        return sorted(chosen, key=lambda record: record.seed)

    def _read(self) -> list[Record]:
        if self._path is None or not self._path.exists():
            return []
        lines = self._path.read_bytes().split(b"\n")
        found = []
        for number, line in enumerate(lines, start=1):
            try:
                if line:
                    found.append(msgspec.json.decode(line, type=Record))
            except msgspec.MsgspecError as error:
                # Broken off while it was written: that arm is run again.
                print(f"{self._path}, line {number}: {error}: left out", file=sys.stderr)
        return found
