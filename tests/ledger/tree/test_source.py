"""A node is hashed when it is read, so no flipped bit gets past its reader."""

import pytest

from node.ledger.tree.bucket import (
    INLINE_VALUE_SIZE_BYTES_MAX,
    Entry,
    find_entry,
    pack_bucket,
    splice_bucket,
    unpack_bucket,
    unpack_payload,
)
from node.ledger.tree.digests import leaf_digest, place_of
from node.ledger.tree.errors import DamagedNodeError
from node.ledger.tree.log import record_at, spans_of
from node.ledger.tree.lookup import PLACE_FIRST, entries_from, value_of
from node.ledger.tree.source import NodeSource, bucket_memory
from node.ledger.tree.update import Root, Updater
from primitives.errors import StorageError
from tests.ledger.tree.memory import MemoryTree
from tests.ledger.tree.test_update import accounts

STATE = {**accounts(60), b"long": bytes(INLINE_VALUE_SIZE_BYTES_MAX + 1), b"empty": b""}


def read_all(tree: MemoryTree) -> dict[bytes, bytes | None]:
    return {key: value_of(tree.cold_source, tree.root, key) for key in STATE}


@pytest.mark.parametrize("bit", [0, 7])
def test_flipped_bit_is_either_named_or_in_something_nobody_read(bit: int) -> None:
    tree = MemoryTree()
    tree.apply(STATE)
    sound = dict(tree.chunks)
    named = 0
    for number, chunk in sound.items():
        for at in range(0, len(chunk), 5):
            damaged = bytearray(chunk)
            damaged[at] ^= 1 << bit
            tree.chunks = {**sound, number: bytes(damaged)}
            try:
                assert read_all(tree) == STATE
            except DamagedNodeError:
                named += 1
    assert named * 5 > sum(map(len, sound.values())) // 2


def test_node_of_another_kind_is_not_taken_for_it() -> None:
    tree = MemoryTree()
    tree.apply(accounts(60))
    digest, ref = tree.root
    as_bucket = Root(digest, ref | 5 << 56)
    with pytest.raises(DamagedNodeError, match="bucket"):
        value_of(tree.cold_source, as_bucket, b"key")
    small = MemoryTree()
    small.apply(accounts(5))
    as_fork = Root(small.root.digest, small.root.ref & (1 << 56) - 1)
    with pytest.raises(DamagedNodeError, match="fork"):
        value_of(small.cold_source, as_fork, b"key")


def test_chunk_that_is_gone_is_an_error_of_storage() -> None:
    tree = MemoryTree()
    tree.apply(accounts(5))
    tree.chunks.clear()
    with pytest.raises(StorageError):
        value_of(tree.cold_source, tree.root, b"key")


def test_remembered_buckets_are_not_read_again() -> None:
    tree, memory = MemoryTree(), bucket_memory()
    tree.apply(accounts(300))
    source = NodeSource(tree, trunk=tree.trunk, memory=memory)
    keys = sorted(accounts(300), key=place_of)
    assert value_of(source, tree.root, keys[0]) == accounts(300)[keys[0]]
    tree.chunks.clear()
    assert value_of(source, tree.root, keys[0]) == accounts(300)[keys[0]]
    with pytest.raises(DamagedNodeError):
        value_of(source, tree.root, keys[-1])


def test_update_leaves_remembered_buckets_as_they_were() -> None:
    tree, memory = MemoryTree(), bucket_memory()
    tree.apply(accounts(20))
    source = NodeSource(tree, trunk=tree.trunk, memory=memory)
    key = next(iter(accounts(20)))
    assert value_of(source, tree.root, key) == b"v" * 60
    remembered = source.bucket(*tree.root)
    before = bytes(remembered)
    updater = Updater(source, tree.root, next_chunk=tree.next_chunk)
    updater.apply(updater.prepare({key: b"changed"}))
    assert remembered == before
    assert value_of(source, tree.root, key) == b"v" * 60


def test_update_takes_what_it_replaces_out_of_memory_and_gives_what_it_made() -> None:
    tree, memory = MemoryTree(), bucket_memory()
    state = accounts(300)
    tree.apply(state)
    source = NodeSource(tree, trunk=tree.trunk, memory=memory)
    for key in state:
        assert value_of(source, tree.root, key) == state[key]
    updater = Updater(source, tree.root, next_chunk=tree.next_chunk)
    update = updater.apply(updater.prepare(dict.fromkeys(sorted(state)[:20], b"changed")))
    memory.put_all(update.buckets_added)
    tree.chunks.clear()
    after = NodeSource(tree, trunk=update.trunk_added, memory=memory)
    for number, key in enumerate(sorted(state)):
        assert value_of(after, update.root, key) == (b"changed" if number < 20 else state[key])
    with pytest.raises(DamagedNodeError):
        value_of(source, tree.root, min(state))


def test_entry_under_another_place_is_no_payload_of_it() -> None:
    for payload in (b"", b"\0", b"\0\x05key", b"\x80\x01k" + bytes(11), b"\x80\x01"):
        with pytest.raises(DamagedNodeError, match="payload"):
            unpack_payload(payload, place=bytes(32))


def test_records_must_fill_their_chunk() -> None:
    with pytest.raises(DamagedNodeError):
        record_at(bytes(4) + b"\0\0\0\x09" + bytes(4), 4)
    with pytest.raises(DamagedNodeError):
        record_at(bytes(4) + b"\0\0\0\x07" + bytes(4), 4)
    with pytest.raises(DamagedNodeError):
        spans_of(1, bytes(4) + b"\0\0\0\x08" + bytes(5))


def test_places_are_walked_in_order_from_any_place() -> None:
    tree = MemoryTree()
    tree.apply(accounts(900))
    places = [entry[0] for entry in entries_from(tree.source, tree.root, PLACE_FIRST)]
    assert places == sorted(map(place_of, accounts(900)))
    for at in (0, 1, 17, 450, 899):
        found = [entry[0] for entry in entries_from(tree.source, tree.root, places[at])]
        assert found == places[at:]
    behind = (int.from_bytes(places[450], "big") + 1).to_bytes(32, "big")
    assert next(iter(entries_from(tree.source, tree.root, behind)))[0] == places[451]


def test_bytes_across_two_entries_are_no_place() -> None:
    """Digests chosen by somebody who wants a place to be found in the middle of others."""
    target = bytes(range(32))
    first = (b"\x01" * 32, b"\x02" * 16 + target[:16], b"\0\x01kone")
    second = (target[16:] + b"\x03" * 16, b"\x04" * 32, b"\0\x01ktwo")
    record = pack_bucket([first, second])
    assert find_entry(record, target) is None
    assert splice_bucket(record, (target, bytes(32), b"\0\x01k")) is None
    assert unpack_bucket(record) == [first, second]


def test_spliced_bucket_is_the_one_packed_anew() -> None:
    entries: list[Entry] = sorted(
        (place_of(key), leaf_digest(place_of(key), b"v"), b"\0\x01k" + bytes(number))
        for number, key in enumerate(accounts(9))
    )
    for at in range(9):
        for payload in (b"\0\x01kv", b"\0\x01k" + bytes(300), entries[at][2]):
            record = pack_bucket(entries)
            change = (entries[at][0], b"\x07" * 32, payload)
            assert splice_bucket(record, change) == entries[at][2]
            assert record == pack_bucket([*entries[:at], change, *entries[at + 1 :]])
