"""What needs the store alone and so need not pass through the core: answers, redelivery.

Only what is stored is served, and an own block is stored durably before anyone hears of it, so
an answer can never leak a block that a crash would make us sign anew.
"""

from collections.abc import Iterator

from consensus.block import HEADER_CODEC, BlockRef, CommitVote, SignedBlock
from consensus.commit import COMMIT_CODEC, Commit, CommittedSubDag, commit_digest
from consensus.committee import EpochContext
from consensus.messages import (
    MESSAGE_BYTES_MAX,
    BlocksMessage,
    CommitAnswerMessage,
    CommitRequestMessage,
)
from consensus.parameters import Tuning
from consensus.ports import BlockStore
from consensus.verifier import BlockVerifier
from primitives.errors import StorageError
from primitives.ids import CommitIndex

ANSWER_BYTES_MAX = MESSAGE_BYTES_MAX // 2
"""Half a message, which leaves room for framing: an answer too long to encode would crash us."""


def answer_commits(
    request: CommitRequestMessage, *, store: BlockStore, context: EpochContext, tuning: Tuning
) -> CommitAnswerMessage:
    """Return the longest prefix of the asked range that stored votes certify; maybe empty."""
    last = min(request.last, request.first + tuning.commit_batch - 1)
    commits = store.read_commits(CommitIndex(request.first), CommitIndex(last))
    while commits:
        certifiers = _certifiers(commits[-1], store=store, context=context)
        if certifiers:
            size_bytes = sum(signed.size_bytes for signed in certifiers)
            size_bytes += sum(len(COMMIT_CODEC.encode(commit)) for commit in commits)
            if size_bytes <= ANSWER_BYTES_MAX:
                return CommitAnswerMessage(context.genesis_digest, commits, certifiers)
        commits = commits[:-1]
    return CommitAnswerMessage(context.genesis_digest, (), ())


def _certifiers(
    commit: Commit, *, store: BlockStore, context: EpochContext
) -> tuple[SignedBlock, ...]:
    """Return stored blocks, the smallest, whose votes certify a commit; none if they do not."""
    wanted = CommitVote(CommitIndex(commit.index), commit_digest(commit))
    certifiers: list[SignedBlock] = []
    voters = 0
    stored = store.read_voters(wanted.index)
    for signed in sorted(stored, key=lambda signed: (signed.size_bytes, signed.header)):
        header = HEADER_CODEC.decode(signed.header)
        if wanted in header.commit_votes and not voters >> header.author & 1:
            voters |= 1 << header.author
            certifiers.append(signed)
        if context.committee.is_quorum(voters):
            return tuple(certifiers)
    return ()


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
