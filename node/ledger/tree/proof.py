"""Proofs: what stands in a range of places, checked with the root alone.

Theory of operation. A proof is the tree with everything cut off that the checker can do without: he
has the entries of the range, so all that he needs are the nodes on the two edges of the range, and
of those only the parts outside it. A fork on an edge is given by its bitmap and the digests of the
children wholly outside; the children wholly inside follow from the entries; the one or two children
that an edge runs through are the next nodes of the proof. A bucket on an edge is given by its pairs
outside. Whatever is left out or put in changes a digest on the way to the root.

    range          low ............ high          one key: low == high == its place
    fork      [ . . | x x x x x x x x | . ]       `.` digests given, `x` built from the entries
                    |                 |
                 next node       node after that

To hide an entry of the range, a liar would have to declare it outside; so that is checked first.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Final

import msgspec

from node.ledger.tree.digests import (
    BUCKET_SIZE_MAX,
    DEPTH_MAX,
    EMPTY_ROOT,
    FANOUT,
    bucket_digest,
    digit_at,
    fork_digest,
    leaf_digest,
    place_of,
)
from node.ledger.tree.errors import MalformedProofError, UnboundProofError
from primitives.codec import Codec
from primitives.ids import DIGEST_SIZE_BYTES

PAIR_SIZE_BYTES: Final = 2 * DIGEST_SIZE_BYTES
NODES_MAX: Final = 2 * DEPTH_MAX + 1
KEY_PROOF_SIZE_BYTES_MAX: Final = 1 << 18
"""A value of the greatest length and a way as deep as digests are long."""

Pair = tuple[bytes, bytes]
"""Place and leaf digest."""

_Pairs = Annotated[bytes, msgspec.Meta(max_length=BUCKET_SIZE_MAX * PAIR_SIZE_BYTES)]
_Digests = Annotated[bytes, msgspec.Meta(max_length=FANOUT * DIGEST_SIZE_BYTES)]
_Bitmap = Annotated[int, msgspec.Meta(ge=1, lt=1 << FANOUT)]


class CutBucket(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """A bucket on the edge: place and leaf digest of its entries outside the range."""

    pairs: _Pairs


class CutFork(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """A fork on the edge: which children it has, and the digests of those outside the range."""

    bitmap: _Bitmap
    digests: _Digests


CutNode = CutBucket | CutFork
Cut = Annotated[tuple[CutNode, ...], msgspec.Meta(max_length=NODES_MAX)]
"""The nodes on the edges, each before those below it, from left to right; empty for no entries."""


class KeyProof(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """What the value of one key is; None proves that it has none."""

    key: bytes
    value: bytes | None
    cut: Cut


KEY_PROOF_CODEC: Final = Codec(KeyProof, size_bytes_max=KEY_PROOF_SIZE_BYTES_MAX)


def verify_key(root: bytes, proof: KeyProof) -> None:
    """Check that the key has this value, or none, in the state with this root.

    Raises:
        InvalidProofError: the proof does not show that.
    """
    place = place_of(proof.key)
    pairs = [] if proof.value is None else [(place, leaf_digest(place, proof.value))]
    verify_range(root, pairs, proof.cut, low=place, high=place)


def verify_range(
    root: bytes, pairs: Sequence[Pair], cut: Sequence[CutNode], *, low: bytes, high: bytes
) -> None:
    """Check that these are all the entries from one place to another, both included.

    Args:
        root: of the state.
        pairs: by strictly ascending place.
        cut: the rest of the tree.
        low: the first place of the range.
        high: the last place of the range.

    Raises:
        InvalidProofError: they are not, or the proof is longer than it has to be.
    """
    if not low <= high:
        raise MalformedProofError("the range ends before it begins")
    _check_order(pairs)
    if pairs and not (low <= pairs[0][0] and pairs[-1][0] <= high):
        raise MalformedProofError("an entry is outside the range")
    nodes = iter(cut)
    actual = _Range(low, high, nodes).edge_digest(pairs, 0, (True, True)) if cut else EMPTY_ROOT
    if next(nodes, None) is not None:
        raise MalformedProofError("nodes are left over")
    if actual != root or (pairs and not cut):
        raise UnboundProofError(expected=root, actual=actual)


def subtree_digest(pairs: Sequence[Pair], depth: int = 0) -> bytes:
    """Return the digest of a subtree from its entries alone.

    Args:
        pairs: at least one, by strictly ascending place, alike in the digits above the depth.
        depth: how many levels are above it.
    """
    if len(pairs) <= BUCKET_SIZE_MAX:
        return bucket_digest(b"".join([place + leaf for place, leaf in pairs]))
    bitmap, digests = 0, []
    for index, below in _by_digit(pairs, depth):
        bitmap |= 1 << index
        digests.append(subtree_digest(below, depth + 1))
    return fork_digest(bitmap.to_bytes(2, "big") + b"".join(digests))


class _Range:
    """Follows the edges of one range through a cut tree."""

    __slots__ = ("_high", "_low", "_nodes")

    def __init__(self, low: bytes, high: bytes, nodes: Iterator[CutNode]) -> None:
        self._low = low
        self._high = high
        self._nodes = nodes

    def edge_digest(self, pairs: Sequence[Pair], depth: int, edges: tuple[bool, bool]) -> bytes:
        """Return the digest of a node that an edge runs through.

        Args:
            pairs: the entries of the range below it.
            depth: how many levels are above it.
            edges: whether the low edge and the high edge run through it.
        """
        match next(self._nodes, None):
            case CutBucket(pairs=outside):
                return self._bucket_digest(pairs, outside)
            case CutFork() as fork if depth < DEPTH_MAX:
                return self._fork_digest(pairs, fork, depth, edges)
            case _:
                raise MalformedProofError("a node on the edge is missing")

    def _bucket_digest(self, pairs: Sequence[Pair], outside: bytes) -> bytes:
        if len(outside) % PAIR_SIZE_BYTES:
            raise MalformedProofError("pairs of another size")
        given = [
            (
                outside[at : at + DIGEST_SIZE_BYTES],
                outside[at + DIGEST_SIZE_BYTES : at + PAIR_SIZE_BYTES],
            )
            for at in range(0, len(outside), PAIR_SIZE_BYTES)
        ]
        _check_order(given)
        if any(self._low <= place <= self._high for place, _ in given):
            raise MalformedProofError("an entry of the range is declared outside")
        together = sorted([*pairs, *given])
        if not 0 < len(together) <= BUCKET_SIZE_MAX:
            raise MalformedProofError(f"a bucket of {len(together)} entries")
        return subtree_digest(together)

    def _fork_digest(
        self, pairs: Sequence[Pair], fork: CutFork, depth: int, edges: tuple[bool, bool]
    ) -> bytes:
        inside = dict(_by_digit(pairs, depth)) if pairs else {}
        first = digit_at(self._low, depth) if edges[0] else 0
        last = digit_at(self._high, depth) if edges[1] else FANOUT - 1
        given = iter(_split(fork.digests))
        digests: list[bytes] = []
        for index in range(FANOUT):
            below = inside.pop(index, [])
            if not fork.bitmap >> index & 1:
                if below:
                    raise MalformedProofError("an entry below a child that is not there")
            elif not first <= index <= last:
                digests.append(_next_digest(given))
            elif (on := (edges[0] and index == first, edges[1] and index == last)) != (
                False,
                False,
            ):
                digests.append(self.edge_digest(below, depth + 1, on))
            elif below:
                digests.append(subtree_digest(below, depth + 1))
            else:
                raise MalformedProofError("no entry below a child that is there")
        if next(given, None) is not None:
            raise MalformedProofError("digests are left over")
        return fork_digest(fork.bitmap.to_bytes(2, "big") + b"".join(digests))


def _check_order(pairs: Sequence[Pair]) -> None:
    if any(left[0] >= right[0] for left, right in pairwise(pairs)):
        raise MalformedProofError("entries are not in order")


def _split(digests: bytes) -> list[bytes]:
    if len(digests) % DIGEST_SIZE_BYTES:
        raise MalformedProofError("digests of another size")
    return [
        digests[at : at + DIGEST_SIZE_BYTES] for at in range(0, len(digests), DIGEST_SIZE_BYTES)
    ]


def _next_digest(given: Iterator[bytes]) -> bytes:
    digest = next(given, None)
    if digest is None:
        raise MalformedProofError("a digest is missing")
    return digest


def _by_digit(pairs: Sequence[Pair], depth: int) -> list[tuple[int, list[Pair]]]:
    groups: list[tuple[int, list[Pair]]] = []
    for pair in pairs:
        index = digit_at(pair[0], depth)
        if not groups or groups[-1][0] != index:
            groups.append((index, []))
        groups[-1][1].append(pair)
    return groups
