"""Places that begin alike, as somebody who grinds keys would choose them, make a deep tree."""

import pytest

from node.ledger.tree.bucket import Entry, pack_payload
from node.ledger.tree.digests import leaf_digest
from node.ledger.tree.lookup import PLACE_FIRST, PLACE_LAST, entries_from, find
from node.ledger.tree.proof import verify_range
from node.ledger.tree.prove import cut_range
from tests.ledger.tree.memory import MemoryTree, naive_subtree

LENGTHS = [1, 2, 3, 9, 31]


def entry_at(place: bytes) -> Entry:
    return place, leaf_digest(place, b"value"), pack_payload(place[:4], b"value")


def alike(length: int) -> list[Entry]:
    """Return entries that differ only in one octet, behind so many equal ones."""
    return [entry_at(b"\xa7" * length + bytes([n]) + bytes(31 - length)) for n in range(256)]


def deep_tree(length: int) -> MemoryTree:
    tree = MemoryTree()
    tree.apply_entries([entry_at(bytes([n]) + bytes(31)) for n in range(0, 256, 3)])
    tree.apply_entries(alike(length))
    return tree


def naive(tree: MemoryTree) -> bytes:
    leaves = {place.hex(): leaf for place, leaf, _ in walked(tree)}
    return naive_subtree(leaves, "")


def walked(tree: MemoryTree) -> list[Entry]:
    return list(entries_from(tree.cold_source, tree.root, PLACE_FIRST))


@pytest.mark.parametrize("length", LENGTHS)
def test_deep_tree_has_the_root_of_its_entries_and_finds_them(length: int) -> None:
    tree = deep_tree(length)
    assert len(walked(tree)) == 86 + 256
    assert tree.root.digest == naive(tree)
    for entry in alike(length):
        assert find(tree.cold_source, tree.root, entry[0]) == entry


@pytest.mark.parametrize("length", LENGTHS)
def test_deep_tree_changes_and_shrinks_to_what_it_was(length: int) -> None:
    tree, before = deep_tree(length), MemoryTree()
    before.apply_entries([entry_at(bytes([n]) + bytes(31)) for n in range(0, 256, 3)])
    changed: list[Entry] = [
        (place, leaf_digest(place, b"2"), payload) for place, leaf, payload in alike(length)
    ]
    tree.apply_entries(changed[:7])
    assert tree.root.digest == naive(tree)
    tree.apply_entries([(place, b"", b"") for place, _, _ in alike(length)])
    assert tree.root.digest == before.root.digest
    assert tree.live_bytes == before.live_bytes


@pytest.mark.parametrize("length", LENGTHS)
def test_cleaning_takes_deep_forks_along(length: int) -> None:
    tree = deep_tree(length)
    # The forks above this entry are dead where they were, and alive somewhere else.
    tree.apply_entries(alike(length)[:1])
    entries, root, live_bytes, end = (
        walked(tree),
        tree.root.digest,
        tree.live_bytes,
        tree.next_chunk,
    )
    while tree.tail_chunk < end:
        tree.apply_entries([], clean_chunks=1)
        tree.drop_cleaned()
    assert (tree.root.digest, tree.live_bytes) == (root, live_bytes)
    assert walked(tree) == entries


@pytest.mark.parametrize("length", LENGTHS)
def test_ranges_of_a_deep_tree_have_proofs(length: int) -> None:
    tree = deep_tree(length)
    entries = walked(tree)
    edges = [PLACE_FIRST, alike(length)[3][0], alike(length)[200][0], PLACE_LAST]
    for at, low in enumerate(edges):
        for high in edges[at:]:
            pairs = [(place, leaf) for place, leaf, _ in entries if low <= place <= high]
            cut = cut_range(tree.cold_source, tree.root, low=low, high=high)
            verify_range(tree.root.digest, pairs, cut, low=low, high=high)
