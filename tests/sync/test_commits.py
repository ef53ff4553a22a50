"""Fetching certified commits, where nobody has them any more."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from node.sync.client import SyncClient
from node.sync.commits import SPINE_DIGESTS_MAX, CommitFetcher, Stretch, SubDags
from node.sync.errors import TooFarBehindError
from node.sync.follower import Reach
from node.sync.wire import PIECE_CODEC, AbsentPiece, BlocksPiece, CommitsPiece
from primitives.ids import CommitIndex, Height
from tests.sync.village import QUICK, RealClock, grown, introduce

BY_RANGES = replace(QUICK, direct_commits_max=0, patience_ms=1)


def without_blocks(raw: bytes) -> bytes | None:
    """Keep what goes downwards, as a spine does, and deny the rest."""
    piece = PIECE_CODEC.decode(raw)
    if isinstance(piece, CommitsPiece) and piece.commits[0].index > piece.commits[-1].index:
        return raw
    return None if isinstance(piece, BlocksPiece) else PIECE_CODEC.encode(AbsentPiece(Height(99)))


@pytest.mark.asyncio
async def test_commits_whose_blocks_were_pruned_meanwhile_are_too_far(tmp_path: Path) -> None:
    async with grown(tmp_path, 3, transfers_every=3) as (village, server, _):
        node = await village.node()
        await introduce(node, await village.liar(server, "commits", without_blocks))
        with pytest.raises(TooFarBehindError, match="commit 1 of epoch 0"):
            await node.follower(limits=BY_RANGES).catch_up(Reach.NEWEST)


@pytest.mark.asyncio
async def test_way_without_a_certificate_is_bounded(tmp_path: Path) -> None:
    async with grown(tmp_path, 1) as (village, server, _):
        chain, host = server.chain, await village.host()
        client = SyncClient(host, chain_id=chain.chain_id, clock=RealClock(), limits=QUICK)
        assert chain.certified is not None
        far = CommitIndex(SPINE_DIGESTS_MAX + 1)
        target = msgspec.structs.replace(chain.certified.checkpoint, commit_index=far)
        stretch = Stretch(chain.context(), target, CommitIndex(1), Height(0))

        async def take(found: SubDags) -> None:
            raise AssertionError(found)

        with pytest.raises(TooFarBehindError):
            await CommitFetcher(client, limits=QUICK).fetch(stretch, take)
