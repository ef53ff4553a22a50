"""The store keeps what proves itself, finds it again, and forgets within its bounds."""

import os
import threading
from pathlib import Path

import pytest
from typing_extensions import override

from fl.rules.update.root import blob_root
from fl.worker.blobs import read_content
from node.blobs.bounds import BlobBounds
from node.blobs.errors import BadBlobError, BlobRoomError, NoSuchBlobError
from node.blobs.manifest import Access, BlobId, blob_id
from node.blobs.source import Memory, manifest_of
from node.blobs.store import FILES_FOLDER, KEPT_MS, BlobStore
from node.storage.disk import Reserve
from node.storage.errors import DiskReserveError, ForeignDatabaseError
from primitives.cid import Cid
from primitives.errors import StorageError
from tests.blobs.shelves import CHAIN, CHUNK, NODE, Watch, content, opened

PRIVATE, PUBLIC = Access.PRIVATE, Access.PUBLIC
LONG = content(3 * CHUNK + 7)
SHORT = content(300, seed=4)


def begun(store: BlobStore, raw: bytes) -> BlobId:
    manifest = manifest_of(Memory(raw))
    blob = blob_id(manifest.cid)
    store.begin(blob, manifest, access=PUBLIC, size_bytes_max=len(raw))
    return blob


def chunk_of(raw: bytes, index: int) -> bytes:
    return raw[index * CHUNK : (index + 1) * CHUNK]


@pytest.mark.parametrize("size_bytes", [0, 1, CHUNK, CHUNK + 1, 20 * CHUNK + 9])
def test_what_is_put_is_read_under_the_id_that_ipfs_gives(tmp_path: Path, size_bytes: int) -> None:
    raw = content(size_bytes)
    with opened(tmp_path) as store:
        cid = store.put(raw, access=PRIVATE)
        assert cid == blob_root(raw)
        assert store.cid(blob_id(cid)) == cid
        assert store.read(blob_id(cid)) == raw
        assert store.put(raw, access=PRIVATE) == cid
        assert store.total.blobs == 1
        assert store.total.size_bytes == size_bytes


def test_blobs_pins_and_access_outlive_the_process(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        public = blob_id(store.put(b"public", access=PUBLIC, pin="task/0"))
        private = blob_id(store.put(LONG, access=PRIVATE))
        half = begun(store, content(2 * CHUNK, seed=3))
        store.add_leaves(half, {1: chunk_of(content(2 * CHUNK, seed=3), 1)})
    with opened(tmp_path) as store:
        assert store.is_public(public)
        assert store.pinned("task/") == {"task/0": public}
        assert store.read(private) == LONG
        assert not store.is_public(private)
        assert not store.has(half)
        assert store.stat(half).missing == 1
        store.add_leaves(half, {0: chunk_of(content(2 * CHUNK, seed=3), 0)})
        assert store.read(half) == content(2 * CHUNK, seed=3)


def test_a_store_of_another_node_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    with pytest.raises(ForeignDatabaseError), opened(tmp_path, node=b"another"):
        pass


def test_wrong_chunks_never_enter(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        blob = begun(store, LONG)
        right = chunk_of(LONG, 0)
        poisons = {
            "of another place": {0: chunk_of(LONG, 1)},
            "one bit off": {0: bytes((right[0] ^ 1,)) + right[1:]},
            "too short": {0: right[:-1]},
            "too long": {0: right + b"\0"},
            "empty": {0: b""},
            "behind the end": {4: b""},
            "before the start": {-1: right},
            "a good one with it": {0: right, 1: right},
        }
        for name, leaves in poisons.items():
            with pytest.raises(BadBlobError, match="this is not chunk"):
                store.add_leaves(blob, leaves)
            assert store.stat(blob).missing == 4, name


def test_a_thousand_poisoned_chunks_change_nothing(tmp_path: Path) -> None:
    raw = content(CHUNK + 40)
    with opened(tmp_path) as store:
        blob = begun(store, raw)
        tail = bytearray(chunk_of(raw, 1))
        for number in range(1_000):
            poisoned = bytes(tail)
            place = number % len(tail)
            poisoned = (
                poisoned[:place] + bytes((tail[place] ^ 1 + number % 255,)) + poisoned[place + 1 :]
            )
            with pytest.raises(BadBlobError):
                store.add_leaves(blob, {1: poisoned})
        assert store.stat(blob).missing == 2
        store.add_leaves(blob, {0: chunk_of(raw, 0), 1: bytes(tail)})
        assert store.read(blob) == raw


def test_what_is_not_whole_is_not_read(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        blob = begun(store, LONG)
        for question in (store.read, store.manifest, store.path):
            with pytest.raises(NoSuchBlobError, match="not here as a whole"):
                question(blob)
        with pytest.raises(NoSuchBlobError, match="is not here"):
            store.stat(BlobId(bytes(32)))
        assert not store.has(BlobId(bytes(32)))
        assert not store.is_public(blob)


def test_chunks_are_read_by_place_and_end_with_the_blob(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        blob = blob_id(store.put(LONG, access=PUBLIC))
        assert store.leaves(blob, first=1, count=2) == [chunk_of(LONG, 1), chunk_of(LONG, 2)]
        assert store.leaves(blob, first=3, count=16) == [chunk_of(LONG, 3)]
        assert store.leaves(blob, first=4, count=1) == []


def test_private_becomes_public_and_never_private_again(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        blob = blob_id(store.put(b"update", access=PRIVATE))
        assert not store.is_public(blob)
        store.publish(blob)
        store.publish(blob)
        assert store.is_public(blob)
        store.put(b"update", access=PRIVATE)
        assert store.is_public(blob)
        other = blob_id(store.put(b"model", access=PRIVATE))
        store.put(b"model", access=PUBLIC)
        assert store.is_public(other)


def test_what_is_not_pinned_makes_room_oldest_first(tmp_path: Path) -> None:
    with opened(tmp_path, bytes_max=3 * CHUNK) as store:
        pinned = blob_id(store.put(content(CHUNK, seed=1), access=PUBLIC, pin="keep"))
        old = blob_id(store.put(content(CHUNK, seed=2), access=PUBLIC))
        new = blob_id(store.put(content(CHUNK, seed=3), access=PUBLIC))
        store.read(old)
        last = blob_id(store.put(content(CHUNK, seed=4), access=PUBLIC))
        assert [store.has(one) for one in (pinned, old, new, last)] == [True, True, False, True]
        with pytest.raises(BlobRoomError, match="raise blob_bytes_max"):
            store.put(content(2 * CHUNK + 1), access=PUBLIC)
        assert store.total.size_bytes <= 3 * CHUNK


def test_a_blob_in_use_does_not_go(tmp_path: Path) -> None:
    with opened(tmp_path, bytes_max=2 * CHUNK) as store:
        first = blob_id(store.put(content(CHUNK, seed=1), access=PUBLIC))
        with store.in_use(first), pytest.raises(BlobRoomError):
            store.put(content(2 * CHUNK), access=PUBLIC)
        store.put(content(2 * CHUNK), access=PUBLIC)
        assert not store.has(first)


def test_garbage_is_what_nobody_pinned_and_nobody_used(tmp_path: Path) -> None:
    clock = Watch()
    with opened(tmp_path, clock=clock) as store:
        kept = blob_id(store.put(b"pinned", access=PUBLIC, pin="a"))
        old = blob_id(store.put(b"old", access=PUBLIC))
        half = begun(store, LONG)
        clock.now_ms += KEPT_MS + 1
        fresh = blob_id(store.put(b"fresh", access=PUBLIC))
        assert store.collect(count_max=1) == 1
        assert store.collect() == 1
        assert [store.has(one) for one in (kept, old, half, fresh)] == [True, False, False, True]
        store.pin(kept, "b")
        store.unpin(kept, "a")
        store.unpin(kept, "a")
        assert store.collect(kept_ms=-1_000) == 1
        store.unpin(kept, "b")
        assert store.collect(kept_ms=-1_000) == 1
        assert store.total.blobs == 0
    with opened(tmp_path) as store:
        assert store.listing() == []


def test_a_blob_is_erased_pinned_or_not(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        blob = blob_id(store.put(LONG, access=PUBLIC, pin="a"))
        path = store.path(blob)
        store.drop(blob)
        store.drop(blob)
        assert not store.has(blob)
        assert not path.exists()
        assert store.pinned("") == {}


def test_the_listing_tells_what_is_here(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.put(b"a", access=PRIVATE, pin="why")
        half = begun(store, LONG)
        first, second = store.listing()
        assert (first.cid, first.missing, first.size_bytes) == (blob_root(LONG), 4, len(LONG))
        assert (second.reasons, second.access, second.missing) == (("why",), PRIVATE, 0)
        assert store.stat(half) == first


def test_files_are_what_workers_take(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        blob = blob_id(store.put(LONG, access=PRIVATE))
        stored = store.stored(blob)
        assert read_content(stored, size_bytes_max=len(LONG)) == LONG
        assert store.path(blob) == Path(stored.path)
        Path(stored.path).write_bytes(b"torn")
        assert store.path(blob).read_bytes() == LONG
        same_size = bytes(len(LONG))
        store.path(blob).write_bytes(same_size)
        store.spoiled(blob)
        assert store.path(blob).read_bytes() == LONG


def test_files_do_not_grow_without_bound(tmp_path: Path) -> None:
    with opened(tmp_path, bytes_max=3 * CHUNK) as store:
        blobs = [
            blob_id(store.put(content(CHUNK, seed=n), access=PUBLIC, pin="a")) for n in range(3)
        ]
        paths = [store.path(blob) for blob in blobs]
        assert store.total.file_bytes == 3 * CHUNK
        assert all(path.exists() for path in paths)
    (tmp_path / FILES_FOLDER / ".left.part").write_bytes(b"half")
    with opened(tmp_path, bytes_max=2 * CHUNK) as store:
        assert not (tmp_path / FILES_FOLDER / ".left.part").exists()
        paths[0].unlink()
        assert store.path(blobs[0]).exists()
        assert store.total.file_bytes <= 2 * CHUNK


def test_a_file_is_put_without_reading_it_whole(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(LONG)
    with opened(tmp_path / "store") as store:
        cid = store.put_file(source, access=PRIVATE, expected=blob_root(LONG).encode())
        assert store.read(blob_id(cid)) == LONG
        with pytest.raises(BadBlobError, match="the content is"):
            store.put_file(source, access=PRIVATE, expected=Cid.of_raw(b"other").encode())


def test_what_is_no_file_is_not_put(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with opened(tmp_path / "store") as store:
        for name in ("pipe", "folder", "missing"):
            with pytest.raises(StorageError, match=name):
                store.put_file(tmp_path / name, access=PUBLIC)


def test_threads_that_put_the_same_blob_share_it(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        threads = [
            threading.Thread(target=store.put, args=(LONG,), kwargs={"access": PUBLIC})
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.read(blob_id(blob_root(LONG))) == LONG
        assert store.total.blobs == 1


def test_a_folder_that_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / FILES_FOLDER).write_bytes(b"in the way")
    with pytest.raises(StorageError, match="files"), opened(tmp_path):
        pass


def test_ids_that_look_like_paths_are_unknown_blobs(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        for name in (b"../../../etc/passwd", b"", b"\0" * 32, b"a" * 4_096):
            blob = BlobId(name)
            assert not store.has(blob)
            for question in (store.path, store.read, store.stat, store.publish, store.spoiled):
                with pytest.raises(NoSuchBlobError, match="is not here"):
                    question(blob)
            with pytest.raises(NoSuchBlobError):
                store.pin(blob, "why")
            store.unpin(blob, "why")
            store.drop(blob)


def test_a_folder_that_vanishes_is_one_clear_line(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        blob = blob_id(store.put(LONG, access=PUBLIC))
        folder = tmp_path / FILES_FOLDER
        (folder / "a folder of somebody").mkdir()
        (folder / "a folder of somebody").rmdir()
        folder.rmdir()
        folder.write_bytes(b"in the way")
        with pytest.raises(StorageError, match="files"):
            store.path(blob)
        with pytest.raises(StorageError, match="files"):
            store.spoiled(blob)


def test_a_file_that_changes_while_it_is_put_is_no_blob(tmp_path: Path) -> None:
    class Wavering(Memory):
        """Content that is another one the second time."""

        turns = 0

        @override
        def leaf(self, index: int) -> bytes:
            self.turns += 1
            return super().leaf(index) if self.turns == 1 else b"changed"

    with opened(tmp_path) as store:
        first = Wavering(SHORT)
        manifest = manifest_of(first)
        blob = blob_id(manifest.cid)
        store.begin(blob, manifest, access=PUBLIC, size_bytes_max=CHUNK)
        with pytest.raises(BadBlobError, match="not chunk 0"):
            store.add_leaves(blob, {0: first.leaf(0)})
        assert not store.has(blob)


def test_more_pins_than_there_may_be_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.blobs.store.PINS_MAX", 2)
    with opened(tmp_path) as store:
        blob = blob_id(store.put(SHORT, access=PUBLIC, pin="a"))
        store.pin(blob, "b")
        with pytest.raises(BlobRoomError):
            store.pin(blob, "c")
        store.unpin(blob, "a")
        store.pin(blob, "c")
        assert store.stat(blob).reasons == ("b", "c")


def test_store_leaves_free_what_it_is_told_to(tmp_path: Path) -> None:
    everything = BlobBounds(reserve=Reserve(percent=100, bytes_max=1 << 62))
    with BlobStore.open(
        tmp_path, chain_id=CHAIN, node_id=NODE, clock=Watch(), bounds=everything
    ) as store:
        with pytest.raises(DiskReserveError):
            store.put(SHORT, access=PUBLIC)
        assert store.total.blobs == 0
