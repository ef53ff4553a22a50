"""The blobs of a node: in an environment of their own, chunk by chunk, found by id.

Guards:
- Nothing that was not checked is stored: a chunk is written when its digest is the one that the
  manifest has for its place, and a manifest when it proves the id that was asked for.
- A blob is whole, or it says which chunks are missing; a crash leaves nothing else behind.
- No more bytes than `bytes_max`; what is pinned or in use never goes, and what would need its room
  is refused.

All methods may be called from any thread. Most wait for the disk, or for others who do: from an
event loop use `asyncio.to_thread`. `in_use`, `pinned`, `total` and what asks for one blob without
its content never wait.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Self

from fl.jobs.bounds import StoredBlob
from node.blobs.bounds import DEFAULT_BOUNDS, BlobBounds
from node.blobs.catalogue import BlobStat, Catalogue, Known, StoreStat, stat_of
from node.blobs.errors import BadBlobError, BlobRoomError, NoSuchBlobError
from node.blobs.file_shelf import FileShelf
from node.blobs.manifest import Access, BlobId, Manifest, blob_id, check_manifest, cid_of
from node.blobs.source import Memory, Source, manifest_of, opened
from node.blobs.tables import BLOB_SCHEMA, ENTRIES, LEAVES, PINS, PROGRESS, Entry
from node.storage.batch import WriteBatch
from node.storage.environment import Environment, MapLimits
from node.storage.stamp import Identity
from node.storage.writer import Writer
from primitives.cid import Cid
from primitives.clock import Clock
from primitives.errors import StorageError
from primitives.ids import DIGEST_SIZE_BYTES, ChainId, TimestampMs

ENTRIES_MAX: Final = 65_536
REASON_BYTES_MAX: Final = 256
PINS_MAX: Final = 1_000_000
BATCH_LEAVES: Final = 16
"""Chunks in one write: 4 MiB, so that a long blob keeps nobody waiting."""
KEPT_MS: Final = 7 * 24 * 3_600_000
"""How long `collect` leaves alone what nobody has pinned."""
COLLECTED_MAX: Final = 16
"""Blobs that `collect` drops at one time, since whoever wants the store waits for it."""

ENVIRONMENT_FOLDER: Final = "chunks"
FILES_FOLDER: Final = "files"


class BlobStore:
    """Blobs by id; `open` makes one, and leaving it closes it."""

    def __init__(
        self, environment: Environment, writer: Writer, *, clock: Clock, files: FileShelf
    ) -> None:
        self._environment = environment
        self._writer = writer
        self._clock = clock
        self._files = files
        self._catalogue = Catalogue()
        self._bytes_max = 0
        self._pins = 0
        self._lock = threading.RLock()
        self._closing = ExitStack()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        chain_id: ChainId,
        node_id: bytes,
        clock: Clock,
        bounds: BlobBounds = DEFAULT_BOUNDS,
    ) -> Self:
        """Open the store in a folder, or begin it.

        Args:
            folder: of the store alone.
            chain_id: of which it is.
            node_id: whose it is.
            clock: tells what was used when.
            bounds: of what it takes of the disk.

        Raises:
            StorageError: it cannot be used, is in use, or is of another chain or node.
        """
        with ExitStack() as opening:
            environment = opening.enter_context(
                Environment.open(
                    folder / ENVIRONMENT_FOLDER,
                    schema=BLOB_SCHEMA,
                    identity=Identity(chain_id=chain_id, node_id=node_id),
                    now_ms=TimestampMs(clock.wall_ms()),
                    limits=MapLimits(reserve=bounds.reserve),
                )
            )
            writer = opening.enter_context(Writer.start(environment))
            files = FileShelf.open(folder / FILES_FOLDER, bytes_max=bounds.file_bytes_max)
            store = cls(environment, writer, clock=clock, files=files)
            store._bytes_max = bounds.bytes_max
            store._take_stock()
            store._closing = opening.pop_all()
        return store

    def close(self) -> None:
        """Write out what waits and close; harmless if it is closed."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Putting in.

    def put(self, content: bytes, *, access: Access, pin: str | None = None) -> Cid:
        """Keep content and return its id; harmless if it is here.

        Args:
            content: of at most `BLOB_SIZE_BYTES_MAX`.
            access: a blob that is public already stays so.
            pin: why it must stay; without, it may go when room is needed.

        Raises:
            BadBlobError: it is too long, or its id would be ambiguous.
            BlobRoomError: there is no room.
        """
        return self._put(Memory(content), access=access, pin=pin)

    def put_file(
        self, path: Path, *, access: Access, pin: str | None = None, expected: bytes | None = None
    ) -> Cid:
        """Keep the content of a file and return its id; never more than a chunk is in memory.

        Args:
            path: of a regular file of this machine.
            access: as for `put`.
            pin: as for `put`.
            expected: its content id, in binary, if whoever wrote it said so.

        Raises:
            BadBlobError: it is too long, is not what was expected, or changes while it is read.
            StorageError: it cannot be read.
            BlobRoomError: there is no room.
        """
        with opened(path) as source:
            return self._put(source, access=access, pin=pin, expected=expected)

    def begin(
        self, blob: BlobId, manifest: Manifest, *, access: Access, size_bytes_max: int
    ) -> tuple[int, ...]:
        """Make ready for a blob of somebody else; return the places of the chunks that are missing.

        Raises:
            BadBlobError: the manifest does not prove the id, or is of more than the limit.
            BlobRoomError: there is no room.
        """
        check_manifest(manifest, blob=blob, size_bytes_max=size_bytes_max)
        with self._lock:
            known = self._catalogue.get(blob)
            if known is None:
                known = self._enter(blob, manifest, access=access)
            return _missing(known)

    def add_leaves(self, blob: BlobId, leaves: Mapping[int, bytes]) -> None:
        """Store chunks of a blob that was begun; those that are here already change nothing.

        Raises:
            BadBlobError: a chunk is not the one that belongs to its place; nothing was stored.
            NoSuchBlobError: the blob was not begun, or has gone since.
        """
        known = self._get(blob)
        for index, chunk in leaves.items():
            is_inside = 0 <= index < known.manifest.leaf_count
            if not is_inside or not known.manifest.has_leaf(index, chunk):
                raise BadBlobError(f"{blob.hex()}: this is not chunk {index}")
        with self._lock:
            self._store(blob, leaves)

    @contextmanager
    def in_use(self, blob: BlobId) -> Iterator[None]:
        """Keep a blob from going while something is done with it."""
        known = _found(blob, self._catalogue.begin_use(blob))
        try:
            yield
        finally:
            self._catalogue.end_use(known)

    # Looking.

    def has(self, blob: BlobId) -> bool:
        """Tell whether a blob is here as a whole."""
        known = self._catalogue.get(blob)
        return known is not None and known.is_whole

    def is_public(self, blob: BlobId) -> bool:
        """Tell whether a blob is here as a whole and may be given to anybody."""
        known = self._catalogue.get(blob)
        return known is not None and known.is_whole and known.access is Access.PUBLIC

    def cid(self, blob: BlobId) -> Cid:
        """Return the whole content id of a blob.

        Raises:
            NoSuchBlobError: it is not known.
        """
        return cid_of(blob, leaf_count=self._get(blob).manifest.leaf_count)

    def manifest(self, blob: BlobId) -> Manifest:
        """Return what a blob is made of.

        Raises:
            NoSuchBlobError: it is not here as a whole.
        """
        return self._whole(blob).manifest

    def leaves(self, blob: BlobId, *, first: int, count: int) -> list[bytes]:
        """Return chunks of a blob, fewer at its end.

        Raises:
            NoSuchBlobError: it is not here as a whole.
        """
        known = self._whole(blob)
        last = min(first + count, known.manifest.leaf_count)
        found: list[bytes] = []
        with self._environment.snapshot() as snapshot:
            for index in range(max(0, first), last):
                chunk = snapshot.get(LEAVES, (blob, index))
                if chunk is None:
                    raise NoSuchBlobError(f"chunk {index} of {blob.hex()} has gone")
                found.append(chunk)
        return found

    def read(self, blob: BlobId) -> bytes:
        """Return the content of a blob.

        Raises:
            NoSuchBlobError: it is not here as a whole.
            CorruptRecordError: the disk is damaged.
        """
        return b"".join(self._chunks(blob))

    def path(self, blob: BlobId) -> Path:
        """Return a file with the content of a blob, written if need be; it must not be changed.

        Files asked for long ago go when there is no room, so ask again for each job.

        Raises:
            NoSuchBlobError: it is not here as a whole.
            StorageError: the file cannot be written.
        """
        with self.in_use(blob):
            size_bytes = self._whole(blob).manifest.size_bytes
            chunks = self._chunks(blob)
            return self._files.provide(self.cid(blob), chunks, size_bytes=size_bytes)

    def stored(self, blob: BlobId) -> StoredBlob:
        """Return a blob as jobs name it; see `path`."""
        return StoredBlob(str(self.path(blob).absolute()), self.cid(blob).encode())

    def spoiled(self, blob: BlobId) -> None:
        """Drop the file of a blob that a worker found damaged; the next `path` writes it anew."""
        self._files.drop(self.cid(blob))

    def stat(self, blob: BlobId) -> BlobStat:
        """Return what is known of a blob, whole or not.

        Raises:
            NoSuchBlobError: it is not known.
        """
        return stat_of(blob, self._get(blob))

    def listing(self) -> list[BlobStat]:
        """Return what is known of all blobs, those used last first."""
        with self._lock:
            everything = sorted(self._catalogue, key=lambda one: (-one[1].used_ms, one[0]))
            return [stat_of(blob, known) for blob, known in everything]

    @property
    def total(self) -> StoreStat:
        """Return how much is here."""
        return StoreStat(
            blobs=len(self._catalogue),
            size_bytes=self._catalogue.size_bytes,
            pinned_bytes=self._catalogue.pinned_bytes,
            bytes_max=self._bytes_max,
            file_bytes=self._files.size_bytes,
        )

    # What stays, and who may have it.

    def publish(self, blob: BlobId) -> None:
        """Let anybody have a blob from now on.

        Raises:
            NoSuchBlobError: it is not known.
        """
        with self._lock:
            known = self._get(blob)
            if known.access is Access.PUBLIC:
                return
            batch = WriteBatch()
            batch.put(ENTRIES, blob, self._entry(known.manifest, Access.PUBLIC))
            self._writer.write(batch)
            known.access = Access.PUBLIC

    def pin(self, blob: BlobId, reason: str) -> None:
        """Keep a blob for a reason, until `unpin` with the same; twice is once.

        Raises:
            NoSuchBlobError: it is not known.
        """
        with self._lock:
            known = self._get(blob)
            if reason not in known.reasons:
                batch = WriteBatch()
                self._pin(batch, blob, reason)
                self._writer.write(batch)
                known.reasons.add(reason)
                self._pins += 1

    def unpin(self, blob: BlobId, reason: str) -> None:
        """Give up one reason to keep a blob; harmless if it is none."""
        with self._lock:
            known = self._catalogue.get(blob)
            if known is not None and reason in known.reasons:
                batch = WriteBatch()
                batch.delete(PINS, _pin_key(blob, reason))
                self._writer.write(batch)
                known.reasons.discard(reason)
                self._pins -= 1

    def pinned(self, prefix: str) -> dict[str, BlobId]:
        """Return the reasons that begin so, each with one blob that it keeps."""
        return self._catalogue.pinned(prefix)

    def collect(self, *, kept_ms: int = KEPT_MS, count_max: int = COLLECTED_MAX) -> int:
        """Drop what is not pinned and was not used for so long; return how many blobs went.

        Args:
            kept_ms: since it was used, or since it came, whichever this process knows.
            count_max: that go at most; if so many went, there may be more.
        """
        with self._lock:
            used_ms = self._clock.wall_ms() - kept_ms
            return self._drop(self._catalogue.idle_since(used_ms, count_max=count_max))

    def drop(self, blob: BlobId) -> None:
        """Drop a blob now, pinned or not, as the erasure of its content asks for."""
        with self._lock:
            known = self._catalogue.remove(blob)
            if known is not None:
                self._erase(blob, known)

    # Inside; the lock is held where something changes.

    def _put(
        self, source: Source, *, access: Access, pin: str | None, expected: bytes | None = None
    ) -> Cid:
        manifest = manifest_of(source)
        cid = manifest.cid
        if expected is not None and cid.encode() != expected:
            raise BadBlobError(f"the content is {cid}, not {Cid.decode(expected)}")
        blob = blob_id(cid)
        with ExitStack() as using:
            with self._lock:
                known = self._catalogue.get(blob) or self._enter(blob, manifest, access=access)
                using.enter_context(self.in_use(blob))
            missing = _missing(known)
            for start in range(0, len(missing), BATCH_LEAVES):
                chosen = missing[start : start + BATCH_LEAVES]
                self.add_leaves(blob, {index: source.leaf(index) for index in chosen})
            if pin is not None:
                self.pin(blob, pin)
            if access is Access.PUBLIC:
                self.publish(blob)
        return cid

    def _enter(self, blob: BlobId, manifest: Manifest, *, access: Access) -> Known:
        self._make_room(manifest.size_bytes)
        batch = WriteBatch()
        batch.put(ENTRIES, blob, self._entry(manifest, access))
        batch.put(PROGRESS, blob, b"")
        self._writer.write(batch)
        known = Known(manifest=manifest, access=access, here=0, used_ms=self._clock.wall_ms())
        self._catalogue.add(blob, known)
        return known

    def _store(self, blob: BlobId, leaves: Mapping[int, bytes]) -> None:
        known = self._get(blob)
        here, batch = known.here, WriteBatch()
        for index, chunk in leaves.items():
            if not here >> index & 1:
                batch.put(LEAVES, (blob, index), chunk)
                here |= 1 << index
        if here == known.here:
            return
        if here == (1 << known.manifest.leaf_count) - 1:
            batch.delete(PROGRESS, blob)
        else:
            batch.put(PROGRESS, blob, here.to_bytes(-(-known.manifest.leaf_count // 8), "little"))
        self._writer.write(batch)
        known.here = here
        known.used_ms = self._clock.wall_ms()

    def _make_room(self, size_bytes: int) -> None:
        room = {"size_bytes": size_bytes, "limit_bytes": self._bytes_max, "count_max": ENTRIES_MAX}
        self._drop(self._catalogue.to_make_room(**room))
        is_full = self._catalogue.size_bytes + size_bytes > self._bytes_max
        if is_full or len(self._catalogue) >= ENTRIES_MAX:
            raise BlobRoomError(needed_bytes=size_bytes, limit_bytes=self._bytes_max)

    def _drop(self, blobs: Iterable[BlobId]) -> int:
        count = 0
        for blob in blobs:
            known = self._catalogue.remove_idle(blob)
            if known is not None:
                self._erase(blob, known)
                count += 1
        return count

    def _erase(self, blob: BlobId, known: Known) -> None:
        """Delete a blob that was taken out of the catalogue, so that no use of it begins."""
        batch = WriteBatch()
        batch.delete(ENTRIES, blob)
        batch.delete(PROGRESS, blob)
        for reason in known.reasons:
            batch.delete(PINS, _pin_key(blob, reason))
        for index in range(known.manifest.leaf_count):
            batch.delete(LEAVES, (blob, index))
        try:
            self._files.drop(cid_of(blob, leaf_count=known.manifest.leaf_count))
            self._writer.write(batch)
        except StorageError:
            self._catalogue.add(blob, known)
            raise
        self._pins -= len(known.reasons)

    def _pin(self, batch: WriteBatch, blob: BlobId, reason: str) -> None:
        assert 0 < len(reason.encode()) <= REASON_BYTES_MAX, "a reason is short"
        if self._pins >= PINS_MAX:
            raise BlobRoomError(needed_bytes=len(reason), limit_bytes=self._bytes_max)
        batch.put(PINS, _pin_key(blob, reason), b"")

    def _entry(self, manifest: Manifest, access: Access) -> Entry:
        return Entry(manifest, access, TimestampMs(max(0, self._clock.wall_ms())))

    def _chunks(self, blob: BlobId) -> Iterator[bytes]:
        known = self._whole(blob)
        for first in range(0, known.manifest.leaf_count, BATCH_LEAVES):
            yield from self.leaves(blob, first=first, count=BATCH_LEAVES)

    def _whole(self, blob: BlobId) -> Known:
        known = self._get(blob)
        if not known.is_whole:
            raise NoSuchBlobError(f"blob {blob.hex()} is not here as a whole: fetch it again")
        known.used_ms = self._clock.wall_ms()
        return known

    def _get(self, blob: BlobId) -> Known:
        return _found(blob, self._catalogue.get(blob))

    def _take_stock(self) -> None:
        with self._environment.snapshot() as snapshot:
            progress = dict(snapshot.scan(PROGRESS))
            for raw, entry in snapshot.scan(ENTRIES):
                whole = (1 << entry.manifest.leaf_count) - 1
                bits = progress.get(raw)
                known = Known(
                    manifest=entry.manifest,
                    access=entry.access,
                    here=whole if bits is None else int.from_bytes(bits, "little"),
                    used_ms=entry.arrived_ms,
                )
                self._catalogue.add(BlobId(raw), known)
            for raw, _ in snapshot.scan(PINS):
                found = self._catalogue.get(BlobId(raw[:DIGEST_SIZE_BYTES]))
                if found is not None:
                    found.reasons.add(raw[DIGEST_SIZE_BYTES:].decode())
                    self._pins += 1


def _found(blob: BlobId, known: Known | None) -> Known:
    if known is None:
        raise NoSuchBlobError(f"blob {blob.hex()} is not here: fetch it")
    return known


def _missing(known: Known) -> tuple[int, ...]:
    return tuple(index for index in range(known.manifest.leaf_count) if not known.here >> index & 1)


def _pin_key(blob: BlobId, reason: str) -> bytes:
    return blob + reason.encode()
