"""Commits downwards from a certified one."""

from collections.abc import Sequence
from functools import cache

import msgspec
import pytest

from consensus.commit import Commit
from node.ledger.checkpoint import NO_CHECKPOINT, Checkpoint
from node.sync.errors import WrongCommitError
from node.sync.spine import Spine
from primitives.ids import ChainId, CommitIndex, Epoch, Height, TimestampMs
from tests.consensus.builders import digest_of
from tests.consensus.chain import Chain
from tests.dsl.committee import context_of

LENGTH = 5


@cache
def chain() -> Chain:
    return Chain(context_of([1] * 4), LENGTH)


def downwards(first: int, last: int) -> Sequence[Commit]:
    return chain().run(first, last)[::-1]


def spine(*, first: int = 2) -> Spine:
    """Return a spine from a commit up to the last one."""
    checkpoint = Checkpoint(
        chain_id=ChainId(digest_of("chain")),
        epoch=Epoch(0),
        number=0,
        commit_index=CommitIndex(LENGTH),
        height=Height(LENGTH),
        commit_digest=chain().digest(LENGTH),
        timestamp_ms=TimestampMs(0),
        state_root=digest_of("state"),
        receipts_root=digest_of("receipts"),
        previous=NO_CHECKPOINT,
        next_committee=None,
    )
    return Spine(checkpoint, first=CommitIndex(first))


def test_spine_grows_downwards_until_it_is_whole() -> None:
    known = spine()
    assert (known.wanted, known.is_whole) == (5, False)
    known.extend(downwards(4, 5))
    assert (known.wanted, known.is_whole) == (3, False)
    known.extend(downwards(2, 3))
    assert known.is_whole
    assert known.previous == chain().digest(1)
    assert [known.digest(index) for index in range(2, 6)] == [
        chain().digest(index) for index in range(2, 6)
    ]


def test_commit_with_another_digest_is_refused_and_those_before_it_are_kept() -> None:
    known = spine()
    five, four = downwards(4, 5)
    with pytest.raises(WrongCommitError, match="commit 4 has another digest"):
        known.extend([five, msgspec.structs.replace(four, timestamp_ms=77)])
    assert known.wanted == 4


def test_commit_that_is_left_out_is_noticed() -> None:
    with pytest.raises(WrongCommitError):
        spine().extend(downwards(3, 4))


def test_commit_below_what_was_asked_for_is_refused() -> None:
    with pytest.raises(WrongCommitError, match="below what was asked for"):
        spine(first=4).extend(downwards(3, 5))
