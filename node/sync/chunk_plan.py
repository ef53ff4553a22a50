"""Where in a snapshot to go on, while several peers give chunks of it at the same time.

Guards: each chunk brings a fetch on by as much as an honest one does, however it was cut.
"""

from collections.abc import Collection, Sequence
from typing import Final

from node.ledger.tree.coverage import GAPS_MAX, Gap
from node.ledger.tree.digests import place_of
from node.ledger.tree.lookup import PLACE_LAST
from node.ledger.tree.snapshot import CHUNK_CONTENT_BYTES, CHUNK_ENTRIES_MAX, SnapshotChunk
from primitives.ids import DIGEST_SIZE_BYTES

SPLIT_MIN: Final = 1 << (8 * DIGEST_SIZE_BYTES - 12)
"""A smaller part of the state, a 4,096th of its places, is left to who is at it."""

SPLIT_GAPS_MAX: Final = GAPS_MAX // 4


def next_low(gaps: Sequence[Gap], under_way: Collection[bytes]) -> bytes | None:
    """Return the place to fetch a chunk from; None if others are at all that is missing.

    A gap that nobody is at comes first; else the widest rest is cut in halves, as long as the gaps
    stay few.

    Args:
        gaps: what is missing, in order.
        under_way: the places that others fetch from.
    """
    rests: list[tuple[int, int]] = []
    for gap in gaps:
        inside = [low for low in under_way if gap.low <= low <= gap.high]
        if not inside:
            return gap.low
        rests.append((int.from_bytes(max(inside), "big"), int.from_bytes(gap.high, "big")))
    if not rests or len(gaps) > SPLIT_GAPS_MAX:
        return None
    low, high = max(rests, key=lambda rest: rest[1] - rest[0])
    if high - low < SPLIT_MIN:
        return None
    return ((low + high) // 2 + 1).to_bytes(DIGEST_SIZE_BYTES, "big")


def is_cut_short(chunk: SnapshotChunk) -> bool:
    """Tell whether a chunk ends where `cut_chunk` ends none: before it is full or all is told."""
    if chunk.high == PLACE_LAST:
        return False
    size_bytes = sum(len(key) + len(value) for key, value in chunk.contents)
    is_full = size_bytes >= CHUNK_CONTENT_BYTES or len(chunk.contents) == CHUNK_ENTRIES_MAX
    return not is_full or chunk.high != place_of(chunk.contents[-1][0])
