"""Name a blob by the CID that IPFS gives it, and a vector by a digest of its own.

The root is a CIDv1 of a UnixFS file: chunks of 256 KiB as raw leaves, up to 174 links per node,
every level filled before the next one begins. It is a Merkle root, so a blob can be fetched and
checked chunk by chunk. A blob of one chunk is its own leaf.
Source: UnixFS and DAG-PB specifications; what `ipfs add --cid-version=1 --raw-leaves` gives.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fl.rules.update.layout import TensorLayout
from fl.rules.update.rows import Int32s
from primitives.cid import Cid, CidCodec
from primitives.hashing import Domain, sha256
from primitives.ids import Digest

CHUNK_SIZE_BYTES: Final = 256 * 1024
LINKS_MAX: Final = 174

_HASH_TAG: Final = b"\x0a"
_EMPTY_NAME: Final = b"\x12\x00"
_TOTAL_SIZE_TAG: Final = b"\x18"
_LINK_TAG: Final = b"\x12"
_CONTENT_TAG: Final = b"\x0a"
_UNIXFS_FILE: Final = b"\x08\x02"
_FILE_SIZE_TAG: Final = b"\x18"
_PART_SIZE_TAG: Final = b"\x20"


@dataclass(frozen=True, slots=True)
class _Subtree:
    """A node of the tree.

    Args:
        content_bytes: of the file that are below it.
        stored_bytes: of all blocks below it and its own.
    """

    cid: Cid
    content_bytes: int
    stored_bytes: int


def chunk_digests(raw: bytes | memoryview) -> list[Digest]:
    """Return the digests of the chunks, in order; an empty blob has one, empty chunk."""
    return [sha256(chunk) for chunk in _chunks(raw)]


def blob_root(raw: bytes | memoryview) -> Cid:
    """Return the CID of a blob; only one chunk is in memory besides the blob."""
    return tree_root(chunk_digests(raw), size_bytes=len(raw))


def tree_root(chunks: Sequence[Digest], *, size_bytes: int) -> Cid:
    """Return the CID of the blob that has chunks with these digests, without the blob.

    Args:
        chunks: by order, as many as a blob of this size has.
        size_bytes: of the blob.
    """
    assert len(chunks) == chunk_count(size_bytes), "as many chunks as the size says"
    sizes = [CHUNK_SIZE_BYTES] * (len(chunks) - 1)
    sizes.append(size_bytes - CHUNK_SIZE_BYTES * len(sizes))
    level = [
        _Subtree(Cid(codec=CidCodec.RAW, digest=digest), size, size)
        for digest, size in zip(chunks, sizes, strict=True)
    ]
    while len(level) > 1:
        level = [
            _parent(level[start : start + LINKS_MAX]) for start in range(0, len(level), LINKS_MAX)
        ]
    return level[0].cid


def chunk_count(size_bytes: int) -> int:
    """Return how many chunks a blob of this size has."""
    return max(1, -(-size_bytes // CHUNK_SIZE_BYTES))


def content_digest(vector: Int32s, *, layout: TensorLayout) -> Digest:
    """Return the digest of what a blob decodes to, so that no other encoding hides a copy.

    Args:
        vector: (coordinate,), int32.
        layout: of the vector; it is part of the content.
    """
    state = Domain.UPDATE_CONTENT.state.copy()
    state.update(layout.digest)
    state.update(np.ascontiguousarray(vector, dtype="<i4").data)
    return Digest(state.digest())


def _chunks(raw: bytes | memoryview) -> Iterator[bytes]:
    for start in range(0, max(1, len(raw)), CHUNK_SIZE_BYTES):
        yield bytes(raw[start : start + CHUNK_SIZE_BYTES])


def _parent(children: Sequence[_Subtree]) -> _Subtree:
    content_bytes = sum(child.content_bytes for child in children)
    parts = b"".join(_PART_SIZE_TAG + _varint(child.content_bytes) for child in children)
    file = _UNIXFS_FILE + _FILE_SIZE_TAG + _varint(content_bytes) + parts
    links = b"".join(_LINK_TAG + _sized(_link(child)) for child in children)
    # Links come before the content although their field number is the greater one: DAG-PB.
    block = links + _CONTENT_TAG + _sized(file)
    cid = Cid(codec=CidCodec.DAG_PB, digest=sha256(block))
    stored_bytes = len(block) + sum(child.stored_bytes for child in children)
    return _Subtree(cid, content_bytes, stored_bytes)


def _link(child: _Subtree) -> bytes:
    size = _TOTAL_SIZE_TAG + _varint(child.stored_bytes)
    return _HASH_TAG + _sized(child.cid.encode()) + _EMPTY_NAME + size


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _varint(number: int) -> bytes:
    groups = bytearray()
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)
