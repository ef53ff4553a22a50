"""Each chunk of a snapshot is checked alone; together they are the whole state."""

import random
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ledger.tree.coverage import GAPS_MAX, NOTHING, Coverage, Gap
from node.ledger.tree.lookup import PLACE_FIRST, PLACE_LAST
from node.ledger.tree.snapshot import (
    CHUNK_ENTRIES_MAX,
    SNAPSHOT_CHUNK_CODEC,
    SnapshotChunk,
    cut_chunk,
    place_behind,
    verify_chunk,
)
from primitives.errors import InvalidProofError, MalformedBytesError
from tests.ledger.tree.memory import MemoryTree
from tests.ledger.tree.test_update import accounts


def place(number: int) -> bytes:
    return number.to_bytes(32, "big")


def chunks_of(tree: MemoryTree, *, content_bytes: int) -> list[SnapshotChunk]:
    chunks: list[SnapshotChunk] = []
    low: bytes | None = PLACE_FIRST
    while low is not None:
        chunk = cut_chunk(tree.cold_source, tree.root, low=low, content_bytes=content_bytes)
        chunks.append(chunk)
        low = place_behind(chunk.high)
    return chunks


@pytest.mark.parametrize("count", [0, 1, 33, 900])
@pytest.mark.parametrize("content_bytes", [1, 3_000, 1 << 18])
def test_chunks_are_the_whole_state_and_each_is_checked_alone(
    count: int, content_bytes: int
) -> None:
    tree, state = MemoryTree(), accounts(count)
    tree.apply(state)
    chunks = chunks_of(tree, content_bytes=content_bytes)
    for chunk in chunks:
        assert len(verify_chunk(tree.root.digest, chunk)) == len(chunk.contents)
        assert SNAPSHOT_CHUNK_CODEC.decode(SNAPSHOT_CHUNK_CODEC.encode(chunk)) == chunk
        assert sum(len(key) + len(value) for key, value in chunk.contents) < content_bytes + 100
    assert dict(content for chunk in chunks for content in chunk.contents) == state
    assert chunks[-1].high == PLACE_LAST


def test_chunk_of_tiny_entries_is_bounded_by_their_number() -> None:
    tree = MemoryTree()
    tree.apply({b"%d" % number: b"" for number in range(CHUNK_ENTRIES_MAX + 1)})
    first = cut_chunk(tree.source, tree.root, low=PLACE_FIRST)
    assert len(first.contents) == CHUNK_ENTRIES_MAX
    assert first.high < PLACE_LAST


@pytest.mark.parametrize("flip", [0x01, 0xFF])
def test_every_change_of_one_byte_is_refused(flip: int) -> None:
    tree = MemoryTree()
    tree.apply(accounts(200, value=b"v"))
    chunk = cut_chunk(tree.source, tree.root, low=place(1 << 253), content_bytes=300)
    raw = SNAPSHOT_CHUNK_CODEC.encode(chunk)
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]
        with pytest.raises((InvalidProofError, MalformedBytesError)):
            _verify_same_range(tree, SNAPSHOT_CHUNK_CODEC.decode(changed), chunk)


def _verify_same_range(tree: MemoryTree, got: SnapshotChunk, asked: SnapshotChunk) -> None:
    """Check as somebody does who asked for this range.

    Between two entries the edge of a range may move and the chunk still be right: it is the proof
    of another, equally true, statement.
    """
    verify_chunk(tree.root.digest, got)
    if (got.low, got.high) != (asked.low, asked.high):
        assert got.contents == asked.contents
        raise InvalidProofError("true, but of another range")


def test_chunk_of_another_root_is_refused() -> None:
    tree = MemoryTree()
    tree.apply(accounts(100))
    chunk = cut_chunk(tree.source, tree.root, low=PLACE_FIRST)
    tree.apply({b"one more": b""})
    with pytest.raises(InvalidProofError):
        verify_chunk(tree.root.digest, chunk)


def test_entry_left_out_is_noticed() -> None:
    tree = MemoryTree()
    tree.apply(accounts(100))
    chunk = cut_chunk(tree.source, tree.root, low=PLACE_FIRST)
    for at in (0, 50, 99):
        left = chunk.contents[:at] + chunk.contents[at + 1 :]
        with pytest.raises(InvalidProofError):
            verify_chunk(tree.root.digest, msgspec.structs.replace(chunk, contents=left))


def test_coverage_is_complete_once_all_places_are_there_in_any_order() -> None:
    rng = random.Random(1)
    edges = [0, *sorted(rng.randrange(1, 2**256) for _ in range(60)), 2**256]
    ranges = [(place(low), place(high - 1)) for low, high in pairwise(edges)]
    rng.shuffle(ranges)
    coverage = NOTHING
    for low, high in ranges:
        assert coverage.touches(low, high)
        assert coverage != Coverage(())
        coverage = coverage.fill(low, high)
        assert not coverage.touches(low, high)
    assert coverage.is_complete


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12))
def test_coverage_knows_each_place(ranges: list[tuple[int, int]]) -> None:
    missing = set(range(41))
    coverage = Coverage((Gap(place(0), place(40)),))
    for edge in ranges:
        low, high = sorted(edge)
        expected = bool(missing & set(range(low, high + 1)))
        assert coverage.touches(place(low), place(high)) == expected
        coverage = coverage.fill(place(low), place(high))
        missing -= set(range(low, high + 1))
        assert [
            number for number in range(41) if coverage.touches(place(number), place(number))
        ] == (sorted(missing))
    assert coverage.is_complete == (not missing)


def test_chunk_that_begins_a_gap_never_makes_more_gaps() -> None:
    gaps = tuple(Gap(place(4 * number), place(4 * number + 2)) for number in range(GAPS_MAX))
    full = Coverage(gaps)
    assert not full.is_scattered
    assert full.fill(place(1), place(1)).is_scattered
    for gap in gaps:
        assert not full.fill(gap.low, gap.low).is_scattered
        assert not full.fill(gap.low, gap.high).is_scattered


def test_nothing_lies_behind_the_last_place() -> None:
    assert place_behind(PLACE_LAST) is None
    assert place_behind(place(7)) == place(8)
