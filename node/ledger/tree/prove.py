"""Making proofs of what stands in a tree; `node.ledger.tree.proof` says what they look like."""

from node.ledger.tree.bucket import unpack_bucket
from node.ledger.tree.digests import FANOUT, digit_at, place_of
from node.ledger.tree.fork import fork_bitmap, unpack_fork
from node.ledger.tree.log import entries_of
from node.ledger.tree.lookup import find
from node.ledger.tree.proof import CutBucket, CutFork, CutNode, KeyProof
from node.ledger.tree.source import NodeSource
from node.ledger.tree.update import Node, Root


def prove_key(source: NodeSource, root: Root, key: bytes) -> KeyProof:
    """Return the proof of what the key has: its value, or none.

    Raises:
        StorageError: a node on the way is missing or damaged.
    """
    place = place_of(key)
    entry = find(source, root, place)
    value = None if entry is None else source.content(entry)[1]
    return KeyProof(key=key, value=value, cut=cut_range(source, root, low=place, high=place))


def cut_range(source: NodeSource, root: Root, *, low: bytes, high: bytes) -> tuple[CutNode, ...]:
    """Return the tree without the entries from one place to another, both included.

    Raises:
        StorageError: a node on an edge is missing or damaged.
    """
    nodes: list[CutNode] = []
    waiting: list[tuple[Node, int, bool, bool]] = [(root, 0, True, True)] if root.ref else []
    while waiting:
        node, depth, is_on_low, is_on_high = waiting.pop()
        if entries_of(node[1]):
            entries = unpack_bucket(source.bucket(*node))
            outside = [place + leaf for place, leaf, _ in entries if not low <= place <= high]
            nodes.append(CutBucket(b"".join(outside)))
            continue
        record = source.fork(*node)
        first = digit_at(low, depth) if is_on_low else 0
        last = digit_at(high, depth) if is_on_high else FANOUT - 1
        digests: list[bytes] = []
        edges: list[tuple[Node, int, bool, bool]] = []
        for index, digest, ref in unpack_fork(record):
            on_low, on_high = is_on_low and index == first, is_on_high and index == last
            if on_low or on_high:
                edges.append(((digest, ref), depth + 1, on_low, on_high))
            elif not first <= index <= last:
                digests.append(bytes(digest))
        waiting.extend(reversed(edges))
        nodes.append(CutFork(fork_bitmap(record), b"".join(digests)))
    return tuple(nodes)
