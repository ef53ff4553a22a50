"""Snapshots: the whole state at one root in chunks, each of which anybody can check alone.

A chunk is all entries from one place to another, with the proof that nothing is missing between
them. So it may come from anybody, in any order, and a wrong one costs nothing but itself.
"""

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec

from node.ledger.tree.bucket import KEY_SIZE_BYTES_MAX, VALUE_SIZE_BYTES_MAX
from node.ledger.tree.digests import leaf_digest, place_of
from node.ledger.tree.lookup import PLACE_LAST, entries_from
from node.ledger.tree.proof import Cut, Pair, verify_range
from node.ledger.tree.prove import cut_range
from node.ledger.tree.source import NodeSource
from node.ledger.tree.update import Root
from primitives.codec import Codec
from primitives.ids import DIGEST_SIZE_BYTES

CHUNK_CONTENT_BYTES: Final = 1 << 18
"""A chunk ends with the entry that reaches this."""

CHUNK_SIZE_BYTES_MAX: Final = 1 << 19
CHUNK_ENTRIES_MAX: Final = 1 << 13
"""Bounds what checking a chunk of tiny entries costs."""

_Place = Annotated[bytes, msgspec.Meta(min_length=DIGEST_SIZE_BYTES, max_length=DIGEST_SIZE_BYTES)]
_Key = Annotated[bytes, msgspec.Meta(max_length=KEY_SIZE_BYTES_MAX)]
_Value = Annotated[bytes, msgspec.Meta(max_length=VALUE_SIZE_BYTES_MAX)]
Content = tuple[_Key, _Value]


class SnapshotChunk(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """All entries from place `low` to place `high`, both included, in the order of their places."""

    low: _Place
    high: _Place
    contents: Annotated[tuple[Content, ...], msgspec.Meta(max_length=CHUNK_ENTRIES_MAX)]
    cut: Cut


SNAPSHOT_CHUNK_CODEC: Final = Codec(SnapshotChunk, size_bytes_max=CHUNK_SIZE_BYTES_MAX)


def cut_chunk(
    source: NodeSource, root: Root, *, low: bytes, content_bytes: int = CHUNK_CONTENT_BYTES
) -> SnapshotChunk:
    """Return the chunk that begins at a place; the next one begins right behind its end.

    Args:
        source: of the nodes.
        root: of the state.
        low: where the chunk begins.
        content_bytes: the chunk ends with the entry that reaches this.

    Raises:
        StorageError: a node is missing or damaged.
    """
    contents: list[Content] = []
    size_bytes, high = 0, PLACE_LAST
    for entry in entries_from(source, root, low):
        key, value = source.content(entry)
        contents.append((key, value))
        size_bytes += len(key) + len(value)
        if size_bytes >= content_bytes or len(contents) == CHUNK_ENTRIES_MAX:
            high = entry[0]
            break
    cut = cut_range(source, root, low=low, high=high)
    return SnapshotChunk(low=low, high=high, contents=tuple(contents), cut=cut)


def verify_chunk(root: bytes, chunk: SnapshotChunk) -> list[Pair]:
    """Check that a chunk is part of the state with this root; return its places and leaf digests.

    Raises:
        InvalidProofError: it is not.
    """
    pairs = pairs_of(chunk.contents)
    verify_range(root, pairs, chunk.cut, low=chunk.low, high=chunk.high)
    return pairs


def pairs_of(contents: Iterable[Content]) -> list[Pair]:
    """Return place and leaf digest of each entry."""
    pairs: list[Pair] = []
    for key, value in contents:
        place = place_of(key)
        pairs.append((place, leaf_digest(place, value)))
    return pairs


def place_behind(place: bytes) -> bytes | None:
    """Return the next place, None behind the last one."""
    if place == PLACE_LAST:
        return None
    return (int.from_bytes(place, "big") + 1).to_bytes(DIGEST_SIZE_BYTES, "big")
