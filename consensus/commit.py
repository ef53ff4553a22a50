"""Commits: the hash chain that every honest node derives alike from its own DAG.

A commit holds nothing local: no wall clock, no signature, no metric (different valid signer
sets hashed into an agreed record once forked a chain, axyl issue 112). Votes for commits ride
in blocks; a quorum of votes for one digest certifies it and, by the chain, all before it.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec
from typing_extensions import override

from consensus.block import Block, BlockRef, Counter, Hash
from consensus.committee import Committee
from primitives.codec import Codec
from primitives.hashing import Domain, tagged_hash
from primitives.ids import CommitIndex, Digest, TimestampMs
from primitives.order import weighted_median

COMMIT_BYTES_MAX = 16_777_216
"""No less than a message: what a peer could send must be hashed and refused, not crash us."""


class Commit(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """One step of the agreed order.

    Args:
        genesis: genesis digest of the epoch.
        index: 1 for the first commit of the epoch.
        previous: digest of commit index - 1; of the genesis digest for the first.
        timestamp_ms: see `commit_timestamp`.
        blocks: the sub-DAG in delivery order, (round, author, digest).
        void: those of them whose slot an earlier committed block already fills. Both are proof
            of equivocation inside the ledger; the payload of a void block must not execute.
    """

    genesis: Hash
    index: Counter
    previous: Hash
    timestamp_ms: Counter
    leader: BlockRef
    blocks: tuple[BlockRef, ...]
    void: tuple[BlockRef, ...]


COMMIT_CODEC: Codec[Commit] = Codec(Commit, size_bytes_max=COMMIT_BYTES_MAX)


class CommittedSubDag:
    """A commit with its blocks; what the executor receives, once, in index order.

    Args:
        blocks: in the order of `commit.blocks`.
    """

    __slots__ = ("blocks", "commit", "digest")

    def __init__(self, commit: Commit, *, digest: Digest, blocks: tuple[Block, ...]) -> None:
        self.commit = commit
        self.digest = digest
        self.blocks = blocks

    @property
    def index(self) -> CommitIndex:
        """Return the index of the commit."""
        return CommitIndex(self.commit.index)

    @property
    def payload(self) -> Iterator[bytes]:
        """Yield the items of all blocks in order, those of void blocks too."""
        return chain.from_iterable(block.signed.payload for block in self.blocks)

    @override
    def __repr__(self) -> str:
        """Show index, leader and the start of the digest."""
        return f"CommittedSubDag({self.commit.index}, {self.digest.hex()[:8]})"


def commit_digest(commit: Commit) -> Digest:
    """Return the digest that votes and the next commit name."""
    return tagged_hash(Domain.COMMIT, COMMIT_CODEC.encode(commit))


def genesis_commit_digest(genesis: Digest) -> Digest:
    """Return what the first commit of an epoch names as its predecessor."""
    return tagged_hash(Domain.COMMIT, genesis)


def commit_timestamp(
    parents: Iterable[Block], *, committee: Committee, previous_ms: TimestampMs
) -> TimestampMs:
    """Return the power-weighted median time of a leader's parents, never before the last commit.

    The parents hold a quorum, so less than a third of faulty power cannot move the median
    outside the honest values. It reads nothing but blocks in the leader's cone (CometBFT
    GHSA-c32p-wcqj-j677: time derived from data other than what was verified).
    """
    stamps = [(block.header.timestamp_ms, committee.powers[block.author]) for block in parents]
    if not stamps:
        return previous_ms
    median = weighted_median([stamp for stamp, _ in stamps], [power for _, power in stamps])
    return TimestampMs(max(median, previous_ms))
