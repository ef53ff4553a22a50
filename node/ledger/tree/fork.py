"""Forks as the log writes them: nodes with up to sixteen children.

    length (4) | kind (1) | depth (1) | bitmap (2) |
    digest of each child (32) | reference to each child (8) | path

Bit i of the bitmap says that there is a child i. The digest of a fork covers the bitmap and the
digests, which stand together; where this node keeps the children is its own affair. The path is the
beginning of every place below, half an octet per level, so that cleaning finds the fork again.
"""

import struct
from typing import Final, NamedTuple

from node.ledger.tree.digests import FANOUT
from node.ledger.tree.log import FORK_KIND, HEAD_SIZE_BYTES, Record
from primitives.ids import DIGEST_SIZE_BYTES

REF_SIZE_BYTES: Final = 8
CHILD_SIZE_BYTES: Final = DIGEST_SIZE_BYTES + REF_SIZE_BYTES
_HEAD: Final = struct.Struct(">IBBH")
_REF: Final = struct.Struct(">Q")
_FULL_BITMAP: Final = 0xFFFF
_FULL_REFS_AT: Final = HEAD_SIZE_BYTES + DIGEST_SIZE_BYTES * FANOUT


class Child(NamedTuple):
    """One child of a fork, or what becomes of it; reference 0 takes it away."""

    digit: int
    digest: Record
    ref: int


def pack_fork(children: list[Child], *, depth: int, path: bytes) -> bytearray:
    """Write a fork.

    Args:
        children: by ascending index.
        depth: how many levels are above it.
        path: the beginning of every place below it, `path_size_bytes` long.
    """
    bitmap = 0
    for child in children:
        bitmap |= 1 << child.digit
    length = HEAD_SIZE_BYTES + CHILD_SIZE_BYTES * len(children) + len(path)
    record = bytearray(_HEAD.pack(length, FORK_KIND, depth, bitmap))
    for child in children:
        record += child.digest
    for child in children:
        record += child.ref.to_bytes(REF_SIZE_BYTES, "big")
    record += path
    return record


def unpack_fork(record: Record) -> list[Child]:
    """Return the children of a fork, by ascending index."""
    bitmap = fork_bitmap(record)
    at, refs_at = HEAD_SIZE_BYTES, HEAD_SIZE_BYTES + DIGEST_SIZE_BYTES * bitmap.bit_count()
    children: list[Child] = []
    for index in range(FANOUT):
        if bitmap >> index & 1:
            digest = bytes(record[at : at + DIGEST_SIZE_BYTES])
            ref = int.from_bytes(record[refs_at : refs_at + REF_SIZE_BYTES], "big")
            children.append(Child(index, digest, ref))
            at += DIGEST_SIZE_BYTES
            refs_at += REF_SIZE_BYTES
    return children


def regrow_fork(record: Record, changed: list[Child]) -> bytearray:
    """Return the fork with children that come or go."""
    children = {child.digit: child for child in unpack_fork(record)}
    children.update((child.digit, child) for child in changed)
    left = [children[digit] for digit in sorted(children) if children[digit].ref]
    return pack_fork(left, depth=depth_of(record), path=fork_path(record))


def child_span(record: Record, index: int) -> tuple[int, int]:
    """Return where the digest and the reference of a child begin; zeros if it is not there."""
    bitmap = record[6] << 8 | record[7]
    if bitmap == _FULL_BITMAP:
        # What most forks of a large tree are.
        return HEAD_SIZE_BYTES + DIGEST_SIZE_BYTES * index, _FULL_REFS_AT + REF_SIZE_BYTES * index
    if not bitmap >> index & 1:
        return 0, 0
    slot = (bitmap & (1 << index) - 1).bit_count()
    refs_at = HEAD_SIZE_BYTES + DIGEST_SIZE_BYTES * bitmap.bit_count()
    return HEAD_SIZE_BYTES + DIGEST_SIZE_BYTES * slot, refs_at + REF_SIZE_BYTES * slot


def child_at(record: Record, index: int) -> tuple[Record, int]:
    """Return digest and reference of a child; reference 0 if it is not there."""
    # Written out: execution goes four times through here for a value of a large state.
    bitmap = record[6] << 8 | record[7]
    if bitmap == _FULL_BITMAP:
        at, ref_at = (
            HEAD_SIZE_BYTES + DIGEST_SIZE_BYTES * index,
            _FULL_REFS_AT + REF_SIZE_BYTES * index,
        )
    elif bitmap >> index & 1:
        at, ref_at = child_span(record, index)
    else:
        return b"", 0
    return record[at : at + DIGEST_SIZE_BYTES], _REF.unpack_from(record, ref_at)[0]


def ref_in(record: Record, at: int) -> int:
    """Return the reference that begins there."""
    # A third of what `int.from_bytes` of a slice takes.
    ref: int = _REF.unpack_from(record, at)[0]
    return ref


def put_ref(record: bytearray, at: int, ref: int) -> None:
    """Write a reference over the one that begins there."""
    _REF.pack_into(record, at, ref)


def fork_bitmap(record: Record) -> int:
    """Return which children a fork has."""
    return record[6] << 8 | record[7]


def fork_message(record: Record) -> Record:
    """Return what the digest of a fork covers."""
    return record[6 : HEAD_SIZE_BYTES + DIGEST_SIZE_BYTES * fork_bitmap(record).bit_count()]


def fork_size_bytes(record: Record) -> int:
    """Return how long a fork with this head must be."""
    children = fork_bitmap(record).bit_count()
    return HEAD_SIZE_BYTES + CHILD_SIZE_BYTES * children + path_size_bytes(depth_of(record))


def depth_of(record: Record) -> int:
    """Return how many levels are above a fork."""
    return record[5]


def fork_path(record: Record) -> bytes:
    """Return the beginning of every place below a fork.

    Where the depth is odd, the last half octet is that of some place below.
    """
    return bytes(record[len(record) - path_size_bytes(depth_of(record)) :])


def path_size_bytes(depth: int) -> int:
    """Return how many octets hold the digits above a depth."""
    return (depth + 1) >> 1
