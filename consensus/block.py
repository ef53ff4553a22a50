"""Blocks of the DAG: what is signed, what travels, and how each is named.

A block is a header and its payload. The header names its ancestors and commits to the payload
by Merkle root, size and count. The digest that others refer to is the hash of the header alone:
were the signature part of it, anybody could mint a second "equivocating" ref for an honest
block by mauling the signature. Wire types grow only at the end.
"""

from typing import Annotated

import msgspec
from typing_extensions import override

from primitives.codec import Codec
from primitives.hashing import Domain, tagged_hash
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Round, TimestampMs
from primitives.keys import PrivateKey
from primitives.merkle import merkle_root

BLOCK_VERSION = 1
HEADER_BYTES_MAX = 1_048_576
SIGNED_BLOCK_BYTES_MAX = 2_097_152
INT64_MAX = 2**63 - 1

Counter = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
Hash = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
SignatureBytes = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class BlockRef(
    msgspec.Struct,
    frozen=True,
    array_like=True,
    forbid_unknown_fields=True,
    order=True,
    cache_hash=True,
    gc=False,
):
    """The name of a block; sorts by round, author, digest, which is the commit order."""

    round: Annotated[Round, msgspec.Meta(ge=0, le=INT64_MAX)]
    author: Annotated[AuthorityIndex, msgspec.Meta(ge=0, le=INT64_MAX)]
    digest: Annotated[Digest, msgspec.Meta(min_length=32, max_length=32)]


class CommitVote(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, order=True, gc=False
):
    """A claim by a block's author that commit `index` has this digest."""

    index: Annotated[CommitIndex, msgspec.Meta(ge=0, le=INT64_MAX)]
    digest: Annotated[Digest, msgspec.Meta(min_length=32, max_length=32)]


class EquivocationReport(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, order=True, gc=False
):
    """Two refs of one slot that the reporter holds; a pointer to proof, not proof itself."""

    first: BlockRef
    second: BlockRef


class Header(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """The signed part of a block.

    Args:
        genesis: genesis digest of the epoch; binds chain, epoch, committee and parameters.
        ancestors: own previous block first, then at most one block per other author, by author.
        payload_root: Merkle root over the payload items.
        payload_bytes: sum of the item sizes, in bytes.
        commit_votes: recent commits of the author, by ascending index.
    """

    version: Counter
    genesis: Hash
    epoch: Counter
    round: Annotated[Round, msgspec.Meta(ge=0, le=INT64_MAX)]
    author: Annotated[AuthorityIndex, msgspec.Meta(ge=0, le=INT64_MAX)]
    timestamp_ms: Annotated[TimestampMs, msgspec.Meta(ge=0, le=INT64_MAX)]
    ancestors: tuple[BlockRef, ...]
    payload_root: Hash
    payload_bytes: Counter
    payload_count: Counter
    commit_votes: tuple[CommitVote, ...]
    reports: tuple[EquivocationReport, ...]


class SignedBlock(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A block as it travels: canonical header bytes, their signature, and the payload."""

    header: bytes
    signature: SignatureBytes
    payload: tuple[bytes, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Return the bytes that count against a budget: header, signature and payload."""
        return len(self.header) + 64 + sum(map(len, self.payload))


class Block:
    """A block whose header decoded; `verifier.BlockVerifier` makes these from the network.

    Holding one from there means: every rule of section 2.2 holds, signature included.
    """

    __slots__ = ("header", "ref", "signed")

    def __init__(self, *, ref: BlockRef, header: Header, signed: SignedBlock) -> None:
        self.ref = ref
        self.header = header
        self.signed = signed

    @property
    def round(self) -> Round:
        """Return the round that the block was proposed in."""
        return self.ref.round

    @property
    def author(self) -> AuthorityIndex:
        """Return the committee index of the proposer."""
        return self.ref.author

    @override
    def __repr__(self) -> str:
        """Show round, author and the start of the digest."""
        return f"Block({self.ref.round}.{self.ref.author}.{self.ref.digest.hex()[:8]})"


HEADER_CODEC: Codec[Header] = Codec(Header, size_bytes_max=HEADER_BYTES_MAX)
SIGNED_BLOCK_CODEC: Codec[SignedBlock] = Codec(SignedBlock, size_bytes_max=SIGNED_BLOCK_BYTES_MAX)


def payload_root(payload: tuple[bytes, ...]) -> Digest:
    """Return the Merkle root that a header must name for `payload`."""
    if not payload:
        return EMPTY_PAYLOAD_ROOT
    return merkle_root(payload, leaf=Domain.PAYLOAD_LEAF, node=Domain.PAYLOAD_NODE)


EMPTY_PAYLOAD_ROOT = merkle_root((), leaf=Domain.PAYLOAD_LEAF, node=Domain.PAYLOAD_NODE)


def header_digest(header: bytes) -> Digest:
    """Return the digest that names the block with these canonical header bytes."""
    return tagged_hash(Domain.BLOCK_HEADER, header)


def genesis_ref(genesis: Digest, author: AuthorityIndex) -> BlockRef:
    """Return the ref of an author's implicit block of round 0, which is never sent."""
    message = genesis + author.to_bytes(8, "big")
    return BlockRef(Round(0), author, tagged_hash(Domain.GENESIS_BLOCK, message))


def sign_block(header: Header, payload: tuple[bytes, ...], key: PrivateKey) -> Block:
    """Encode and sign a header; the caller must have journalled the round first."""
    raw = HEADER_CODEC.encode(header)
    digest = header_digest(raw)
    signature = key.sign(Domain.BLOCK_SIGNATURE, digest)
    return Block(
        ref=BlockRef(header.round, header.author, digest),
        header=header,
        signed=SignedBlock(raw, signature, payload),
    )
