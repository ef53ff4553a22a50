"""What needs the store alone and so need not pass through the core: answers, redelivery.

Only what is stored is served, and an own block is stored durably before anyone hears of it, so
an answer can never leak a block that a crash would make us sign anew.
"""

from collections.abc import Iterator

from consensus.block import HEADER_CODEC, BlockRef, SignedBlock
from consensus.commit import CommittedSubDag, commit_digest
from consensus.committee import EpochContext
from consensus.messages import (
    BlocksMessage,
    CommitAnswerMessage,
    CommitRequestMessage,
)
from consensus.parameters import Tuning
from consensus.ports import BlockStore
from consensus.verifier import BlockVerifier
from primitives.errors import StorageError
from primitives.ids import CommitIndex


def answer_commits(
    request: CommitRequestMessage, *, store: BlockStore, context: EpochContext, tuning: Tuning
) -> CommitAnswerMessage:
    """Return the longest prefix of the asked range that stored votes certify; maybe empty."""
    last = min(request.last, request.first + tuning.commit_batch - 1)
    commits = store.read_commits(CommitIndex(request.first), CommitIndex(last))
    for count in range(len(commits), 0, -1):
        commit = commits[count - 1]
        digest = commit_digest(commit)
        certifiers = []
        voters = 0
        for signed in store.read_voters(CommitIndex(commit.index)):
            header = HEADER_CODEC.decode(signed.header)
            agrees = any(
                vote.index == commit.index and vote.digest == digest for vote in header.commit_votes
            )
            if agrees and not voters >> header.author & 1:
                voters |= 1 << header.author
                certifiers.append(signed)
        if context.committee.is_quorum(voters):
            return CommitAnswerMessage(context.genesis_digest, commits[:count], tuple(certifiers))
    return CommitAnswerMessage(context.genesis_digest, (), ())


def answer_blocks(
    refs: tuple[BlockRef, ...], *, store: BlockStore, context: EpochContext, tuning: Tuning
) -> BlocksMessage:
    """Return stored blocks, as many of those asked for as one answer may hold."""
    blocks: list[SignedBlock] = []
    room_bytes = tuning.fetch_bytes_max
    for signed in store.read_blocks(refs[: tuning.fetch_blocks_max]):
        room_bytes -= signed.size_bytes
        if room_bytes < 0:
            break
        blocks.append(signed)
    return BlocksMessage(context.genesis_digest, tuple(blocks))


def undelivered(
    delivered: CommitIndex, *, store: BlockStore, context: EpochContext
) -> Iterator[CommittedSubDag]:
    """Yield the stored commits that the executor does not hold yet, on boot.

    Raises:
        StorageError: a block of a stored commit is missing.
    """
    verifier = BlockVerifier(context)
    index = CommitIndex(delivered + 1)
    while commits := store.read_commits(index, index):
        (commit,) = commits
        signed = store.read_blocks(commit.blocks)
        if len(signed) != len(commit.blocks):
            raise StorageError(f"blocks of stored commit {commit.index} are missing")
        yield CommittedSubDag(
            commit, digest=commit_digest(commit), blocks=tuple(map(verifier.parse, signed))
        )
        index = CommitIndex(index + 1)
