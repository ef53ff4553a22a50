"""A proof shows what stands in the tree, and nothing else passes for one."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ledger.tree.digests import (
    BUCKET_SIZE_MAX,
    DEPTH_MAX,
    EMPTY_ROOT,
    FANOUT,
    leaf_digest,
    place_of,
)
from node.ledger.tree.errors import MalformedProofError, UnboundProofError
from node.ledger.tree.lookup import PLACE_FIRST, PLACE_LAST, entries_from
from node.ledger.tree.proof import (
    KEY_PROOF_CODEC,
    CutBucket,
    CutFork,
    CutNode,
    KeyProof,
    verify_key,
    verify_range,
)
from node.ledger.tree.prove import cut_range, prove_key
from primitives.errors import InvalidProofError, MalformedBytesError
from tests.ledger.tree.memory import MemoryTree

Pairs = list[tuple[bytes, bytes]]


def key_of(number: int) -> bytes:
    return b"key %d" % number


def tree_of(count: int) -> MemoryTree:
    tree = MemoryTree()
    tree.apply({key_of(number): b"value %d" % number for number in range(count)})
    return tree


def pairs_between(tree: MemoryTree, low: bytes, high: bytes) -> Pairs:
    entries = entries_from(tree.source, tree.root, PLACE_FIRST)
    return [(place, leaf) for place, leaf, _ in entries if low <= place <= high]


@pytest.fixture(name="tree", scope="module")
def _tree() -> MemoryTree:
    return tree_of(700)


@pytest.mark.parametrize("count", [0, 1, BUCKET_SIZE_MAX, BUCKET_SIZE_MAX + 1, 700])
def test_every_key_has_a_proof_of_its_value_or_of_its_absence(count: int) -> None:
    tree = tree_of(count)
    for number in range(0, count + 20, 7):
        proof = prove_key(tree.cold_source, tree.root, key_of(number))
        assert proof.value == (b"value %d" % number if number < count else None)
        verify_key(tree.root.digest, proof)
        assert KEY_PROOF_CODEC.decode(KEY_PROOF_CODEC.encode(proof)) == proof


@pytest.mark.parametrize("number", [3, 699, 700, 70_000])
def test_another_value_is_refused(tree: MemoryTree, number: int) -> None:
    proof = prove_key(tree.source, tree.root, key_of(number))
    other = None if proof.value is not None else b"value"
    for value in (other, b"", b"value 4"):
        with pytest.raises(InvalidProofError):
            verify_key(tree.root.digest, msgspec.structs.replace(proof, value=value))


@pytest.mark.parametrize("number", [3, 70_000])
def test_another_key_is_refused(tree: MemoryTree, number: int) -> None:
    proof = prove_key(tree.source, tree.root, key_of(number))
    with pytest.raises(InvalidProofError):
        verify_key(tree.root.digest, msgspec.structs.replace(proof, key=b"another"))


@pytest.mark.parametrize("number", [3, 70_000])
@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_every_change_of_one_byte_is_refused(tree: MemoryTree, number: int, flip: int) -> None:
    raw = KEY_PROOF_CODEC.encode(prove_key(tree.source, tree.root, key_of(number)))
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]
        with pytest.raises((InvalidProofError, MalformedBytesError)):
            verify_key(tree.root.digest, KEY_PROOF_CODEC.decode(changed))


@pytest.mark.parametrize("count", [0, 5, 700])
def test_proof_of_another_root_is_refused(count: int) -> None:
    tree = tree_of(count)
    proof = prove_key(tree.source, tree.root, key_of(count - 1))
    tree.apply({b"one more": b""})
    with pytest.raises(UnboundProofError) as caught:
        verify_key(tree.root.digest, proof)
    assert caught.value.expected == tree.root.digest


@settings(max_examples=60, deadline=None)
@given(
    count=st.sampled_from([0, 1, 20, 33, 200, 700]),
    edges=st.lists(st.binary(min_size=32, max_size=32), min_size=2, max_size=2),
    snap=st.tuples(st.integers(0, 699), st.integers(0, 699)),
    snapped=st.tuples(st.booleans(), st.booleans()),
)
def test_every_range_has_a_proof_and_no_entry_can_be_left_out_or_put_in(
    count: int, edges: list[bytes], snap: tuple[int, int], snapped: tuple[bool, bool]
) -> None:
    tree = tree_of(count)
    exact = [place_of(key_of(number)) for number in snap]
    low, high = sorted(exact[at] if snapped[at] else edges[at] for at in range(2))
    pairs = pairs_between(tree, low, high)
    cut = cut_range(tree.cold_source, tree.root, low=low, high=high)
    root = tree.root.digest
    verify_range(root, pairs, cut, low=low, high=high)
    for at in {0, len(pairs) // 2, len(pairs) - 1} if pairs else set():
        with pytest.raises(InvalidProofError):
            verify_range(root, pairs[:at] + pairs[at + 1 :], cut, low=low, high=high)
        forged = [*pairs[:at], (pairs[at][0], bytes(32)), *pairs[at + 1 :]]
        with pytest.raises(InvalidProofError):
            verify_range(root, forged, cut, low=low, high=high)
    if low not in dict(pairs):
        with pytest.raises(InvalidProofError):
            verify_range(root, [(low, bytes(32)), *pairs], cut, low=low, high=high)


def test_whole_state_is_a_range(tree: MemoryTree) -> None:
    pairs = pairs_between(tree, PLACE_FIRST, PLACE_LAST)
    cut = cut_range(tree.source, tree.root, low=PLACE_FIRST, high=PLACE_LAST)
    assert len(pairs) == 700
    verify_range(tree.root.digest, pairs, cut, low=PLACE_FIRST, high=PLACE_LAST)


def test_entry_of_the_range_cannot_be_declared_outside(tree: MemoryTree) -> None:
    """What would hide a key: its pair is given with the rest of its bucket."""
    place = place_of(key_of(3))
    proof = prove_key(tree.source, tree.root, key_of(3))
    pair = place + leaf_digest(place, b"value 3")
    *forks, bucket = proof.cut
    assert isinstance(bucket, CutBucket)
    rows = [bucket.pairs[at : at + 64] for at in range(0, len(bucket.pairs), 64)]
    hidden = CutBucket(b"".join(sorted([*rows, pair])))
    with pytest.raises(MalformedProofError, match="declared outside"):
        verify_range(tree.root.digest, [], [*forks, hidden], low=place, high=place)


def test_order_and_bounds_of_the_entries_are_checked(tree: MemoryTree) -> None:
    pairs = pairs_between(tree, PLACE_FIRST, PLACE_LAST)
    low, high = pairs[10][0], pairs[20][0]
    cut = cut_range(tree.source, tree.root, low=low, high=high)
    wrong = {
        "not in order": [pairs[11], pairs[10], *pairs[12:21]],
        "outside the range": pairs[9:21],
    }
    for reason, entries in wrong.items():
        with pytest.raises(MalformedProofError, match=reason):
            verify_range(tree.root.digest, entries, cut, low=low, high=high)
    with pytest.raises(MalformedProofError, match="not in order"):
        verify_range(tree.root.digest, [*pairs[10:21], pairs[20]], cut, low=low, high=high)
    with pytest.raises(MalformedProofError, match="ends before it begins"):
        verify_range(tree.root.digest, pairs[10:21], cut, low=high, high=low)


PLACE = place_of(key_of(3))
FULL = (1 << FANOUT) - 1


@pytest.mark.parametrize(
    ("reason", "cut"),
    [
        ("missing", [CutFork(FULL, bytes(15 * 32))]),
        ("missing", [CutFork(FULL, bytes(15 * 32))] * (DEPTH_MAX + 1)),
        ("a digest is missing", [CutFork(FULL, bytes(14 * 32)), CutBucket(b"")]),
        ("digests of another size", [CutFork(FULL, bytes(15 * 32 - 1)), CutBucket(b"")]),
        ("digests are left over", [CutFork(FULL, bytes(16 * 32)), CutBucket(b"")]),
        ("nodes are left over", [CutBucket(b""), CutBucket(b"")]),
        ("pairs of another size", [CutBucket(bytes(63))]),
        ("not in order", [CutBucket(bytes(128))]),
        ("a bucket of 33", [CutBucket(b"".join(bytes([n]) * 64 for n in range(32)))]),
        ("a child that is not there", [CutFork(1 << (PLACE[0] >> 4) ^ FULL, bytes(15 * 32))]),
    ],
)
def test_cut_that_is_no_part_of_a_tree_is_refused(reason: str, cut: list[CutNode]) -> None:
    pairs = [(PLACE, leaf_digest(PLACE, b"value 3"))]
    with pytest.raises(MalformedProofError, match=reason):
        verify_range(bytes(32), pairs, cut, low=PLACE, high=PLACE)


def test_bucket_without_entries_is_refused() -> None:
    with pytest.raises(MalformedProofError, match="a bucket of 0"):
        verify_range(bytes(32), [], [CutBucket(b"")], low=PLACE, high=PLACE)


def test_child_inside_the_range_needs_its_entries(tree: MemoryTree) -> None:
    cut = cut_range(tree.source, tree.root, low=PLACE_FIRST, high=PLACE_LAST)
    pairs = pairs_between(tree, PLACE_FIRST, PLACE_LAST)
    edges = [pair for pair in pairs if pair[0][0] >> 4 in {0, 15}]
    with pytest.raises(MalformedProofError, match="no entry below"):
        verify_range(tree.root.digest, edges, cut, low=PLACE_FIRST, high=PLACE_LAST)


def test_empty_state_has_no_entries_and_other_states_need_a_cut(tree: MemoryTree) -> None:
    verify_range(EMPTY_ROOT, [], [], low=PLACE_FIRST, high=PLACE_LAST)
    for root in (EMPTY_ROOT, tree.root.digest):
        with pytest.raises(UnboundProofError):
            verify_range(root, [(PLACE, bytes(32))], [], low=PLACE, high=PLACE)
    with pytest.raises(UnboundProofError):
        verify_key(tree.root.digest, KeyProof(key=b"k", value=None, cut=()))


@pytest.mark.parametrize(
    "cut",
    [
        (CutFork(FULL + 1, b""),),
        (CutFork(0, b""),),
        (CutFork(1, bytes(16 * 32 + 1)),),
        (CutBucket(bytes(BUCKET_SIZE_MAX * 64 + 1)),),
        (CutBucket(b""),) * (2 * DEPTH_MAX + 2),
    ],
)
def test_sizes_are_bounded_when_a_proof_is_decoded(cut: tuple[CutNode, ...]) -> None:
    raw = KEY_PROOF_CODEC.encode(KeyProof(key=b"", value=None, cut=cut))
    with pytest.raises(MalformedBytesError):
        KEY_PROOF_CODEC.decode(raw)


def test_adjacent_ranges_share_no_entry_and_miss_none(tree: MemoryTree) -> None:
    pairs = pairs_between(tree, PLACE_FIRST, PLACE_LAST)
    for (low, leaf), (high, _) in pairwise(pairs[:40]):
        below = (int.from_bytes(high, "big") - 1).to_bytes(32, "big")
        cut = cut_range(tree.source, tree.root, low=low, high=below)
        verify_range(tree.root.digest, [(low, leaf)], cut, low=low, high=below)
