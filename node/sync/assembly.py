"""From the pieces of an answer to sub-DAGs, every part checked against what is certified.

Guards: a digest covers the header of a block but neither its payload nor its signature, so both are
checked as well: what is stored here is served to others, who check it too.
"""

from collections.abc import Iterable

from consensus.block import Block, BlockRef, SignedBlock
from consensus.commit import Commit, CommittedSubDag
from consensus.verifier import BlockVerifier
from node.sync.errors import WrongCommitError
from node.sync.spine import Spine
from node.sync.wire import BlocksPiece, CommitsPiece
from primitives.errors import InvalidBlockError
from primitives.ids import CommitIndex


class Assembly:
    """Commits with all their blocks, put together from pieces in the order they came.

    Args:
        count_max: how many commits were asked for.
    """

    def __init__(self, *, count_max: int) -> None:
        self._count_max = count_max
        self._whole: list[tuple[Commit, tuple[SignedBlock, ...]]] = []
        self._waiting: list[Commit] = []
        self._blocks: list[SignedBlock] = []

    @property
    def commits(self) -> tuple[Commit, ...]:
        """Return the commits that are whole, the first one first."""
        return tuple(commit for commit, _ in self._whole)

    def add(self, piece: CommitsPiece | BlocksPiece) -> None:
        """Take the next piece.

        Raises:
            WrongCommitError: more blocks than the commits name.
        """
        match piece:
            case CommitsPiece(commits=commits):
                if self._waiting:
                    raise WrongCommitError("commits before the blocks of those before them")
                if len(self._whole) + len(commits) > self._count_max:
                    raise WrongCommitError("more commits than were asked for")
                self._waiting = list(commits)
            case BlocksPiece(blocks=blocks):
                self._blocks.extend(blocks)
        self._settle()

    def _settle(self) -> None:
        while self._waiting and len(self._blocks) >= len(self._waiting[0].blocks):
            commit = self._waiting.pop(0)
            count = len(commit.blocks)
            self._whole.append((commit, tuple(self._blocks[:count])))
            del self._blocks[:count]
        if self._blocks and not self._waiting:
            raise WrongCommitError("more blocks than the commits name")

    def verify(
        self, spine: Spine, *, first: CommitIndex, verifier: BlockVerifier
    ) -> list[CommittedSubDag]:
        """Return the whole commits as sub-DAGs, if they are the certified ones from an index on.

        Raises:
            WrongCommitError: one is not, or a block is not what its author signed.
        """
        found: list[CommittedSubDag] = []
        for index, (commit, blocks) in enumerate(self._whole, start=first):
            digest = spine.check(commit, index=index)
            found.append(
                CommittedSubDag(
                    commit, digest=digest, blocks=_verified(commit.blocks, blocks, verifier)
                )
            )
        return found


def _verified(
    refs: Iterable[BlockRef], blocks: Iterable[SignedBlock], verifier: BlockVerifier
) -> tuple[Block, ...]:
    verified: list[Block] = []
    for ref, signed in zip(refs, blocks, strict=True):
        try:
            block = verifier.verify(signed)
        except InvalidBlockError as error:
            raise WrongCommitError(f"a block of round {ref.round}: {error}") from error
        if block.ref != ref:
            raise WrongCommitError(f"another block than the commit names in round {ref.round}")
        verified.append(block)
    return tuple(verified)
