"""The store in LMDB and the journal in a file, on a real disk, are a store and a journal.

A second opening finds an image of the disk, since a process that runs keeps its files locked.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

import pytest

from node.storage.block_store import BLOCK_TABLES, PENDING_BYTES_MAX, LmdbBlockStore
from node.storage.schema import Schema
from node.storage.signer_journal import FileJournal, JournalOwner, LostJournal, open_or_mourn
from primitives.ids import Epoch
from tests.conformance.block_store import (
    CONTEXT,
    CRASH_CASES,
    JOURNAL_CASES,
    STORE_CASES,
    CrashCase,
    JournalCase,
    StoreCase,
)
from tests.consensus.driving import Call, Trace, WatchedStore
from tests.dsl.committee import key_of
from tests.storage.places import image_of, opened

SCHEMA = Schema(purpose="consensus", tables=BLOCK_TABLES)
OWNER = JournalOwner(
    epoch=Epoch(0), genesis=CONTEXT.genesis_digest, public_key=key_of(0).public.raw
)


class LmdbDisk:
    """A folder; every opening after the first is of a copy."""

    def __init__(
        self,
        folder: Path,
        closing: ExitStack,
        *,
        pending_bytes_max: int = PENDING_BYTES_MAX,
    ) -> None:
        self._folder = folder
        self._closing = closing
        self._pending_bytes_max = pending_bytes_max
        self._opened_count = 0

    def open(self) -> LmdbBlockStore:
        image = self._folder / f"{self._opened_count}"
        if self._opened_count:
            image_of(self._folder / "0", image)
        self._opened_count += 1
        environment, writer = self._closing.enter_context(opened(image, schema=SCHEMA))
        return LmdbBlockStore.open(
            environment, writer, CONTEXT, pending_bytes_max=self._pending_bytes_max
        )


class LosingDisk:
    """A folder on which a crash leaves as many of the unsynced writes as it is told to.

    The store commits all that waits at once, so a crash inside a longer wait leaves a prefix only
    where the store synced by itself; the survivors are put there by the same store.
    """

    def __init__(self, disk: LmdbDisk) -> None:
        self._disk = disk
        self._trace: Trace = []
        self._survivors: Trace = []

    @property
    def unsynced_count(self) -> int:
        names = ["sync", *(call.name for call in self._trace)]
        return names[::-1].index("sync")

    def open(self) -> WatchedStore:
        store = self._disk.open()
        for call in self._survivors:
            store.append(call.argument)
        store.sync()
        return WatchedStore(store, self._trace)

    def crash(self, *, lost: int) -> None:
        unsynced = self._trace[len(self._trace) - self.unsynced_count :]
        self._survivors = unsynced[: len(unsynced) - lost]
        self._trace.append(Call("sync", None))


class FileJournalDisk:
    """A folder with a journal; every opening after the first is of a copy."""

    def __init__(self, folder: Path, closing: ExitStack) -> None:
        self._folder = folder
        self._closing = closing
        self._opened_count = 0
        self._path = folder / "0"
        FileJournal.create(self._path, OWNER).close()

    def open(self) -> FileJournal | LostJournal:
        image = self._folder / f"{self._opened_count}"
        if self._opened_count and self._path.exists():
            shutil.copy(self._path, image)
        self._opened_count += 1
        journal = open_or_mourn(image, OWNER)
        if isinstance(journal, FileJournal):
            self._closing.callback(journal.close)
        return journal

    def lose(self) -> None:
        self._path.unlink()


@pytest.fixture(name="closing")
def _closing() -> Iterator[ExitStack]:
    with ExitStack() as closing:
        yield closing


@pytest.mark.parametrize("case", STORE_CASES, ids=lambda case: case.__name__)
def test_store_in_lmdb_conforms(case: StoreCase, tmp_path: Path, closing: ExitStack) -> None:
    case(lambda: LmdbDisk(Path(mkdtemp(dir=tmp_path)), closing))


@pytest.mark.parametrize("case", STORE_CASES, ids=lambda case: case.__name__)
def test_store_that_syncs_every_write_conforms(
    case: StoreCase, tmp_path: Path, closing: ExitStack
) -> None:
    case(lambda: LmdbDisk(Path(mkdtemp(dir=tmp_path)), closing, pending_bytes_max=0))


@pytest.mark.parametrize("case", CRASH_CASES, ids=lambda case: case.__name__)
def test_store_in_lmdb_survives_a_crash(
    case: CrashCase, tmp_path: Path, closing: ExitStack
) -> None:
    case(lambda: LosingDisk(LmdbDisk(Path(mkdtemp(dir=tmp_path)), closing)))


@pytest.mark.parametrize("case", JOURNAL_CASES, ids=lambda case: case.__name__)
def test_journal_in_a_file_conforms(case: JournalCase, tmp_path: Path, closing: ExitStack) -> None:
    case(lambda: FileJournalDisk(Path(mkdtemp(dir=tmp_path)), closing))
