"""One update of the tree: all changes of a commit in one pass from the root down and up again.

Theory of operation. The changes are sorted by place, so those below one fork are a slice, and every
node on a way is read once, hashed once and appended once. The recursion goes one level down per
digit, at most `DEPTH_MAX`; to make it deeper than about six, somebody has to grind keys whose
digests begin alike. A subtree is rebuilt as a bucket when it has few entries left, and as a fork
when it has too many, so that its digest says nothing of its past.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from node.ledger.tree.bucket import (
    INLINE_VALUE_SIZE_BYTES_MAX,
    LONG_FLAG,
    Entry,
    LongValue,
    bucket_pairs,
    pack_bucket,
    pack_long_payload,
    pack_long_value,
    pack_payload,
    splice_bucket,
    unpack_bucket,
    unpack_payload,
)
from node.ledger.tree.digests import (
    BUCKET_SIZE_MAX,
    EMPTY_ROOT,
    bucket_digest,
    fork_digest,
    place_and_leaf,
    place_of,
)
from node.ledger.tree.fork import (
    Child,
    child_span,
    fork_message,
    pack_fork,
    path_size_bytes,
    put_ref,
    ref_in,
    regrow_fork,
    unpack_fork,
)
from node.ledger.tree.log import ENTRIES_SHIFT, LogWriter, Record, entries_of
from node.ledger.tree.source import TRUNK_DEPTH, NodeSource, Trunk
from primitives.ids import DIGEST_SIZE_BYTES, Digest

Node = tuple[Record, int]
"""Digest and reference; both are empty where there are no entries."""

NO_NODE: Final[Node] = (b"", 0)


class Root(NamedTuple):
    """A tree: what everybody agrees on, and where this node keeps it."""

    digest: Digest
    ref: int


EMPTY: Final = Root(EMPTY_ROOT, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeUpdate:
    """What an update made.

    Args:
        chunks: to append to the log, with their numbers.
        record_counts: how many records each of them has.
        buried: references to the records that died.
        next_chunk: the number after the last of them.
        written_bytes: how much was appended.
        grown_bytes: how much more, or less, the tree at the new root takes in the log.
        trunk_added: forks near the root, by reference.
        trunk_removed: references to those they replace.
        buckets_added: by reference.
    """

    root: Root
    chunks: list[tuple[int, bytes]]
    record_counts: Mapping[int, int]
    buried: list[int]
    next_chunk: int
    written_bytes: int
    grown_bytes: int
    trunk_added: Trunk
    trunk_removed: list[int]
    buckets_added: Mapping[int, Record]


class Updater:
    """Makes one update of the tree at a root; then it is spent."""

    def __init__(self, source: NodeSource, root: Root, *, next_chunk: int) -> None:
        self._source = source
        self._root = root
        self._log = LogWriter(next_chunk=next_chunk)
        self._dead_bytes = 0
        self._buried: list[int] = []
        self._deletes = False
        self._trunk_added: dict[int, Record] = {}
        self._trunk_removed: list[int] = []
        self._buckets_added: dict[int, Record] = {}

    def prepare(self, changes: Mapping[bytes, bytes | None]) -> list[Entry]:
        """Turn changes by key into changes by place; None deletes.

        Raises:
            OversizedEntryError: a key or a value is longer than the state takes.
        """
        return [self._entry(key, value) for key, value in changes.items()]

    def store_long(self, place: bytes, value: bytes) -> LongValue:
        """Append a long value to the log; the entry at the place then has to name it."""
        address = self._log.append(pack_long_value(place, value))
        return LongValue(address=address, size_bytes=len(value))

    def apply(self, changes: list[Entry]) -> TreeUpdate:
        """Make the update; each place changes at most once."""
        changes.sort()
        self._deletes = any(not payload for _, _, payload in changes)
        root = self._root
        if changes:
            digest, ref = self._subtree(root, 0, changes)
            root = Root(Digest(bytes(digest)), ref) if ref else EMPTY
        chunks = self._log.finish()
        return TreeUpdate(
            root=root,
            chunks=chunks,
            record_counts=self._log.record_counts,
            buried=self._buried,
            next_chunk=self._log.next_chunk,
            written_bytes=self._log.written_bytes,
            grown_bytes=self._log.written_bytes - self._dead_bytes,
            trunk_added=self._trunk_added,
            trunk_removed=self._trunk_removed,
            buckets_added=self._buckets_added,
        )

    def _entry(self, key: bytes, value: bytes | None) -> Entry:
        if value is None:
            return place_of(key), b"", b""
        place, leaf = place_and_leaf(key, value)
        if len(value) <= INLINE_VALUE_SIZE_BYTES_MAX:
            return place, leaf, pack_payload(key, value)
        return place, leaf, pack_long_payload(key, self.store_long(place, value))

    def _subtree(self, node: Node, depth: int, changes: list[Entry]) -> Node:
        if node[1] >> ENTRIES_SHIFT:
            return self._bucket(node, depth, changes)
        if node[1]:
            return self._fork(node, depth, changes)
        return self._build([change for change in changes if change[2]], depth)

    def _fork(self, node: Node, depth: int, changes: list[Entry]) -> Node:
        before = self._source.fork(*node)
        record = bytearray(before)
        regrown: list[Child] = []
        for index, below in _by_digit(changes, depth):
            digest_at, ref_at = child_span(before, index)
            if not ref_at:
                regrown.append(Child(index, *self._subtree(NO_NODE, depth + 1, below)))
                continue
            digest_end = digest_at + DIGEST_SIZE_BYTES
            child = before[digest_at:digest_end], ref_in(before, ref_at)
            if child[1] >> ENTRIES_SHIFT:
                digest, ref = self._bucket(child, depth + 1, below)
            else:
                digest, ref = self._fork(child, depth + 1, below)
            if ref:
                record[digest_at:digest_end] = digest
                put_ref(record, ref_at, ref)
            else:
                regrown.append(Child(index, digest, ref))
        if regrown:
            record = regrow_fork(record, regrown)
        if record == before:
            return node
        self._bury(node[1], len(before))
        if depth < TRUNK_DEPTH:
            self._trunk_removed.append(node[1])
        if self._deletes and _entries_below(record) <= BUCKET_SIZE_MAX:
            return self._merge(record, depth)
        return self._add_fork(record, depth)

    def _bucket(self, node: Node, depth: int, changes: list[Entry]) -> Node:
        before = self._source.last_bucket(*node)
        record = bytearray(before)
        for at, change in enumerate(changes):
            replaced = splice_bucket(record, change) if change[2] else None
            if replaced is None:
                entries = {entry[0]: entry for entry in unpack_bucket(record)}
                if not self._change_entries(entries, changes[at:]) and not at:
                    return node
                self._bury(node[1], len(before))
                return self._build(sorted(entries.values()), depth)
            if replaced and replaced[0] & LONG_FLAG:
                self._bury_value(change, replaced)
        self._bury(node[1], len(before))
        return self._add_bucket(record, node[1] >> ENTRIES_SHIFT)

    def _change_entries(self, entries: dict[bytes, Entry], changes: list[Entry]) -> bool:
        """Insert and delete; return whether anything changed."""
        is_changed = False
        for change in changes:
            place, _, payload = change
            replaced = entries.pop(place, None)
            if replaced is not None:
                self._bury_value(change, replaced[2])
            if payload:
                entries[place] = change
            is_changed = is_changed or bool(payload) or replaced is not None
        return is_changed

    def _build(self, entries: list[Entry], depth: int) -> Node:
        """Make a subtree of entries in order."""
        if not entries:
            return NO_NODE
        if len(entries) <= BUCKET_SIZE_MAX:
            return self._add_bucket(pack_bucket(entries), len(entries))
        children = [
            Child(index, *self._build(below, depth + 1))
            for index, below in _by_digit(entries, depth)
        ]
        path = entries[0][0][: path_size_bytes(depth)]
        return self._add_fork(pack_fork(children, depth=depth, path=path), depth)

    def _merge(self, record: bytearray, depth: int) -> Node:
        """Make one bucket of a fork that has few entries left, or none."""
        entries: list[Entry] = []
        for _, digest, ref in unpack_fork(record):
            below = self._buckets_added.pop(ref, None) or self._source.last_bucket(digest, ref)
            self._bury(ref, len(below))
            entries.extend(unpack_bucket(below))
        return self._build(entries, depth)

    def _add_bucket(self, record: bytearray, entry_count: int) -> Node:
        ref = entry_count << ENTRIES_SHIFT | self._log.append(record)
        self._buckets_added[ref] = record
        return bucket_digest(bucket_pairs(record)), ref

    def _add_fork(self, record: bytearray, depth: int) -> Node:
        ref = self._log.append(record)
        if depth < TRUNK_DEPTH:
            self._trunk_added[ref] = record
        return fork_digest(fork_message(record)), ref

    def _bury_value(self, change: Entry, replaced: bytes) -> None:
        """Count the record of a long value that the entry no longer names."""
        place, _, payload = change
        _, before = unpack_payload(replaced, place=place)
        after = unpack_payload(payload, place=place)[1] if payload else b""
        if isinstance(before, LongValue) and after != before:
            self._bury(before.address, before.record_size_bytes)

    def _bury(self, ref: int, size_bytes: int) -> None:
        self._buried.append(ref)
        self._dead_bytes += size_bytes


def _by_digit(entries: list[Entry], depth: int) -> list[tuple[int, list[Entry]]]:
    """Split entries in order by the child that they belong to."""
    octet, shift = depth >> 1, 0 if depth & 1 else 4
    if len(entries) == 1:
        return [(entries[0][0][octet] >> shift & 15, entries)]
    digits = [entry[0][octet] >> shift & 15 for entry in entries]
    groups: list[tuple[int, list[Entry]]] = []
    start = 0
    while start < len(entries):
        digit = digits[start]
        end = bisect_right(digits, digit, start)
        groups.append((digit, entries[start:end]))
        start = end
    return groups


def _entries_below(record: bytearray) -> int:
    """Return how many entries a fork has, more than a bucket may have if it cannot be one."""
    counts = [entries_of(child.ref) for child in unpack_fork(record)]
    return sum(counts) if all(counts) else BUCKET_SIZE_MAX + 1
