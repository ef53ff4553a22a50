"""The spine: the digests of a row of commits, certified by the last one.

Guards: a certificate names the digest of one commit, and every commit names the one before it. So
commits are taken downwards from the certified one, each is checked as it arrives, and a wrong one
tells who sent it.
"""

from collections.abc import Iterable

from consensus.commit import Commit, commit_digest
from node.ledger.checkpoint import Checkpoint
from node.sync.errors import WrongCommitError
from primitives.ids import CommitIndex, Digest


class Spine:
    """Digests of the commits of one epoch from an index up to a certified commit.

    Args:
        target: the certified checkpoint at its end.
        first: index of the first commit that is wanted.
    """

    def __init__(self, target: Checkpoint, *, first: CommitIndex) -> None:
        self.target = target
        self.first = first
        # Digest of each known commit, the certified one first.
        self._digests: list[Digest] = [target.commit_digest]
        self._previous: Digest | None = None

    @property
    def last(self) -> CommitIndex:
        """Return the index of the certified commit."""
        return self.target.commit_index

    @property
    def wanted(self) -> CommitIndex:
        """Return the index of the next commit to `extend` with."""
        return CommitIndex(self.last - len(self._digests) + 1)

    @property
    def is_whole(self) -> bool:
        """Tell whether every digest, and the predecessor of the first commit, is known."""
        return self._previous is not None

    @property
    def previous(self) -> Digest:
        """Return the digest that the first commit names as its predecessor."""
        assert self._previous is not None, "asked of a spine that is not whole"
        return self._previous

    def digest(self, index: int) -> Digest:
        """Return the certified digest of a commit."""
        return self._digests[self.last - index]

    def extend(self, commits: Iterable[Commit]) -> None:
        """Take commits downwards, the next one first.

        Raises:
            WrongCommitError: one is not the certified one; those before it were taken.
        """
        for commit in commits:
            if self.is_whole:
                raise WrongCommitError(f"commit {commit.index} is below what was asked for")
            self.check(commit, index=self.wanted)
            if commit.index == self.first:
                self._previous = Digest(commit.previous)
            else:
                self._digests.append(Digest(commit.previous))

    def check(self, commit: Commit, *, index: int) -> Digest:
        """Return the digest of a commit if it is the certified one of its index.

        Raises:
            WrongCommitError: it is not.
        """
        digest = commit_digest(commit)
        if commit.index != index or digest != self.digest(index):
            raise WrongCommitError(f"commit {index} has another digest than is certified")
        return digest
