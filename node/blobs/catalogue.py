"""What a store knows of its blobs without asking the disk, and which of them may go.

Pure bookkeeping: the store writes what comes first and then tells, and takes out what goes before
it writes. A blob may go when nobody has pinned it and no fetch is under way; the one that was not
used for longest goes first.

One thread at a time changes what is here, the one that has the lock of the store. Any may count a
use: the lock of that is held for moments only and never over the disk, since the event loop
takes it.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from node.blobs.manifest import Access, BlobId, Manifest, cid_of
from primitives.cid import Cid


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobStat:
    """What a store tells of one blob.

    Args:
        missing: chunks that are not here yet.
        reasons: why it is pinned.
    """

    cid: Cid
    size_bytes: int
    access: Access
    missing: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStat:
    """What a store tells of itself."""

    blobs: int
    size_bytes: int
    pinned_bytes: int
    bytes_max: int
    file_bytes: int


@dataclass(slots=True)
class Known:
    """One blob.

    Attributes:
        here: which chunks are here, as bits.
        used_ms: when it was last put, read or served.
        busy: fetches and uploads under way.
    """

    manifest: Manifest
    access: Access
    here: int
    used_ms: int
    reasons: set[str] = field(default_factory=set)
    busy: int = 0

    @property
    def is_whole(self) -> bool:
        """Tell whether no chunk is missing."""
        return self.here == (1 << self.manifest.leaf_count) - 1

    @property
    def may_go(self) -> bool:
        """Tell whether nobody would miss it."""
        return not self.reasons and not self.busy


class Catalogue:
    """All blobs of a store, whole or not."""

    def __init__(self) -> None:
        self._known: dict[BlobId, Known] = {}
        self._uses = threading.RLock()
        self.size_bytes = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._known)

    def __iter__(self) -> Iterator[tuple[BlobId, Known]]:
        """Walk through all as they are now."""
        return iter(tuple(self._known.items()))

    def get(self, blob: BlobId) -> Known | None:
        """Return what is known of a blob."""
        return self._known.get(blob)

    def add(self, blob: BlobId, known: Known) -> None:
        """Take in a blob that is not known yet."""
        assert blob not in self._known, "a blob is added once"
        self._known[blob] = known
        self.size_bytes += known.manifest.size_bytes

    def remove(self, blob: BlobId) -> Known | None:
        """Forget a blob and return what was known; nothing if it was not known."""
        with self._uses:
            known = self._known.pop(blob, None)
        if known is not None:
            self.size_bytes -= known.manifest.size_bytes
        return known

    def remove_idle(self, blob: BlobId) -> Known | None:
        """Forget a blob as `remove` does, unless it came in use since it was chosen."""
        with self._uses:
            known = self._known.get(blob)
            return self.remove(blob) if known is not None and known.may_go else None

    def begin_use(self, blob: BlobId) -> Known | None:
        """Keep a blob from going, until `end_use`; nothing if it is not known."""
        with self._uses:
            known = self._known.get(blob)
            if known is not None:
                known.busy += 1
            return known

    def end_use(self, known: Known) -> None:
        """Take back one `begin_use`."""
        with self._uses:
            known.busy -= 1

    def pinned(self, prefix: str) -> dict[str, BlobId]:
        """Return the reasons that begin so, each with one blob that it keeps."""
        return {
            reason: blob
            for blob, known in self
            for reason in tuple(known.reasons)
            if reason.startswith(prefix)
        }

    @property
    def pinned_bytes(self) -> int:
        """Return the size of all that is pinned."""
        return sum(known.manifest.size_bytes for _, known in self if known.reasons)

    def idle_since(self, used_ms: int, *, count_max: int) -> list[BlobId]:
        """Return what may go and was not used since then, so many at most."""
        idle = (
            blob for blob, known in self._known.items() if known.may_go and known.used_ms <= used_ms
        )
        return list(islice(idle, count_max))

    def to_make_room(self, *, size_bytes: int, limit_bytes: int, count_max: int) -> list[BlobId]:
        """Return what has to go so that one blob more fits; all that may go if that is too little.

        Args:
            size_bytes: of the blob that comes.
            limit_bytes: of all blobs together.
            count_max: of all blobs together.
        """
        excess_bytes = self.size_bytes + size_bytes - limit_bytes
        excess = len(self._known) + 1 - count_max
        going: list[BlobId] = []
        if excess_bytes <= 0 and excess <= 0:
            return going
        # Of those not used for equally long, which goes follows from the id.
        idle = sorted((known.used_ms, blob) for blob, known in self._known.items() if known.may_go)
        for _, blob in idle:
            if excess_bytes <= 0 and len(going) >= excess:
                break
            going.append(blob)
            excess_bytes -= self._known[blob].manifest.size_bytes
        return going


def stat_of(blob: BlobId, known: Known) -> BlobStat:
    """Return what a store tells of a blob."""
    return BlobStat(
        cid=cid_of(blob, leaf_count=known.manifest.leaf_count),
        size_bytes=known.manifest.size_bytes,
        access=known.access,
        missing=known.manifest.leaf_count - known.here.bit_count(),
        reasons=tuple(sorted(known.reasons)),
    )
