"""A tree over a log in memory, and the naive root that every tree is compared with."""

from collections.abc import Mapping

from node.ledger.tree.bucket import Entry
from node.ledger.tree.cleaning import Cleaner
from node.ledger.tree.digests import BUCKET_SIZE_MAX
from node.ledger.tree.errors import DamagedNodeError
from node.ledger.tree.log import CHUNK_HEAD_SIZE_BYTES, CHUNK_NUMBER_FIRST, Record
from node.ledger.tree.occupancy import Occupancy
from node.ledger.tree.source import NodeSource
from node.ledger.tree.update import EMPTY, Root, TreeUpdate, Updater
from primitives.hashing import Domain, tagged_hash

Changes = Mapping[bytes, bytes | None]


class MemoryTree:
    """What storage does for a tree, without a disk."""

    def __init__(self) -> None:
        self.chunks: dict[int, bytes] = {}
        self.trunk: dict[int, Record] = {}
        self.root: Root = EMPTY
        self.next_chunk = CHUNK_NUMBER_FIRST
        self.tail_chunk = CHUNK_NUMBER_FIRST
        self.live_bytes = 0
        self.occupancy = Occupancy(known_from=CHUNK_NUMBER_FIRST)

    def chunk(self, number: int) -> bytes:
        if number not in self.chunks:
            raise DamagedNodeError(where=f"{number << 16:#x}", reason="no such chunk")
        return bytes(CHUNK_HEAD_SIZE_BYTES) + self.chunks[number]

    @property
    def source(self) -> NodeSource:
        return NodeSource(self, trunk=self.trunk)

    @property
    def cold_source(self) -> NodeSource:
        """Read everything from the log, as for an old root."""
        return NodeSource(self, trunk={})

    def apply(self, changes: Changes, *, clean_chunks: int = 0) -> TreeUpdate:
        updater = Updater(self.source, self.root, next_chunk=self.next_chunk)
        return self._apply(updater, updater.prepare(changes), clean_chunks=clean_chunks)

    def apply_entries(self, entries: list[Entry], *, clean_chunks: int = 0) -> TreeUpdate:
        """Apply entries at places that no hash would give them."""
        updater = Updater(self.source, self.root, next_chunk=self.next_chunk)
        return self._apply(updater, list(entries), clean_chunks=clean_chunks)

    def _apply(self, updater: Updater, entries: list[Entry], *, clean_chunks: int) -> TreeUpdate:
        changed = {place for place, _, _ in entries}
        cleaner = Cleaner(self.source, self.root, trunk=self.trunk, changed=changed)
        tail = min(self.tail_chunk + clean_chunks, self.next_chunk)
        for number in range(self.tail_chunk, tail):
            # A chunk that is said to be dead is not even looked at.
            if not self.occupancy.is_dead(number):
                cleaner.clean(number, self.chunk(number), updater)
        update = updater.apply([*entries, *cleaner.entries()])
        for ref in update.trunk_removed:
            del self.trunk[ref]
        self.trunk.update(update.trunk_added)
        self.chunks.update(update.chunks)
        self.root, self.next_chunk, self.tail_chunk = update.root, update.next_chunk, tail
        self.live_bytes += update.grown_bytes
        for number, record_count in update.record_counts.items():
            self.occupancy.add(number, record_count)
        self.occupancy.bury(update.buried)
        return update

    def drop_cleaned(self) -> None:
        for number in [number for number in self.chunks if number < self.tail_chunk]:
            del self.chunks[number]


def naive_root(state: Mapping[bytes, bytes]) -> bytes:
    """The definition, read off the map alone."""
    leaves = {}
    for key, value in state.items():
        place = tagged_hash(Domain.STATE_KEY, key)
        leaves[place.hex()] = tagged_hash(Domain.STATE_LEAF, place + value)
    return naive_subtree(leaves, "") if leaves else tagged_hash(Domain.STATE_NODE, b"\x00")


def naive_subtree(leaves: Mapping[str, bytes], prefix: str) -> bytes:
    below = sorted(place for place in leaves if place.startswith(prefix))
    if len(below) <= BUCKET_SIZE_MAX:
        pairs = b"".join(bytes.fromhex(place) + leaves[place] for place in below)
        return tagged_hash(Domain.STATE_NODE, b"\x01" + pairs)
    bitmap, digests = 0, b""
    for index, digit in enumerate("0123456789abcdef"):
        if any(place.startswith(prefix + digit) for place in below):
            bitmap |= 1 << index
            digests += naive_subtree({place: leaves[place] for place in below}, prefix + digit)
    return tagged_hash(Domain.STATE_NODE, b"\x02" + bitmap.to_bytes(2, "big") + digests)
