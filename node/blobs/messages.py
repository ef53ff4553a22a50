"""What nodes ask each other about blobs; answers are manifests and chunks as they are stored.

OpenBlob        -> the manifest, then the first chunks: a small blob is one request
ReadLeaves      -> those chunks
HaveRequest     -> one byte for each id: 1 if the peer gives it away as a whole
SealedRequest   -> the ids of envelopes that hold the update of this root
"""

from typing import Annotated, Final

import msgspec

from fl.rules.update.root import CHUNK_SIZE_BYTES
from node.blobs.manifest import LEAVES_MAX
from p2p.request import RequestProtocol
from primitives.codec import Codec
from primitives.ids import DIGEST_SIZE_BYTES

LEAVES_PER_REQUEST_MAX: Final = 16
IDS_PER_REQUEST_MAX: Final = 256
ENVELOPES_PER_ANSWER_MAX: Final = 8

BlobIdField = Annotated[
    bytes, msgspec.Meta(min_length=DIGEST_SIZE_BYTES, max_length=DIGEST_SIZE_BYTES)
]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class OpenBlob(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """Ask for the manifest of a blob, and so many of its first chunks with it."""

    blob: BlobIdField
    leaves: Annotated[int, msgspec.Meta(ge=0, le=LEAVES_PER_REQUEST_MAX)]


class ReadLeaves(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """Ask for chunks of a blob."""

    blob: BlobIdField
    first: Annotated[int, msgspec.Meta(ge=0, le=LEAVES_MAX)]
    count: Annotated[int, msgspec.Meta(ge=1, le=LEAVES_PER_REQUEST_MAX)]


class HaveRequest(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Ask which of these blobs the peer gives away."""

    blobs: Annotated[
        tuple[BlobIdField, ...], msgspec.Meta(min_length=1, max_length=IDS_PER_REQUEST_MAX)
    ]


class SealedRequest(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Ask for the envelope of an update that was revealed in a round."""

    task: Number
    round: Number
    root: BlobIdField


class SealedAnswer(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Envelopes that the peer knows, which it gives away as blobs."""

    envelopes: Annotated[tuple[BlobIdField, ...], msgspec.Meta(max_length=ENVELOPES_PER_ANSWER_MAX)]


BlobRequest = OpenBlob | ReadLeaves

BLOB_REQUEST_CODEC: Final[Codec[BlobRequest]] = Codec(
    BlobRequest,  # type: ignore[arg-type]  # a union is a type to msgspec
    size_bytes_max=64,
)
HAVE_CODEC: Final = Codec(HaveRequest, size_bytes_max=IDS_PER_REQUEST_MAX * 34 + 8)
SEALED_REQUEST_CODEC: Final = Codec(SealedRequest, size_bytes_max=64)
SEALED_ANSWER_CODEC: Final = Codec(SealedAnswer, size_bytes_max=ENVELOPES_PER_ANSWER_MAX * 34 + 8)


def blob_protocol(name: str) -> RequestProtocol:
    """Return the bounds of requests for manifests and chunks."""
    return RequestProtocol(
        name=name,
        request_size_bytes_max=64,
        chunk_size_bytes_max=max(CHUNK_SIZE_BYTES, LEAVES_MAX * DIGEST_SIZE_BYTES + 32),
        chunks_max=LEAVES_PER_REQUEST_MAX + 1,
        per_s=50,
        burst=100,
    )


def have_protocol(name: str) -> RequestProtocol:
    """Return the bounds of requests for holdings."""
    return RequestProtocol(
        name=name,
        request_size_bytes_max=IDS_PER_REQUEST_MAX * 34 + 8,
        chunk_size_bytes_max=IDS_PER_REQUEST_MAX,
        chunks_max=1,
    )


def sealed_protocol(name: str) -> RequestProtocol:
    """Return the bounds of requests for envelopes."""
    return RequestProtocol(
        name=name,
        request_size_bytes_max=64,
        chunk_size_bytes_max=ENVELOPES_PER_ANSWER_MAX * 34 + 8,
        chunks_max=1,
        per_s=50,
        burst=200,
    )
