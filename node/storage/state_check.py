"""The doctor's check of the state: walks the newest tree and hashes all of it anew.

Chunk by chunk the checksums say whether the disk kept what was written; this check says whether
what was written is the state: every node, key and value under the newest root, and that the log
holds as much as is alive.
"""

from collections.abc import Iterator
from itertools import islice

from node.ledger.tree.bucket import unpack_bucket
from node.ledger.tree.digests import place_of
from node.ledger.tree.fork import unpack_fork
from node.ledger.tree.log import entries_of
from node.ledger.tree.source import NodeSource
from node.ledger.tree.update import Node
from node.storage.examiner import DAMAGES_PER_TABLE_MAX, Damage
from node.storage.state_tables import CHUNKS, VERSIONS
from node.storage.state_view import StoredChunks, newest_version
from node.storage.transaction import Snapshot
from primitives.errors import StorageError


def check_state(snapshot: Snapshot) -> Iterator[Damage]:
    """Yield what is wrong with the newest state, whatever else is wrong with it."""
    try:
        newest = newest_version(snapshot)
    except StorageError as error:
        yield Damage(VERSIONS.name, "", str(error))
        return
    if newest is None:
        return
    height, version = newest
    reasons = _walk(NodeSource(StoredChunks(snapshot), trunk={}), version.root)
    for reason in islice(reasons, DAMAGES_PER_TABLE_MAX):
        yield Damage(CHUNKS.name, "", f"state at height {height}: {reason}")


def _walk(source: NodeSource, root: Node) -> Iterator[str]:
    waiting: list[Node] = [root] if root[1] else []
    while waiting:
        node = waiting.pop()
        try:
            if not entries_of(node[1]):
                waiting.extend(
                    (child.digest, child.ref) for child in unpack_fork(source.fork(*node))
                )
                continue
            entries = unpack_bucket(source.bucket(*node))
        except StorageError as error:
            yield str(error)
            continue
        for entry in entries:
            try:
                key, _ = source.content(entry)
            except StorageError as error:
                yield str(error)
                continue
            if place_of(key) != entry[0]:
                yield f"the entry at {entry[0].hex()} has the key {key.hex()}"
