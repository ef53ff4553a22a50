"""Cleaning: whatever is alive in the oldest chunks of the log moves to its end.

The log is a window on an endless file. Its tail moves on chunk by chunk: a record there is alive if
the newest tree still names its address, and then the entry it belongs to is written again with what
it already holds, as one more change of the next update. Nothing needs to be known about dead nodes,
and cold entries cost one rewrite per turn of the log. With the log at most
three times as long as what is alive, most chunks under load have nothing alive left when their turn
comes: `node.ledger.tree.occupancy` says which need not be read at all.

Roots of before still name the old places. So a chunk is dropped only when the oldest root that is
kept was made after its cleaning; each version says where its tail was.
"""

from collections.abc import Container
from typing import Final

from node.ledger.tree.bucket import (
    Entry,
    LongValue,
    find_entry,
    first_place,
    pack_long_payload,
    unpack_long_value,
    unpack_payload,
)
from node.ledger.tree.errors import DamagedNodeError
from node.ledger.tree.fork import depth_of, fork_path
from node.ledger.tree.log import (
    BUCKET_KIND,
    CHUNK_SIZE_BYTES,
    FORK_KIND,
    LONG_VALUE_KIND,
    address_of,
    spans_of,
)
from node.ledger.tree.lookup import PLACE_FIRST, entries_from, find, node_at
from node.ledger.tree.source import TRUNK_DEPTH, NodeSource, Trunk
from node.ledger.tree.update import Root, Updater

CLEAN_ABOVE_FACTOR: Final = 3
"""The log is cleaned while it is longer than this many times what is alive in it.

Measured at 10**6 accounts, 2,000 random ones changed per commit: about 300 buckets move then.
"""


def chunks_to_clean(*, log_chunks: int, live_bytes: int, slack_chunks: int, chunks_max: int) -> int:
    """Return how many chunks at the tail to clean with the next update.

    Args:
        log_chunks: between the tail and the end of the log.
        live_bytes: what the newest tree takes in the log.
        slack_chunks: a log that is no longer than this is not worth the trouble.
        chunks_max: bounds the work of one update.
    """
    kept = CLEAN_ABOVE_FACTOR * (live_bytes // CHUNK_SIZE_BYTES) + slack_chunks
    return max(0, min(log_chunks - kept, chunks_max))


class Cleaner:
    """Finds what to write again before chunks can go.

    Args:
        source: of the nodes of the newest tree.
        root: of the newest tree.
        trunk: all forks of the newest tree above `TRUNK_DEPTH`.
        changed: the places that the update changes anyway.
    """

    def __init__(
        self, source: NodeSource, root: Root, *, trunk: Trunk, changed: Container[bytes]
    ) -> None:
        self._source = source
        self._root = root
        self._trunk = trunk
        self._changed = changed
        self._again: dict[bytes, Entry] = {}

    def clean(self, number: int, chunk: bytes, updater: Updater) -> None:
        """Note what is alive in a chunk; long values move to the end of the log at once.

        Raises:
            StorageError: the chunk, or a node of the newest tree, is damaged.
        """
        for address, start, end in spans_of(number, chunk):
            kind = chunk[start + 4]
            if kind == FORK_KIND:
                # Nearly all forks of a chunk are of the trunk, and dead.
                if chunk[start + 5] >= TRUNK_DEPTH or address in self._trunk:
                    self._visit_fork(address, chunk[start:end])
            elif kind == BUCKET_KIND:
                self._visit_bucket(address, chunk[start:end])
            elif kind == LONG_VALUE_KIND:
                self._visit_long_value(address, chunk[start:end], updater)
            else:
                raise DamagedNodeError(where=f"{address:#x}", reason=f"a record of kind {kind}")

    def entries(self) -> list[Entry]:
        """Return the entries to write again, none of a place that changes anyway."""
        return list(self._again.values())

    def _visit_fork(self, address: int, record: bytes) -> None:
        depth, first = depth_of(record), fork_path(record)
        if depth & 1:
            first = first[:-1] + bytes([first[-1] & 0xF0])
        first += PLACE_FIRST[len(first) :]
        if address_of(node_at(self._source, self._root, first, depth_max=depth)[1]) == address:
            # Whatever is rewritten below it takes it along.
            self._note(next(entries_from(self._source, self._root, first)))

    def _visit_bucket(self, address: int, record: bytes) -> None:
        place = first_place(record)
        if address_of(node_at(self._source, self._root, place)[1]) == address:
            entry = find_entry(record, place)
            assert entry is not None, "a bucket has its first entry"
            self._note(entry)

    def _visit_long_value(self, address: int, record: bytes, updater: Updater) -> None:
        place, _ = unpack_long_value(record)
        entry = find(self._source, self._root, place)
        if entry is None or place in self._changed:
            return
        _, found = unpack_payload(entry[2], place=place)
        if isinstance(found, LongValue) and found.address == address:
            key, value = self._source.content(entry)
            moved = pack_long_payload(key, updater.store_long(place, value))
            self._again[place] = (place, entry[1], moved)

    def _note(self, entry: Entry) -> None:
        if entry[0] not in self._changed:
            self._again.setdefault(entry[0], entry)
