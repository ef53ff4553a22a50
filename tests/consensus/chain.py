"""A chain of commits and the blocks whose votes certify them, made up for the sake of sync."""

from collections.abc import Iterable

from consensus.block import Block, CommitVote
from consensus.commit import Commit, commit_digest, genesis_commit_digest
from consensus.committee import EpochContext
from primitives.ids import Digest
from tests.consensus.builders import Forge, phantom, vote


class Chain:
    """Commits 1..length, each of one made-up block."""

    def __init__(self, context: EpochContext, length: int) -> None:
        self.forge = Forge(context)
        self.commits: list[Commit] = []
        previous = genesis_commit_digest(context.genesis_digest)
        for index in range(1, length + 1):
            leader = phantom(index, index % context.committee.size)
            commit = Commit(
                genesis=context.genesis_digest,
                index=index,
                previous=previous,
                timestamp_ms=index,
                leader=leader,
                blocks=(leader,),
                void=(),
            )
            self.commits.append(commit)
            previous = commit_digest(commit)

    def run(self, first: int, last: int) -> tuple[Commit, ...]:
        """Return commits first..last."""
        return tuple(self.commits[first - 1 : last])

    def digest(self, index: int) -> Digest:
        """Return the digest of a commit."""
        return commit_digest(self.commits[index - 1])

    def vote(self, index: int) -> CommitVote:
        """Return the right vote for a commit."""
        return vote(index, self.digest(index))

    def voters(self, index: int, authors: Iterable[int]) -> list[Block]:
        """Return one block per author, each with the right vote."""
        return [self.voter(author, self.vote(index)) for author in authors]

    def voter(self, author: int, *votes: CommitVote) -> Block:
        """Return a block with these votes."""
        return self.forge.block(1, author, votes=votes)
