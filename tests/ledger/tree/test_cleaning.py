"""Cleaning moves what is alive, loses nothing, and leaves the root as it is."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ledger.tree.bucket import INLINE_VALUE_SIZE_BYTES_MAX
from node.ledger.tree.cleaning import chunks_to_clean
from node.ledger.tree.errors import DamagedNodeError
from node.ledger.tree.log import CHUNK_SIZE_BYTES
from node.ledger.tree.lookup import value_of
from tests.ledger.tree.memory import Changes, MemoryTree, naive_root
from tests.ledger.tree.test_update import BATCHES, accounts, contents, merged

LONG = bytes(INLINE_VALUE_SIZE_BYTES_MAX + 50)


@settings(max_examples=40, deadline=None)
@given(BATCHES, st.integers(1, 6))
def test_cleaned_chunks_are_not_needed_any_more(batches: list[Changes], pace: int) -> None:
    tree, state = MemoryTree(), dict[bytes, bytes]()
    for changes in batches:
        tree.apply(changes, clean_chunks=pace)
        tree.drop_cleaned()
        state = merged(state, changes)
        assert tree.root.digest == naive_root(state)
        assert contents(tree) == state


def test_a_whole_turn_of_the_log_keeps_every_entry_and_the_root() -> None:
    tree, state = MemoryTree(), {**accounts(2_000), b"long": LONG, b"longer": LONG * 90}
    tree.apply(state)
    root, live_bytes, end = tree.root.digest, tree.live_bytes, tree.next_chunk
    while tree.tail_chunk < end:
        tree.apply({}, clean_chunks=7)
        tree.drop_cleaned()
    assert min(tree.chunks) >= end
    assert tree.root.digest == root
    assert tree.live_bytes == live_bytes
    assert contents(tree) == state


def test_old_root_is_readable_until_its_chunks_are_dropped() -> None:
    tree, state = MemoryTree(), accounts(300)
    tree.apply(state)
    old, key = tree.root, next(iter(state))
    tree.apply({key: b"changed"}, clean_chunks=100)
    assert value_of(tree.cold_source, old, key) == state[key]
    assert value_of(tree.cold_source, tree.root, key) == b"changed"
    tree.drop_cleaned()
    assert value_of(tree.cold_source, tree.root, key) == b"changed"
    with pytest.raises(DamagedNodeError):
        value_of(tree.cold_source, old, key)


def test_entry_that_changes_anyway_is_written_once() -> None:
    tree = MemoryTree()
    tree.apply({b"a": LONG, b"b": LONG})
    update = tree.apply({b"a": b"short", b"b": None}, clean_chunks=10)
    tree.drop_cleaned()
    assert contents(tree) == {b"a": b"short"}
    assert update.written_bytes == tree.live_bytes


def test_long_value_that_was_replaced_is_left_behind() -> None:
    tree = MemoryTree()
    tree.apply({b"a": LONG})
    tree.apply({b"a": LONG + b"2", b"b": b"2"})
    tree.apply({}, clean_chunks=10)
    tree.drop_cleaned()
    assert contents(tree) == {b"a": LONG + b"2", b"b": b"2"}
    assert sum(map(len, tree.chunks.values())) == tree.live_bytes


def test_dead_long_value_beside_a_living_one_is_left_behind() -> None:
    tree = MemoryTree()
    tree.apply({b"a": LONG, b"b": LONG, b"c": LONG})
    tree.apply({b"a": b"short", b"b": LONG + b"2"})
    tree.apply({}, clean_chunks=1)
    tree.drop_cleaned()
    assert contents(tree) == {b"a": b"short", b"b": LONG + b"2", b"c": LONG}


def test_log_under_load_stays_within_its_bound() -> None:
    tree, rng, state = MemoryTree(), random.Random(5), accounts(1_000)
    tree.apply(state)
    for turn in range(120):
        changes = {key: rng.randbytes(60) for key in rng.sample(sorted(state), 40)}
        log_bytes = sum(map(len, tree.chunks.values()))
        # The same rule as in storage, without the part of it that lets small logs be.
        chunks = 40 if log_bytes > 2 * tree.live_bytes else 0
        tree.apply(changes, clean_chunks=chunks)
        tree.drop_cleaned()
        state |= changes
        assert turn < 20 or log_bytes < 3 * tree.live_bytes
    assert contents(tree) == state


def test_damaged_chunk_is_named_and_not_cleaned() -> None:
    tree = MemoryTree()
    tree.apply(accounts(100))
    chunk = bytearray(tree.chunks[1])
    for at, flip in ((3, 0xFF), (4, 0x40)):
        damaged = bytearray(chunk)
        damaged[at] ^= flip
        tree.chunks[1] = bytes(damaged)
        with pytest.raises(DamagedNodeError):
            tree.apply({}, clean_chunks=1)
    assert tree.tail_chunk == 1


@pytest.mark.parametrize(
    ("log_chunks", "live_chunks", "chunks_max", "expected"),
    [
        (50, 0, 10, 0),
        (51, 0, 10, 1),
        (61, 0, 10, 10),
        (350, 100, 10, 0),
        (353, 100, 10, 3),
    ],
)
def test_cleaning_begins_when_the_log_is_three_times_what_is_alive(
    log_chunks: int, live_chunks: int, chunks_max: int, expected: int
) -> None:
    count = chunks_to_clean(
        log_chunks=log_chunks,
        live_bytes=live_chunks * CHUNK_SIZE_BYTES,
        slack_chunks=50,
        chunks_max=chunks_max,
    )
    assert count == expected
