r"""Commit to a list of byte strings, and prove that one of them stands at one place.

The tree has the shape of RFC 9162: an odd node at the end of a level moves up unchanged.

    level 2         root of 3
                   /         \
    level 1      (01)          2        top = H(node, (01) || 2)
                /    \         |
    level 0    0      1        2        0 = H(leaf, content)

    root = H(node, leaf count as 8 bytes || top)

RFC 9162 signs the leaf count beside the root; here the root itself covers it. Otherwise the first
leaf of three has a proof that also verifies as the first of four. Inner nodes hash 64 bytes, the
root 40, and the root of the empty list only the 8 bytes of its count, so none passes for another,
and the leaf domain keeps a leaf from passing for a node.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import msgspec

from primitives.errors import InvalidProofError
from primitives.hashing import Domain, tagged_hash
from primitives.ids import DIGEST_SIZE_BYTES, Digest

# 63 bits, because msgspec bounds integers only within a signed 64-bit word.
_DEPTH_MAX: Final = 63
_LEAF_COUNT_MAX: Final = 2**_DEPTH_MAX - 1
_COUNT_SIZE_BYTES: Final = 8

_Sibling = Annotated[
    bytes, msgspec.Meta(min_length=DIGEST_SIZE_BYTES, max_length=DIGEST_SIZE_BYTES)
]


class MerkleProof(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a leaf stands, and the hashes beside its way up, from the leaf to the top."""

    leaf_index: Annotated[int, msgspec.Meta(ge=0, le=_LEAF_COUNT_MAX)]
    leaf_count: Annotated[int, msgspec.Meta(ge=1, le=_LEAF_COUNT_MAX)]
    siblings: Annotated[tuple[_Sibling, ...], msgspec.Meta(max_length=_DEPTH_MAX)]


def merkle_root(
    leaves: Sequence[bytes],
    *,
    leaf: Domain = Domain.MERKLE_LEAF,
    node: Domain = Domain.MERKLE_NODE,
) -> Digest:
    """Return the root over the leaves in this order; the empty list has a root too."""
    level = [tagged_hash(leaf, content) for content in leaves]
    while len(level) > 1:
        level = _level_above(level, node)
    return _seal(level[0] if level else b"", leaf_count=len(leaves), node=node)


def prove(
    leaves: Sequence[bytes],
    index: int,
    *,
    leaf: Domain = Domain.MERKLE_LEAF,
    node: Domain = Domain.MERKLE_NODE,
) -> MerkleProof:
    """Return the proof for the leaf at the index.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} among {len(leaves)}")
    level = [tagged_hash(leaf, content) for content in leaves]
    siblings: list[bytes] = []
    place = index
    while len(level) > 1:
        if place ^ 1 < len(level):
            siblings.append(level[place ^ 1])
        level = _level_above(level, node)
        place //= 2
    return MerkleProof(leaf_index=index, leaf_count=len(leaves), siblings=tuple(siblings))


def verify_proof(
    root: bytes,
    content: bytes,
    proof: MerkleProof,
    /,
    *,
    leaf: Domain = Domain.MERKLE_LEAF,
    node: Domain = Domain.MERKLE_NODE,
) -> None:
    """Check that the content stands at `proof.leaf_index` of the list with this root.

    Raises:
        InvalidProofError: it does not, or the proof has more or fewer hashes than its place needs.
    """
    if not 0 <= proof.leaf_index < proof.leaf_count <= _LEAF_COUNT_MAX:
        raise InvalidProofError(f"no leaf {proof.leaf_index} among {proof.leaf_count}")
    turns = tuple(_turns(proof.leaf_index, proof.leaf_count))
    if len(turns) != len(proof.siblings):
        raise InvalidProofError(f"expected {len(turns)} siblings, got {len(proof.siblings)}")
    top = tagged_hash(leaf, content)
    for is_right, sibling in zip(turns, proof.siblings, strict=True):
        top = tagged_hash(node, sibling + top if is_right else top + sibling)
    if _seal(top, leaf_count=proof.leaf_count, node=node) != root:
        raise InvalidProofError("the proof leads to another root")


def _turns(place: int, width: int) -> Iterator[bool]:
    """Yield, for each level where the node has a sibling, whether the node is the right one."""
    while width > 1:
        if place ^ 1 < width:
            yield place % 2 == 1
        place //= 2
        width = (width + 1) // 2


def _level_above(level: Sequence[Digest], node: Domain) -> list[Digest]:
    pair_ends = range(1, len(level), 2)
    above = [tagged_hash(node, level[end - 1] + level[end]) for end in pair_ends]
    if len(level) % 2:
        above.append(level[-1])
    return above


def _seal(top: bytes, *, leaf_count: int, node: Domain) -> Digest:
    return tagged_hash(node, leaf_count.to_bytes(_COUNT_SIZE_BYTES, "big") + top)
