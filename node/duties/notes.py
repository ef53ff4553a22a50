"""What duties leave on the disk: one file for each round, one for the history of each task.

Results only, never intentions: what is to be done follows from the chain. A file is replaced as a
whole, so after a power cut it is the old one or the new one. One that cannot be read is as good as
none, since nearly everything in it can be made again; what cannot is missed, and said.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec
import structlog

from fl.jobs.bounds import CidBytes, Count, DigestBytes, Whole
from fl.rules.limits import MEASURES_MAX, UPDATES_MAX
from fl.rules.scorecard import RECORD_SIZE_BYTES
from primitives.cid import Cid
from primitives.codec import Codec
from primitives.errors import MalformedBytesError

RUNGS_MAX: Final = 8
VERSIONS_KEPT: Final = 40
"""The last eight rounds of both layouts that changed the model, and some to spare."""

ROUNDS_KEPT: Final = 16
"""Folders of rounds that are kept for whoever looks into what happened."""

_NOTES_BYTES_MAX: Final = 1 << 20

Stored = TypeVar("Stored", bound=msgspec.Struct)

_log: Final = structlog.get_logger("node.duties")


class _Note(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """The root of what is stored."""


class UpdateNote(_Note, frozen=True, kw_only=True):
    """The own update of a round; `fl.jobs.results.TrainResult` says what the rest means."""

    cid: CidBytes
    norm: Count
    losses_micronats: tuple[Whole, Whole]
    steps: Count
    samples: Count
    seconds_milli: Count = 0


class Use(_Note, frozen=True, kw_only=True):
    """An update that went into a model: whose, which, and its weight in Q16."""

    trainer: DigestBytes
    root: DigestBytes
    weight: Count


Uses = Annotated[tuple[Use, ...], msgspec.Meta(max_length=UPDATES_MAX)]


class CandidateNote(_Note, frozen=True, kw_only=True):
    """An aggregate as this node computed it: its three blobs, and what went in."""

    rung: Count
    model: CidBytes
    delta: CidBytes
    state: CidBytes
    uses: Uses


class ReportNote(_Note, frozen=True, kw_only=True):
    """What the guard watches, under the aggregate of one rung."""

    rung: Count
    aggregate: DigestBytes
    changes: Annotated[tuple[Whole, ...], msgspec.Meta(max_length=MEASURES_MAX)]


class RoundNotes(_Note, frozen=True, kw_only=True):
    """What one round has given so far."""

    update: UpdateNote | None = None
    card: Annotated[bytes, msgspec.Meta(max_length=UPDATES_MAX * RECORD_SIZE_BYTES)] = b""
    candidates: Annotated[tuple[CandidateNote, ...], msgspec.Meta(max_length=RUNGS_MAX)] = ()
    reports: Annotated[tuple[ReportNote, ...], msgspec.Meta(max_length=RUNGS_MAX)] = ()

    def candidate(self, rung: int) -> bytes:
        """Return the digest of the aggregate of a rung; empty if there is none."""
        found = (Cid.decode(one.model).digest for one in self.candidates if one.rung == rung)
        return next(found, b"")

    def report(self, rung: int, aggregate: bytes) -> ReportNote | None:
        """Return the report on what has a quorum at a rung."""
        found = (one for one in self.reports if (one.rung, one.aggregate) == (rung, aggregate))
        return next(found, None)


class VersionNote(_Note, frozen=True, kw_only=True):
    """One version of the model; version 0 has neither delta nor state.

    Args:
        round: that made it.
        state: of the outer optimiser after it; None where nothing came before.
    """

    version: Count
    round: Count
    model: CidBytes
    delta: CidBytes | None = None
    state: CidBytes | None = None
    uses: Uses = ()


class HistoryNotes(_Note, frozen=True, kw_only=True):
    """The last versions, oldest first, without a gap."""

    versions: Annotated[tuple[VersionNote, ...], msgspec.Meta(max_length=VERSIONS_KEPT)] = ()


_ROUND_CODEC: Final = Codec(RoundNotes, size_bytes_max=_NOTES_BYTES_MAX)
_HISTORY_CODEC: Final = Codec(HistoryNotes, size_bytes_max=_NOTES_BYTES_MAX)


class Notebook:
    """The files of this node's duties.

    Args:
        folder: of all of them; it is made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rounds: dict[tuple[int, int], RoundNotes] = {}
        self._histories: dict[int, HistoryNotes] = {}

    def workplace(self, task: int, round_number: int) -> Path:
        """Return where the worker writes what it makes in a round."""
        return self._round_folder(task, round_number) / "blobs"

    def of_round(self, task: int, round_number: int) -> RoundNotes:
        """Return what a round has given; nothing if its file is lost."""
        place = (task, round_number)
        if place not in self._rounds:
            path = self._round_folder(*place) / "notes"
            self._rounds[place] = _read(path, _ROUND_CODEC, RoundNotes)
        return self._rounds[place]

    def has_round(self, task: int, round_number: int) -> bool:
        """Tell whether a round has given anything; one system call."""
        return (self._round_folder(task, round_number) / "notes").exists()

    def note(
        self, task: int, round_number: int, change: Callable[[RoundNotes], RoundNotes]
    ) -> None:
        """Write down one more result of a round."""
        notes = change(self.of_round(task, round_number))
        _write(self._round_folder(task, round_number) / "notes", _ROUND_CODEC.encode(notes))
        self._rounds[task, round_number] = notes

    def history(self, task: int) -> HistoryNotes:
        """Return the versions of a task that this node has followed."""
        if task not in self._histories:
            self._histories[task] = _read(self._history(task), _HISTORY_CODEC, HistoryNotes)
        return self._histories[task]

    def extend(self, task: int, version: VersionNote) -> None:
        """Write down the next version, unless it is known; one after a gap begins anew."""
        known = self.history(task).versions
        if known and version.version <= known[-1].version:
            return
        if known and version.version > known[-1].version + 1:
            known = ()
        notes = HistoryNotes(versions=(*known, version)[-VERSIONS_KEPT:])
        _write(self._history(task), _HISTORY_CODEC.encode(notes))
        self._histories[task] = notes

    def forget_before(self, task: int, round_number: int) -> None:
        """Remove the folders of rounds that are long over."""
        oldest = round_number - ROUNDS_KEPT
        for number, folder in self._round_folders(task):
            if number < oldest:
                shutil.rmtree(folder, ignore_errors=True)
        kept = {
            place: notes for place, notes in self._rounds.items() if _is_kept(place, task, oldest)
        }
        self._rounds = kept

    def close(self, task: int) -> None:
        """Keep the notes of a task on the disk only; whoever asks for them has them read again."""
        self._histories.pop(task, None)
        self._rounds = {place: kept for place, kept in self._rounds.items() if place[0] != task}

    def _round_folders(self, task: int) -> Iterator[tuple[int, Path]]:
        for folder in self._folder.glob(f"{task}-*"):
            number = folder.name.partition("-")[2]
            if number.isdecimal():
                yield int(number), folder

    def _round_folder(self, task: int, round_number: int) -> Path:
        return self._folder / f"{task}-{round_number}"

    def _history(self, task: int) -> Path:
        return self._folder / f"history-{task}"


def _is_kept(place: tuple[int, int], task: int, oldest: int) -> bool:
    return place[0] != task or place[1] >= oldest


def _read(path: Path, codec: Codec[Stored], kind: type[Stored]) -> Stored:
    try:
        return codec.decode(path.read_bytes())
    except FileNotFoundError:
        return kind()
    except (OSError, MalformedBytesError) as error:
        _log.warning("notes of duties are lost", path=str(path), error=str(error))
        return kind()


def _write(path: Path, raw: bytes) -> None:
    """Replace a file so that a power cut leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
