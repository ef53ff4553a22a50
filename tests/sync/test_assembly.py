"""Pieces of an answer, put together."""

import pytest

from consensus.block import BlockRef, SignedBlock
from consensus.commit import Commit
from node.sync.assembly import Assembly
from node.sync.errors import WrongCommitError
from node.sync.wire import BlocksPiece, CommitsPiece
from tests.consensus.builders import digest_of, phantom

BLOCK = SignedBlock(b"header", bytes(64))


def commit(index: int, count: int) -> Commit:
    """Return a commit with so many blocks."""
    blocks: tuple[BlockRef, ...] = tuple(phantom(index, author) for author in range(count))
    return Commit(
        genesis=digest_of("genesis"),
        index=index,
        previous=digest_of(index),
        timestamp_ms=0,
        leader=phantom(index, 0),
        blocks=blocks,
        void=(),
    )


def assembly() -> Assembly:
    return Assembly(count_max=3)


def indices(parts: Assembly) -> list[int]:
    return [commit.index for commit in parts.commits]


def test_commits_are_whole_once_their_blocks_are_there() -> None:
    parts = assembly()
    parts.add(CommitsPiece((commit(1, 2), commit(2, 2))))
    assert parts.commits == ()
    parts.add(BlocksPiece((BLOCK,) * 3))
    assert indices(parts) == [1]
    parts.add(BlocksPiece((BLOCK,)))
    parts.add(CommitsPiece((commit(3, 1),)))
    parts.add(BlocksPiece((BLOCK,)))
    assert indices(parts) == [1, 2, 3]


def test_blocks_that_no_commit_names_are_refused() -> None:
    parts = assembly()
    parts.add(CommitsPiece((commit(1, 1),)))
    with pytest.raises(WrongCommitError, match="more blocks"):
        parts.add(BlocksPiece((BLOCK, BLOCK)))


def test_commits_before_the_blocks_of_those_before_are_refused() -> None:
    parts = assembly()
    parts.add(CommitsPiece((commit(1, 1),)))
    with pytest.raises(WrongCommitError, match="commits before the blocks"):
        parts.add(CommitsPiece((commit(2, 1),)))


def test_more_commits_than_asked_for_are_refused() -> None:
    with pytest.raises(WrongCommitError, match="more commits"):
        assembly().add(CommitsPiece(tuple(commit(index, 1) for index in range(1, 5))))
