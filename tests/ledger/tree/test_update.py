"""The root is a function of the key-value map alone, whatever happened before."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ledger.tree.bucket import (
    INLINE_VALUE_SIZE_BYTES_MAX,
    KEY_SIZE_BYTES_MAX,
    VALUE_SIZE_BYTES_MAX,
)
from node.ledger.tree.digests import BUCKET_SIZE_MAX, EMPTY_ROOT
from node.ledger.tree.errors import OversizedEntryError
from node.ledger.tree.log import CHUNK_SIZE_BYTES, spans_of
from node.ledger.tree.lookup import PLACE_FIRST, entries_from, value_of
from node.ledger.tree.source import TRUNK_DEPTH
from node.ledger.tree.update import EMPTY
from tests.ledger.tree.memory import Changes, MemoryTree, naive_root

KEYS = st.integers(0, 120).map(lambda number: b"key %d" % number)
VALUES = st.one_of(
    st.binary(max_size=8),
    st.integers(INLINE_VALUE_SIZE_BYTES_MAX - 1, INLINE_VALUE_SIZE_BYTES_MAX + 2).map(bytes),
)
BATCHES = st.lists(
    st.dictionaries(KEYS, st.one_of(VALUES, st.none()), max_size=90), min_size=1, max_size=6
)


def accounts(count: int, *, value: bytes = b"v" * 60) -> dict[bytes, bytes]:
    return {b"\x02" + number.to_bytes(32, "big"): value for number in range(count)}


def merged(state: dict[bytes, bytes], changes: Changes) -> dict[bytes, bytes]:
    after = {**state, **changes}
    return {key: value for key, value in after.items() if value is not None}


def contents(tree: MemoryTree) -> dict[bytes, bytes]:
    source = tree.cold_source
    return dict(source.content(entry) for entry in entries_from(source, tree.root, PLACE_FIRST))


@settings(max_examples=60, deadline=None)
@given(BATCHES)
def test_root_is_that_of_the_map_after_any_history(batches: list[Changes]) -> None:
    tree, state = MemoryTree(), dict[bytes, bytes]()
    for changes in batches:
        tree.apply(changes)
        state = merged(state, changes)
        assert tree.root.digest == naive_root(state)
    assert contents(tree) == state


@settings(max_examples=40, deadline=None)
@given(BATCHES)
def test_live_bytes_are_those_of_a_tree_built_at_once(batches: list[Changes]) -> None:
    tree, fresh, state = MemoryTree(), MemoryTree(), dict[bytes, bytes]()
    for changes in batches:
        tree.apply(changes)
        state = merged(state, changes)
    fresh.apply(state)
    assert tree.live_bytes == fresh.live_bytes
    assert fresh.live_bytes == sum(len(chunk) for chunk in fresh.chunks.values())


@pytest.mark.parametrize("count", [0, 1, BUCKET_SIZE_MAX, BUCKET_SIZE_MAX + 1, 200])
def test_root_of_a_map_is_the_naive_one(count: int) -> None:
    tree = MemoryTree()
    tree.apply(accounts(count))
    assert tree.root.digest == naive_root(accounts(count))


def test_tree_without_entries_is_the_empty_one_again() -> None:
    tree = MemoryTree()
    tree.apply(accounts(300))
    tree.apply(dict.fromkeys(accounts(300)))
    assert tree.root == EMPTY
    assert tree.root.digest == EMPTY_ROOT
    assert tree.live_bytes == 0
    assert not tree.trunk


def test_deleting_what_is_not_there_changes_nothing() -> None:
    tree = MemoryTree()
    assert not tree.apply({b"absent": None}).chunks
    tree.apply(accounts(300))
    before = tree.root
    update = tree.apply({b"absent %d" % number: None for number in range(50)})
    assert tree.root == before
    assert not update.chunks
    assert update.grown_bytes == 0


def test_update_without_changes_writes_nothing() -> None:
    tree = MemoryTree()
    tree.apply(accounts(40))
    before = tree.root
    assert not tree.apply({}).chunks
    assert tree.root == before


def test_fork_with_few_entries_left_is_a_bucket_again() -> None:
    tree = MemoryTree()
    few, many = accounts(BUCKET_SIZE_MAX), accounts(BUCKET_SIZE_MAX + 1)
    tree.apply(few)
    bucket = tree.root.digest
    tree.apply(many)
    assert tree.root.digest != bucket
    tree.apply(dict.fromkeys(many.keys() - few.keys()))
    assert tree.root.digest == bucket


def test_merge_takes_in_buckets_changed_by_the_same_update() -> None:
    tree, state = MemoryTree(), accounts(BUCKET_SIZE_MAX + 8)
    tree.apply(state)
    changes: dict[bytes, bytes | None] = {}
    for number, key in enumerate(state):
        changes[key] = None if number < 9 else b"changed %d" % number
    tree.apply(changes)
    assert tree.root.digest == naive_root(merged(state, changes))


def test_old_roots_stay_readable_while_their_chunks_are_kept() -> None:
    tree, rng = MemoryTree(), random.Random(3)
    state, roots = accounts(500), []
    for _ in range(6):
        tree.apply(state)
        roots.append((tree.root, state))
        state = {**state, **{key: rng.randbytes(9) for key in rng.sample(sorted(state), 50)}}
    for root, expected in roots:
        source = tree.cold_source
        assert all(value_of(source, root, key) == value for key, value in expected.items())
        assert value_of(source, root, b"absent") is None


def test_long_values_are_found_and_their_neighbours_stay_small() -> None:
    tree, state = MemoryTree(), accounts(BUCKET_SIZE_MAX)
    code = bytes(range(256)) * 190
    tree.apply({**state, b"\x05code": code})
    assert value_of(tree.source, tree.root, b"\x05code") == code
    update = tree.apply({b"\x02" + bytes(32): b"changed"})
    assert update.written_bytes < 8_192
    assert value_of(tree.source, tree.root, b"\x05code") == code


def test_a_value_of_the_greatest_length_is_taken_and_a_longer_one_refused() -> None:
    tree = MemoryTree()
    tree.apply({b"k": bytes(VALUE_SIZE_BYTES_MAX)})
    assert value_of(tree.source, tree.root, b"k") == bytes(VALUE_SIZE_BYTES_MAX)
    with pytest.raises(OversizedEntryError) as caught:
        tree.apply({b"k": bytes(VALUE_SIZE_BYTES_MAX + 1)})
    assert caught.value.limit == VALUE_SIZE_BYTES_MAX


@pytest.mark.parametrize("value", [b"short", bytes(INLINE_VALUE_SIZE_BYTES_MAX + 1)])
def test_a_key_of_the_greatest_length_is_taken_and_a_longer_one_refused(value: bytes) -> None:
    tree, key = MemoryTree(), b"k" * KEY_SIZE_BYTES_MAX
    tree.apply({key: value})
    assert value_of(tree.source, tree.root, key) == value
    with pytest.raises(OversizedEntryError) as caught:
        tree.apply({key + b"k": value})
    assert caught.value.size_bytes == KEY_SIZE_BYTES_MAX + 1


def test_trunk_is_the_top_of_the_newest_tree() -> None:
    tree = MemoryTree()
    for start in range(0, 3_000, 500):
        tree.apply(dict(list(accounts(3_000).items())[start : start + 500]))
    alive = MemoryTree()
    alive.apply(accounts(3_000))
    assert sorted(map(bytes, map(_without_refs, tree.trunk.values()))) == sorted(
        map(bytes, map(_without_refs, alive.trunk.values()))
    )
    assert len(tree.trunk) <= sum(16**depth for depth in range(TRUNK_DEPTH))


def _without_refs(record: bytes | bytearray) -> bytes | bytearray:
    count = (record[6] << 8 | record[7]).bit_count()
    return record[6 : 8 + 32 * count]


def test_chunks_are_small_and_numbered_without_gaps() -> None:
    tree = MemoryTree()
    update = tree.apply(accounts(2_000))
    assert [number for number, _ in update.chunks] == list(range(1, update.next_chunk))
    assert all(len(chunk) <= CHUNK_SIZE_BYTES for _, chunk in update.chunks)
    assert sum(len(spans_of(number, tree.chunk(number))) for number, _ in update.chunks) > 100
