"""Looking things up at any root whose chunks are still there: one key, or all places in order."""

from collections.abc import Iterator

from node.ledger.tree.bucket import Entry, find_entry, unpack_bucket
from node.ledger.tree.digests import DEPTH_MAX, FANOUT, digit_at, place_of
from node.ledger.tree.fork import child_at, unpack_fork
from node.ledger.tree.log import ENTRIES_SHIFT, Record, entries_of
from node.ledger.tree.source import NodeSource
from node.ledger.tree.update import Node, Root

PLACE_FIRST = bytes(32)
PLACE_LAST = b"\xff" * 32


def find(source: NodeSource, root: Root, place: bytes) -> Entry | None:
    """Return the entry at a place, None if there is none.

    Raises:
        StorageError: a node on the way is missing or damaged.
    """
    node = node_at(source, root, place)
    return find_entry(source.bucket(*node), place) if node[1] else None


def value_of(source: NodeSource, root: Root, key: bytes) -> bytes | None:
    """Return the value of a key, None if it has none.

    Raises:
        StorageError: a node on the way, or the value, is missing or damaged.
    """
    entry = find(source, root, place_of(key))
    return None if entry is None else source.content(entry)[1]


def node_at(source: NodeSource, root: Root, place: bytes, *, depth_max: int = DEPTH_MAX) -> Node:
    """Return the node where the place is or would be, or the one above it at `depth_max`.

    Without `depth_max` that is a bucket, or reference 0 where a fork has no such child.

    Raises:
        StorageError: a node on the way is missing or damaged.
    """
    digest: Record = root.digest
    ref, depth = root.ref, 0
    # One loop without calls of our own: execution goes this way twice per transfer and more.
    while ref and not ref >> ENTRIES_SHIFT and depth < depth_max:
        record = source.fork(digest, ref)
        octet = place[depth >> 1]
        digest, ref = child_at(record, octet & 15 if depth & 1 else octet >> 4)
        depth += 1
    return digest, ref


def entries_from(source: NodeSource, root: Root, first: bytes) -> Iterator[Entry]:
    """Yield the entries at this place and behind it, in order.

    The ways that are still to go wait on a stack, at most `FANOUT` for each level.

    Raises:
        StorageError: a node is missing or damaged.
    """
    waiting: list[tuple[Node, int, bool]] = [(root, 0, True)] if root.ref else []
    while waiting:
        node, depth, is_on_edge = waiting.pop()
        if entries_of(node[1]):
            for entry in unpack_bucket(source.bucket(*node)):
                if entry[0] >= first:
                    yield entry
            continue
        edge = digit_at(first, depth) if is_on_edge else 0
        for index, digest, ref in reversed(unpack_fork(source.fork(*node))):
            if index >= edge:
                waiting.append(((digest, ref), depth + 1, is_on_edge and index == edge))
        assert len(waiting) <= FANOUT * (depth + 1), "at most all children of each level wait"
