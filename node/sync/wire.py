"""What nodes ask of each other to catch up, and how an answer looks.

    certificate   one certificate: the first at or above a height, or as far as the epoch goes
    links         the closing certificates of epochs with the seats that follow, then the newest
    commits       a range of sub-DAGs upwards, or the commits of a range alone downwards
    manifest      the certificate of a state that the peer holds for those who fetch it
    chunk         entries of that state from a place on

Guards: an answer is worth what it proves. Every field is bounded before anything is decoded, and
nobody who answers is believed: certificates carry signatures, commits are tied to them by digests,
blocks to commits, chunks to the state root. An empty answer means "not here", which is no lie.
"""

from typing import Annotated, Final, TypeAlias

import msgspec

from consensus.block import SIGNED_BLOCK_BYTES_MAX, SignedBlock
from consensus.commit import COMMIT_BYTES_MAX, Commit
from node.chain.names import protocol
from node.ledger.checkpoint import CERTIFICATE_BYTES_MAX
from node.ledger.committee import SEATS_BYTES_MAX
from node.ledger.light_client import ChainLink
from node.ledger.tree.snapshot import CHUNK_SIZE_BYTES_MAX
from node.ledger.wire import CommitIndexField, DigestField, EpochField, HeightField
from p2p.request import RequestProtocol
from primitives.codec import Codec
from primitives.ids import ChainId

REQUEST_BYTES_MAX: Final = 128
LINKS_MAX: Final = 256
"""Of one answer."""
SPINE_COMMITS_MAX: Final = 2_048
RANGE_COMMITS_MAX: Final = 256
PIECE_BYTES: Final = 512 * 1024
"""A piece of an answer ends with the commit or block that reaches this."""
ANSWER_BYTES: Final = 4 * 1024 * 1024
"""A server ends its answer with the commit that reaches this."""
ANSWER_BYTES_MAX: Final = 32 * 1024 * 1024
"""What an asker takes: the last commit may be one of a hundred validators with full blocks."""
PIECE_BYTES_MAX: Final = max(COMMIT_BYTES_MAX, SIGNED_BLOCK_BYTES_MAX) + PIECE_BYTES
_COMMITS_OF_PIECE_MAX: Final = SPINE_COMMITS_MAX
_BLOCKS_OF_PIECE_MAX: Final = 8_192
_LINK_BYTES_MAX: Final = CERTIFICATE_BYTES_MAX + SEATS_BYTES_MAX


class CertificateRequest(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Asks for a certificate of an epoch: the first at or above a height, else the last.

    Args:
        epoch: of the certificate; from another one nothing could be verified yet.
        above: the certificate must be of a greater height to be of use.
        wanted: the height.
    """

    epoch: EpochField
    above: HeightField
    wanted: HeightField


class LinksRequest(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Asks for closing certificates from an epoch on, and then for the newest one.

    Args:
        first: the first epoch.
        count: how many at most.
    """

    first: EpochField
    count: Annotated[int, msgspec.Meta(ge=1, le=LINKS_MAX)]


class SpineRequest(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """Asks for the commits of a range without blocks, the last one first."""

    epoch: EpochField
    first: CommitIndexField
    last: CommitIndexField


class RangeRequest(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """Asks for the commits of a range with their blocks, the first one first."""

    epoch: EpochField
    first: CommitIndexField
    last: CommitIndexField


CommitsRequest: TypeAlias = SpineRequest | RangeRequest


class CommitsPiece(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """Commits; in the answer to a range their blocks follow before the next commits do."""

    commits: Annotated[tuple[Commit, ...], msgspec.Meta(max_length=_COMMITS_OF_PIECE_MAX)]


class BlocksPiece(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """Blocks of the commits before, in the order in which those name them."""

    blocks: Annotated[tuple[SignedBlock, ...], msgspec.Meta(max_length=_BLOCKS_OF_PIECE_MAX)]


class AbsentPiece(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=3):
    """Says that nothing of what was asked for is here.

    Args:
        height: of the peer's state; if it is beyond what was asked for, it keeps that no longer.
    """

    height: HeightField


Piece: TypeAlias = CommitsPiece | BlocksPiece | AbsentPiece


class ManifestRequest(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Asks for a state to fetch: the one at a height, or the newest that the peer can prove."""

    height: HeightField | None


class ChunkRequest(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Asks for the chunk of a held state that begins at a place."""

    height: HeightField
    low: DigestField


CERTIFICATE_REQUEST_CODEC: Final = Codec(CertificateRequest, size_bytes_max=REQUEST_BYTES_MAX)
LINKS_REQUEST_CODEC: Final = Codec(LinksRequest, size_bytes_max=REQUEST_BYTES_MAX)
COMMITS_REQUEST_CODEC: Codec[CommitsRequest] = Codec(
    SpineRequest | RangeRequest,  # type: ignore[arg-type]
    size_bytes_max=REQUEST_BYTES_MAX,
)
PIECE_CODEC: Codec[Piece] = Codec(
    CommitsPiece | BlocksPiece | AbsentPiece,  # type: ignore[arg-type]
    size_bytes_max=PIECE_BYTES_MAX,
)
MANIFEST_REQUEST_CODEC: Final = Codec(ManifestRequest, size_bytes_max=REQUEST_BYTES_MAX)
CHUNK_REQUEST_CODEC: Final = Codec(ChunkRequest, size_bytes_max=REQUEST_BYTES_MAX)
LINK_CODEC: Final = Codec(ChainLink, size_bytes_max=_LINK_BYTES_MAX)


class SyncProtocols:
    """The request protocols of one chain."""

    def __init__(self, chain_id: ChainId) -> None:
        self.certificate = _protocol(chain_id, "certificate", CERTIFICATE_BYTES_MAX, chunks_max=1)
        self.links = _protocol(chain_id, "links", _LINK_BYTES_MAX, chunks_max=LINKS_MAX)
        self.commits = _protocol(chain_id, "commits", PIECE_BYTES_MAX, chunks_max=4_096)
        self.manifest = _protocol(chain_id, "manifest", CERTIFICATE_BYTES_MAX, chunks_max=1)
        self.chunk = _protocol(chain_id, "chunk", CHUNK_SIZE_BYTES_MAX, chunks_max=1)


def _protocol(
    chain_id: ChainId, name: str, chunk_bytes_max: int, *, chunks_max: int
) -> RequestProtocol:
    return RequestProtocol(
        name=protocol(chain_id, name),
        request_size_bytes_max=REQUEST_BYTES_MAX,
        chunk_size_bytes_max=chunk_bytes_max,
        chunks_max=chunks_max,
        per_s=50,
        burst=100,
    )
