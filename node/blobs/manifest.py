"""What a blob is made of: its size and the digests of its chunks, which prove its id.

Guards: one id has one content. The id of a blob of one chunk is the digest of that chunk, the id of
a longer one is the digest of the root of its tree; a chunk that begins like a node of a tree could
stand for either, so no blob has such a single chunk.
"""

import enum
from collections.abc import Sequence
from typing import Annotated, Final, NewType, Self

import msgspec

from fl.rules.update.root import CHUNK_SIZE_BYTES, chunk_count, tree_root
from node.blobs.errors import BadBlobError, BlobTooLongError
from primitives.cid import CID_SIZE_BYTES, Cid, CidCodec
from primitives.codec import Codec
from primitives.hashing import sha256
from primitives.ids import DIGEST_SIZE_BYTES, Digest

BlobId = NewType("BlobId", bytes)
"""The digest of a blob's CID: 32 bytes, as contracts name it."""

LEAVES_MAX: Final = 16_384
BLOB_SIZE_BYTES_MAX: Final = LEAVES_MAX * CHUNK_SIZE_BYTES
"""4 GiB; the longest blob of a task is a third of it."""

_NODE_HEAD: Final = b"\x0a" + bytes((CID_SIZE_BYTES,)) + b"\x01"
"""How a link of a tree begins, behind its own tag and length: a CIDv1 in its first field."""


@enum.unique
class Access(enum.Enum):
    """Who may be told of a blob, and given it."""

    PUBLIC = "public"
    """Whoever asks."""

    PRIVATE = "private"
    """Nobody; to strangers it is as if it were not here."""


class Manifest(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The size of a blob and the digests of its chunks, one behind the other."""

    size_bytes: Annotated[int, msgspec.Meta(ge=0, le=BLOB_SIZE_BYTES_MAX)]
    digests: Annotated[bytes, msgspec.Meta(max_length=LEAVES_MAX * DIGEST_SIZE_BYTES)]

    @classmethod
    def of(cls, chunks: Sequence[Digest], *, size_bytes: int) -> Self:
        """Return the manifest of a blob with these chunks."""
        return cls(size_bytes, b"".join(chunks))

    @property
    def leaf_count(self) -> int:
        """Return how many chunks there are."""
        return chunk_count(self.size_bytes)

    @property
    def cid(self) -> Cid:
        """Return the content id that this proves."""
        return tree_root(
            [self.digest_of(index) for index in range(self.leaf_count)], size_bytes=self.size_bytes
        )

    def digest_of(self, index: int) -> Digest:
        """Return the digest of one chunk."""
        start = index * DIGEST_SIZE_BYTES
        return Digest(self.digests[start : start + DIGEST_SIZE_BYTES])

    def size_of(self, index: int) -> int:
        """Return the size of one chunk."""
        return min(CHUNK_SIZE_BYTES, self.size_bytes - index * CHUNK_SIZE_BYTES)

    def has_leaf(self, index: int, chunk: bytes) -> bool:
        """Tell whether this is the chunk at a place."""
        return (
            len(chunk) == self.size_of(index)
            and sha256(chunk) == self.digest_of(index)
            and not (self.leaf_count == 1 and is_node(chunk))
        )


MANIFEST_CODEC: Final = Codec(Manifest, size_bytes_max=LEAVES_MAX * DIGEST_SIZE_BYTES + 32)


def check_manifest(manifest: Manifest, *, blob: BlobId, size_bytes_max: int) -> None:
    """Refuse a manifest that does not prove the id, or is of more than anybody asked for.

    Raises:
        BadBlobError: whoever made it up lied.
        BlobTooLongError: it is true, and the blob is over the limit.
    """
    if len(manifest.digests) != manifest.leaf_count * DIGEST_SIZE_BYTES:
        raise BadBlobError(
            f"{manifest.size_bytes} bytes have {manifest.leaf_count} chunks, "
            f"the manifest has {len(manifest.digests)} bytes of digests"
        )
    proven = blob_id(manifest.cid)
    if proven != blob:
        raise BadBlobError(f"a manifest of {proven.hex()}, not of {blob.hex()}")
    if manifest.size_bytes > size_bytes_max:
        raise BlobTooLongError(
            f"{blob.hex()} has {manifest.size_bytes} bytes, over the limit of {size_bytes_max}"
        )


def is_node(chunk: bytes) -> bool:
    """Tell whether a chunk begins as every node of a tree does, and so could be read as one.

    A link is shorter than 128 bytes, so its length is one byte.
    """
    return chunk[:1] == b"\x12" and chunk[2 : 2 + len(_NODE_HEAD)] == _NODE_HEAD


def blob_id(cid: Cid) -> BlobId:
    """Return the id under which contracts know a content."""
    return BlobId(cid.digest)


def cid_of(blob: BlobId, *, leaf_count: int) -> Cid:
    """Return the whole content id of a blob with so many chunks."""
    codec = CidCodec.RAW if leaf_count == 1 else CidCodec.DAG_PB
    return Cid(codec=codec, digest=Digest(blob))
