"""What this node has for others: certificates, commits and blocks, read from what is stored.

Guards: an answer is bounded in bytes and made piece by piece, so that an asker who reads slowly
costs one piece of memory. What is missing ends an answer early, and is never an error.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from consensus.block import SignedBlock
from consensus.commit import Commit
from node.chain.certified import is_complete, link_of
from node.chain.chain import Chain
from node.ledger.checkpoint import Certificate
from node.ledger.light_client import ChainLink
from node.storage.block_store import PENDING_BYTES_MAX, LmdbBlockStore
from node.sync.wire import (
    ANSWER_BYTES,
    PIECE_BYTES,
    PIECE_CODEC,
    RANGE_COMMITS_MAX,
    SPINE_COMMITS_MAX,
    BlocksPiece,
    CertificateRequest,
    CommitsPiece,
    LinksRequest,
    RangeRequest,
    SpineRequest,
)
from primitives.ids import CommitIndex, Epoch

_REF_BYTES = 48
_COMMIT_BYTES = 160


def certificate_for(request: CertificateRequest, *, chain: Chain) -> Certificate | None:
    """Return the certificate that leads an asker furthest, but not further than it wants."""
    found = chain.certificate_covering(request.wanted) or chain.certified
    if found is not None and found.checkpoint.epoch > request.epoch:
        link = _closing_link(chain, request.epoch)
        found = None if link is None else link.certificate
    if found is None or found.checkpoint.epoch != request.epoch:
        return None
    return found if found.checkpoint.height > request.above else None


def links_for(request: LinksRequest, *, chain: Chain) -> Iterator[ChainLink]:
    """Yield closing certificates from an epoch on, and the newest certificate behind the last."""
    for epoch in range(request.first, request.first + request.count):
        link = _closing_link(chain, Epoch(epoch))
        if link is None:
            newest = chain.certified
            if newest is not None and newest.checkpoint.epoch == epoch:
                yield ChainLink(newest, ())
            return
        yield link


def stored_blocks(chain: Chain, epoch: Epoch) -> LmdbBlockStore:
    """Return what is stored of an epoch, to read from, even if it never began here."""
    return LmdbBlockStore(
        chain.environment, chain.writer, epoch=epoch, pending_bytes_max=PENDING_BYTES_MAX
    )


@dataclass(frozen=True, slots=True)
class Cuts:
    """How an answer about commits is cut.

    Args:
        piece_bytes: a piece ends with the commit or block that reaches this.
        answer_bytes: the answer ends with the piece that reaches this.
    """

    piece_bytes: int = PIECE_BYTES
    answer_bytes: int = ANSWER_BYTES


DEFAULT_CUTS: Final = Cuts()


def spine_pieces(
    request: SpineRequest, *, store: LmdbBlockStore, cuts: Cuts = DEFAULT_CUTS
) -> Iterator[bytes]:
    """Yield pieces with the commits of a range, downwards from its last one."""
    first = max(request.first, request.last - SPINE_COMMITS_MAX + 1)
    group: list[Commit] = []
    size_bytes = 0
    for index in range(request.last, first - 1, -1):
        found = store.read_commits(CommitIndex(index), CommitIndex(index))
        if not found:
            break
        group.extend(found)
        size_bytes += _size_of(found[0])
        if size_bytes >= cuts.piece_bytes:
            yield PIECE_CODEC.encode(CommitsPiece(tuple(group)))
            group, size_bytes = [], 0
    if group:
        yield PIECE_CODEC.encode(CommitsPiece(tuple(group)))


def range_pieces(
    request: RangeRequest, *, store: LmdbBlockStore, cuts: Cuts = DEFAULT_CUTS
) -> Iterator[bytes]:
    """Yield pieces with the sub-DAGs of a range, upwards; maybe not up to its end."""
    last = min(request.last, request.first + RANGE_COMMITS_MAX - 1)
    answer_bytes = group_bytes = 0
    commits: list[Commit] = []
    blocks: list[SignedBlock] = []
    for commit, stored in _sub_dags(store, request.first, last):
        commits.append(commit)
        blocks.extend(stored)
        group_bytes += _size_of(commit) + sum(signed.size_bytes for signed in stored)
        if group_bytes >= cuts.piece_bytes:
            yield from _grouped(commits, blocks, cuts)
            answer_bytes += group_bytes
            commits, blocks, group_bytes = [], [], 0
            if answer_bytes >= cuts.answer_bytes:
                return
    if commits:
        yield from _grouped(commits, blocks, cuts)


def _closing_link(chain: Chain, epoch: Epoch) -> ChainLink | None:
    """Return what closed an epoch, None if that is not certified here or not executed yet."""
    with chain.environment.snapshot() as snapshot:
        link = link_of(snapshot, epoch)
    return link if link is not None and is_complete(link) else None


def _sub_dags(
    store: LmdbBlockStore, first: int, last: int
) -> Iterator[tuple[Commit, tuple[SignedBlock, ...]]]:
    for index in range(first, last + 1):
        found = store.read_commits(CommitIndex(index), CommitIndex(index))
        if not found:
            return
        stored = store.read_blocks(found[0].blocks)
        if len(stored) != len(found[0].blocks):
            return
        yield found[0], stored


def _grouped(
    commits: Iterable[Commit], blocks: Iterable[SignedBlock], cuts: Cuts
) -> Iterator[bytes]:
    yield PIECE_CODEC.encode(CommitsPiece(tuple(commits)))
    group: list[SignedBlock] = []
    size_bytes = 0
    for signed in blocks:
        group.append(signed)
        size_bytes += signed.size_bytes
        if size_bytes >= cuts.piece_bytes:
            yield PIECE_CODEC.encode(BlocksPiece(tuple(group)))
            group, size_bytes = [], 0
    if group:
        yield PIECE_CODEC.encode(BlocksPiece(tuple(group)))


def _size_of(commit: Commit) -> int:
    return _COMMIT_BYTES + _REF_BYTES * len(commit.blocks)
