import pytest
from hypothesis import given
from hypothesis import strategies as st

from primitives.codec import Codec
from primitives.errors import InvalidProofError, MalformedBytesError
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Digest
from primitives.merkle import MerkleProof, merkle_root, prove, verify_proof
from tests.vectors import Row, cases

LEAVES = st.lists(st.binary(max_size=8), min_size=1, max_size=40)
PROOF_CODEC = Codec(MerkleProof, size_bytes_max=4096)


def numbered_leaves(count: int) -> list[bytes]:
    return [bytes([index]) * index for index in range(count)]


def proof_of(row: Row) -> MerkleProof:
    siblings = tuple(Digest(bytes.fromhex(sibling)) for sibling in row["siblings"])
    return MerkleProof(
        leaf_index=row["leaf_index"], leaf_count=row["leaf_count"], siblings=siblings
    )


def naive_top(leaves: list[bytes]) -> Digest:
    """The recursive definition of RFC 9162, section 2.1.1."""
    if len(leaves) == 1:
        return tagged_hash(Domain.MERKLE_LEAF, leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return tagged_hash(Domain.MERKLE_NODE, naive_top(leaves[:split]) + naive_top(leaves[split:]))


@pytest.mark.parametrize("row", cases("merkle", "roots"))
def test_a_root_is_the_golden_one(row: Row) -> None:
    assert merkle_root(numbered_leaves(row["leaf_count"])).hex() == row["root"]


@pytest.mark.parametrize("row", cases("merkle", "proofs_valid"))
def test_a_proof_is_the_golden_one_and_verifies(row: Row) -> None:
    leaves, index = numbered_leaves(row["leaf_count"]), row["leaf_index"]
    assert prove(leaves, index) == proof_of(row)
    verify_proof(merkle_root(leaves), leaves[index], proof_of(row))


@pytest.mark.parametrize("row", cases("merkle", "proofs_invalid"))
def test_a_forged_proof_is_refused(row: Row) -> None:
    root, content = bytes.fromhex(row["root"]), bytes.fromhex(row["content"])
    with pytest.raises(InvalidProofError):
        verify_proof(root, content, proof_of(row))


@given(LEAVES)
def test_the_tree_has_the_shape_of_rfc_9162(leaves: list[bytes]) -> None:
    sealed = tagged_hash(Domain.MERKLE_NODE, len(leaves).to_bytes(8, "big") + naive_top(leaves))
    assert merkle_root(leaves) == sealed


@pytest.mark.parametrize("count", range(1, 34))
def test_the_proof_of_every_index_verifies_there_and_nowhere_else(count: int) -> None:
    leaves = numbered_leaves(count)
    root = merkle_root(leaves)
    for index in range(count):
        proof = prove(leaves, index)
        verify_proof(root, leaves[index], proof)
        for other in {0, index - 1, index + 1, count - 1} - {index}:
            moved = MerkleProof(other, count, proof.siblings)
            with pytest.raises(InvalidProofError):
                verify_proof(root, leaves[index], moved)


@given(LEAVES, st.data())
def test_any_flipped_bit_spoils_a_proof(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, proof = merkle_root(leaves), prove(leaves, index)
    raw = bytearray(PROOF_CODEC.encode(proof))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    try:
        changed = PROOF_CODEC.decode(bytes(raw))
    except MalformedBytesError:
        return
    is_same_leaf_elsewhere = (
        changed.leaf_index < len(leaves) and leaves[changed.leaf_index] == leaves[index]
    )
    if not is_same_leaf_elsewhere or changed.siblings != proof.siblings:
        with pytest.raises(InvalidProofError):
            verify_proof(root, leaves[index], changed)


@given(LEAVES, st.data())
def test_only_the_leaf_itself_verifies(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    content = data.draw(st.binary(max_size=70).filter(lambda other: other != leaves[index]))
    with pytest.raises(InvalidProofError):
        verify_proof(merkle_root(leaves), content, prove(leaves, index))


@given(st.lists(st.binary(max_size=4), max_size=9), st.lists(st.binary(max_size=4), max_size=9))
def test_two_lists_share_a_root_only_if_equal(left: list[bytes], right: list[bytes]) -> None:
    assert (merkle_root(left) == merkle_root(right)) == (left == right)


def test_other_domains_give_other_roots_and_their_own_proofs() -> None:
    leaves = numbered_leaves(5)
    leaf, node = Domain.PAYLOAD_LEAF, Domain.PAYLOAD_NODE
    root = merkle_root(leaves, leaf=leaf, node=node)
    proof = prove(leaves, 4, leaf=leaf, node=node)
    assert root != merkle_root(leaves)
    verify_proof(root, leaves[4], proof, leaf=leaf, node=node)
    with pytest.raises(InvalidProofError):
        verify_proof(root, leaves[4], proof)


@pytest.mark.parametrize(("count", "index"), [(0, 0), (3, 3), (3, -1)])
def test_there_is_no_proof_for_a_leaf_that_is_not_there(count: int, index: int) -> None:
    with pytest.raises(IndexError, match=f"no leaf {index} among {count}"):
        prove(numbered_leaves(count), index)


def test_a_tree_beyond_the_greatest_size_is_refused() -> None:
    siblings = (Digest(bytes(32)),) * 64
    with pytest.raises(InvalidProofError, match="no leaf 0 among"):
        verify_proof(bytes(32), b"", MerkleProof(0, 2**64, siblings))


def test_a_proof_in_a_tree_of_the_greatest_size_needs_63_siblings() -> None:
    siblings = (Digest(bytes(32)),) * 62
    with pytest.raises(InvalidProofError, match="expected 63 siblings, got 62"):
        verify_proof(bytes(32), b"", MerkleProof(0, 2**63 - 1, siblings))
