"""Who must wait for the disk, and who must not: the event loop asks a store while others write."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from typing_extensions import override

from node.blobs.bounds import BlobBounds
from node.blobs.catalogue import Catalogue, Known
from node.blobs.manifest import Access, BlobId, blob_id
from node.blobs.source import Memory, manifest_of
from node.blobs.store import BlobStore
from node.storage.disk import Reserve
from node.storage.errors import DiskReserveError
from primitives.cid import Cid
from tests.blobs.shelves import CHAIN, CHUNK, NODE, Watch, content, opened

WAIT_S = 5
LONG = content(3 * CHUNK + 7)
SHORT = content(300, seed=4)


class SlowStore(BlobStore):
    """A store whose chunks are read once the gate is open."""

    began: threading.Event
    gate: threading.Event

    @override
    def leaves(self, blob: BlobId, *, first: int, count: int) -> list[bytes]:
        self.began.set()
        assert self.gate.wait(WAIT_S)
        return super().leaves(blob, first=first, count=count)


@contextmanager
def slow(folder: Path) -> Iterator[SlowStore]:
    with SlowStore.open(folder, chain_id=CHAIN, node_id=NODE, clock=Watch()) as store:
        store.began, store.gate = threading.Event(), threading.Event()
        yield store


def looked_at(store: BlobStore, blob: BlobId) -> dict[str, BlobId]:
    """Do what the event loop does without a thread."""
    with store.in_use(blob):
        assert store.total.blobs == 2
        return store.pinned("")


def test_nobody_waits_for_a_file_that_is_written_but_who_wants_one(tmp_path: Path) -> None:
    with slow(tmp_path) as store, ThreadPoolExecutor() as pool:
        blob = blob_id(store.put(LONG, access=Access.PUBLIC, pin="a"))
        other = blob_id(store.put(SHORT, access=Access.PUBLIC))
        writing = pool.submit(store.path, blob)
        try:
            assert store.began.wait(WAIT_S)
            looking = pool.submit(looked_at, store, other)
            putting = pool.submit(store.put, b"third", access=Access.PUBLIC)
            spoiling = pool.submit(store.spoiled, other)
            assert looking.result(WAIT_S) == {"a": blob}
            assert putting.result(WAIT_S) == Cid.of_raw(b"third")
        finally:
            store.gate.set()
        spoiling.result(WAIT_S)
        assert writing.result(WAIT_S).read_bytes() == LONG


def test_threads_that_want_the_same_file_get_one_whole_file(tmp_path: Path) -> None:
    with opened(tmp_path) as store, ThreadPoolExecutor() as pool:
        blob = blob_id(store.put(LONG, access=Access.PUBLIC))
        asked: list[Future[Path]] = [pool.submit(store.path, blob) for _ in range(8)]
        (path,) = {one.result(WAIT_S) for one in asked}
        assert path.read_bytes() == LONG
        assert store.total.file_bytes == len(LONG)


def test_what_came_in_use_since_it_was_chosen_does_not_go() -> None:
    catalogue = Catalogue()
    manifest = manifest_of(Memory(SHORT))
    blob = blob_id(manifest.cid)
    catalogue.add(blob, Known(manifest=manifest, access=Access.PUBLIC, here=1, used_ms=0))
    assert catalogue.idle_since(1, count_max=1) == [blob]
    known = catalogue.begin_use(blob)
    assert known is not None
    assert catalogue.remove_idle(blob) is None
    catalogue.end_use(known)
    assert catalogue.remove_idle(blob) is known
    assert catalogue.begin_use(blob) is None


def test_blob_that_could_not_be_dropped_is_still_here(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        blob = blob_id(store.put(LONG, access=Access.PUBLIC, pin="a"))
    nothing = BlobBounds(reserve=Reserve(percent=100, bytes_max=1 << 62))
    with BlobStore.open(
        tmp_path, chain_id=CHAIN, node_id=NODE, clock=Watch(), bounds=nothing
    ) as store:
        with pytest.raises(DiskReserveError):
            store.drop(blob)
        assert store.read(blob) == LONG
        assert store.pinned("") == {"a": blob}
        assert store.total.size_bytes == len(LONG)
