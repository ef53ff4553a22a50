"""Peers that lie: each is blamed, and another one is used."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from consensus.block import SignedBlock
from node.ledger.checkpoint import CERTIFICATE_CODEC
from node.sync.follower import Reach
from node.sync.wire import PIECE_CODEC, BlocksPiece, CommitsPiece
from p2p.wire.peer_id import peer_id_text
from primitives.ids import Digest
from tests.p2p.town import until
from tests.sync.village import QUICK, Mangle, grown, introduce

BY_RANGES = replace(QUICK, direct_commits_max=0, range_commits=2, patience_ms=50)


def on_blocks(change: Callable[[SignedBlock], SignedBlock]) -> Mangle:
    def mangle(raw: bytes) -> bytes:
        piece = PIECE_CODEC.decode(raw)
        if isinstance(piece, BlocksPiece):
            return PIECE_CODEC.encode(BlocksPiece((change(piece.blocks[0]), *piece.blocks[1:])))
        return raw

    return mangle


def on_commits(change: Callable[[CommitsPiece], CommitsPiece]) -> Mangle:
    def mangle(raw: bytes) -> bytes:
        piece = PIECE_CODEC.decode(raw)
        return PIECE_CODEC.encode(change(piece)) if isinstance(piece, CommitsPiece) else raw

    return mangle


def other_payload(signed: SignedBlock) -> SignedBlock:
    return msgspec.structs.replace(signed, payload=(b"mine",))


def other_signature(signed: SignedBlock) -> SignedBlock:
    return msgspec.structs.replace(signed, signature=bytes(64))


def other_time(piece: CommitsPiece) -> CommitsPiece:
    first, *others = piece.commits
    return CommitsPiece((msgspec.structs.replace(first, timestamp_ms=1), *others))


def twice(piece: CommitsPiece) -> CommitsPiece:
    return CommitsPiece(piece.commits * 2)


def reversed_blocks(raw: bytes) -> bytes:
    piece = PIECE_CODEC.decode(raw)
    return PIECE_CODEC.encode(
        BlocksPiece(piece.blocks[::-1]) if isinstance(piece, BlocksPiece) else piece
    )


def other_root(raw: bytes) -> bytes:
    certificate = CERTIFICATE_CODEC.decode(raw)
    forged = msgspec.structs.replace(certificate.checkpoint, state_root=Digest(bytes(32)))
    return CERTIFICATE_CODEC.encode(msgspec.structs.replace(certificate, checkpoint=forged))


def noise(raw: bytes) -> bytes:
    return b"\xc1" + raw


def refusals(logs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return code and peer of each answer that was of no use."""
    return [(log["code"], log["peer"]) for log in logs if log["event"] == "answer refused"]


LIES_ABOUT_COMMITS = pytest.mark.parametrize(
    "mangle",
    [
        on_blocks(other_payload),
        on_blocks(other_signature),
        reversed_blocks,
        on_commits(other_time),
        on_commits(twice),
        noise,
    ],
    ids=["payload", "signature", "order", "commit", "too many", "noise"],
)


@LIES_ABOUT_COMMITS
@pytest.mark.asyncio
async def test_liar_about_commits_is_blamed_and_another_peer_used(
    tmp_path: Path, mangle: Mangle
) -> None:
    async with grown(tmp_path, 3, transfers_every=3) as (place, server, _):
        node, liar = await place.node(), await place.liar(server, "commits", mangle)
        await introduce(node, liar, server)
        with capture_logs() as logs:
            await node.follower().catch_up(Reach.NEWEST)
        assert node.chain.head == server.chain.head
        assert set(refusals(logs)) == {("sync-false-answer", peer_id_text(liar.peer_id))}


@LIES_ABOUT_COMMITS
@pytest.mark.asyncio
async def test_liar_on_a_long_way_leads_nowhere_until_another_peer_comes(
    tmp_path: Path, mangle: Mangle
) -> None:
    async with grown(tmp_path, 3, transfers_every=3) as (place, server, _):
        node, liar = await place.node(), await place.liar(server, "commits", mangle)
        await introduce(node, liar)
        with capture_logs() as logs:
            async with asyncio.TaskGroup() as group:
                follower = node.follower(limits=BY_RANGES)
                group.create_task(follower.catch_up(Reach.NEWEST))
                await until(lambda: refusals(logs))
                assert node.chain.head.height == 0
                await introduce(node, server)
        # It lies so often that the host bans it, and its connection is lost.
        assert {peer for _, peer in refusals(logs)} == {peer_id_text(liar.peer_id)}
        assert "sync-false-answer" in {code for code, _ in refusals(logs)}
        assert node.chain.head == server.chain.head


@pytest.mark.parametrize("mangle", [other_root, noise], ids=["forged", "noise"])
@pytest.mark.asyncio
async def test_liar_about_certificates_is_blamed_and_another_peer_used(
    tmp_path: Path, mangle: Mangle
) -> None:
    async with grown(tmp_path, 2) as (place, server, _):
        node, liar = await place.node(), await place.liar(server, "certificate", mangle)
        await introduce(node, liar, server)
        with capture_logs() as logs:
            await node.follower().catch_up(Reach.NEWEST)
        assert node.chain.head == server.chain.head
        assert set(refusals(logs)) == {("sync-false-answer", peer_id_text(liar.peer_id))}


@pytest.mark.asyncio
async def test_certificate_that_is_no_news_is_a_lie(tmp_path: Path) -> None:
    async with grown(tmp_path, 2) as (place, server, chronicle):
        node = await place.node()
        await introduce(node, server)
        await node.follower().catch_up(Reach.NEWEST)
        old = server.chain.certificate(0)
        assert old is not None
        liar = await place.liar(server, "certificate", lambda _: CERTIFICATE_CODEC.encode(old))
        await introduce(node, liar)
        # It has something to say only if there is news.
        await chronicle.grow(1)
        with capture_logs() as logs:
            await node.follower().catch_up(Reach.NEWEST)
        assert set(refusals(logs)) == {("sync-false-answer", peer_id_text(liar.peer_id))}
        assert node.chain.head == server.chain.head


@pytest.mark.asyncio
async def test_silent_peer_costs_a_moment_only(tmp_path: Path) -> None:
    limits = replace(QUICK, survey_ms=100, stagger_ms=20)
    async with grown(tmp_path, 3) as (place, server, _):
        node, silent = await place.node(), await place.silent(server)
        await introduce(node, silent, server)
        with capture_logs() as logs:
            await node.follower(limits=limits).catch_up(Reach.NEWEST)
        assert node.chain.head == server.chain.head
        assert {code for code, _ in refusals(logs)} == {"p2p_timeout"}


@pytest.mark.parametrize("pieces", [0, 1], ids=["nothing", "half"])
@pytest.mark.asyncio
async def test_answer_that_ends_early_is_completed_by_another_peer(
    tmp_path: Path, pieces: int
) -> None:
    async with grown(tmp_path, 3, transfers_every=3) as (place, server, _):
        left = [pieces]

        def some(raw: bytes) -> bytes | None:
            left[0] -= 1
            return raw if left[0] >= 0 else None

        node, miser = await place.node(), await place.liar(server, "commits", some)
        await introduce(node, miser, server)
        await node.follower(limits=BY_RANGES).catch_up(Reach.NEWEST)
        assert node.chain.head == server.chain.head
