"""What a node has for others."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from node.sync.answers import Answers
from node.sync.limits import DEFAULT_SERVING
from node.sync.server import SyncServer
from node.sync.serving import (
    Cuts,
    certificate_for,
    links_for,
    range_pieces,
    spine_pieces,
    stored_blocks,
)
from node.sync.wire import (
    CHUNK_REQUEST_CODEC,
    MANIFEST_REQUEST_CODEC,
    PIECE_CODEC,
    BlocksPiece,
    CertificateRequest,
    ChunkRequest,
    CommitsPiece,
    LinksRequest,
    ManifestRequest,
    RangeRequest,
    SpineRequest,
    SyncProtocols,
)
from p2p.request import RefusedRequestError, ask_once
from primitives.ids import CommitIndex, Digest, Epoch, Height
from tests.p2p.town import meet, peer_of
from tests.sync.chronicle import GENESIS_OF_SHORT_EPOCHS
from tests.sync.village import RealClock, grown

ASKER = peer_of(99)


def request(epoch: int, *, above: int, wanted: int) -> CertificateRequest:
    return CertificateRequest(Epoch(epoch), Height(above), Height(wanted))


def indices(pieces: Iterable[bytes]) -> list[int]:
    """Return the indices of the commits in pieces."""
    return [
        commit.index
        for piece in map(PIECE_CODEC.decode, pieces)
        if isinstance(piece, CommitsPiece)
        for commit in piece.commits
    ]


@pytest.mark.asyncio
async def test_certificate_leads_as_far_as_wanted_and_not_out_of_the_epoch(tmp_path: Path) -> None:
    async with grown(tmp_path, 7, genesis=GENESIS_OF_SHORT_EPOCHS) as (_, server, _):

        def height(epoch: int, *, above: int, wanted: int) -> int | None:
            asked = request(epoch, above=above, wanted=wanted)
            found = certificate_for(asked, chain=server.chain)
            return None if found is None else found.checkpoint.height

        assert height(0, above=0, wanted=3) == 3
        assert height(0, above=0, wanted=99) == 5
        assert height(0, above=5, wanted=99) is None
        assert height(1, above=5, wanted=99) == 7
        assert height(1, above=7, wanted=99) is None
        assert height(2, above=7, wanted=99) is None
        epochs = [
            link.certificate.checkpoint.epoch
            for link in links_for(LinksRequest(Epoch(0), 9), chain=server.chain)
        ]
        assert epochs == [0, 1]
        assert len(list(links_for(LinksRequest(Epoch(0), 1), chain=server.chain))) == 1
        assert list(links_for(LinksRequest(Epoch(7), 9), chain=server.chain)) == []


@pytest.mark.asyncio
async def test_answers_about_commits_are_cut_into_pieces(tmp_path: Path) -> None:
    async with grown(tmp_path, 5) as (_, server, _):
        store = stored_blocks(server.chain, Epoch(0))
        first, last = CommitIndex(2), CommitIndex(9)
        spine = SpineRequest(Epoch(0), first, CommitIndex(5))
        whole = RangeRequest(Epoch(0), first, last)
        assert indices(spine_pieces(spine, store=store)) == [5, 4, 3, 2]
        assert indices(range_pieces(whole, store=store)) == [2, 3, 4, 5]
        small = Cuts(piece_bytes=1)
        pieces = list(range_pieces(whole, store=store, cuts=small))
        kinds = [type(PIECE_CODEC.decode(piece)) for piece in pieces]
        assert kinds == [CommitsPiece, *[BlocksPiece] * 4] * 4
        assert len(list(spine_pieces(spine, store=store, cuts=small))) == 4
        # The answer ends with the commit that reaches the bound.
        short = Cuts(piece_bytes=1, answer_bytes=1)
        assert indices(range_pieces(whole, store=store, cuts=short)) == [2]


@pytest.mark.asyncio
async def test_what_is_not_stored_ends_the_answer(tmp_path: Path) -> None:
    async with grown(tmp_path, 2) as (_, server, _):
        store = stored_blocks(server.chain, Epoch(7))
        first, last = CommitIndex(1), CommitIndex(2)
        assert list(spine_pieces(SpineRequest(Epoch(7), first, last), store=store)) == []
        assert list(range_pieces(RangeRequest(Epoch(7), first, last), store=store)) == []


@pytest.mark.asyncio
async def test_state_is_held_for_who_asks_and_let_go_afterwards(tmp_path: Path) -> None:
    async with grown(tmp_path, 3) as (_, server, _):
        answers = Answers(server.chain, clock=RealClock(), limits=DEFAULT_SERVING)
        handlers = {kind.name.split("/")[4]: handler for kind, handler in answers.handlers()}

        async def answer(name: str, body: bytes) -> list[bytes]:
            return [chunk async for chunk in handlers[name](ASKER, body)]

        def manifest(height: int | None) -> bytes:
            return MANIFEST_REQUEST_CODEC.encode(
                ManifestRequest(None if height is None else Height(height))
            )

        chunk = CHUNK_REQUEST_CODEC.encode(ChunkRequest(Height(3), Digest(bytes(32))))
        assert await answer("chunk", chunk) == []
        assert len(await answer("manifest", manifest(None))) == 1
        assert len(await answer("manifest", manifest(2))) == 1
        assert answers.shelf.heights == (3, 2)
        assert len(await answer("chunk", chunk)) == 1
        # Neither a height without a certificate, nor more than there is room for.
        assert await answer("manifest", manifest(77)) == []
        assert await answer("manifest", manifest(1)) == []
        with pytest.raises(RefusedRequestError):
            await answer("manifest", b"noise")
        answers.shelf.clear()
        answers.tidy()
        assert not answers.shelf.heights


@pytest.mark.asyncio
async def test_server_that_ends_holds_nothing_any_more(tmp_path: Path) -> None:
    async with grown(tmp_path, 1) as (place, server, _):
        host, late = await place.host(), await place.node()
        serving = SyncServer(host, server.chain, clock=RealClock())
        async with asyncio.TaskGroup() as group:
            task = group.create_task(serving.run())
            connection = await meet(late.host, host)
            body = MANIFEST_REQUEST_CODEC.encode(ManifestRequest(None))
            kind = SyncProtocols(server.chain.chain_id).manifest
            assert await ask_once(connection, kind, body)
            assert serving.held_heights == (1,)
            task.cancel()
        assert not serving.held_heights


@pytest.mark.asyncio
async def test_chain_without_a_certificate_offers_no_state(tmp_path: Path) -> None:
    async with grown(tmp_path, 0) as (_, server, _):
        answers = Answers(server.chain, clock=RealClock(), limits=DEFAULT_SERVING)
        (_, handler), *_ = [entry for entry in answers.handlers() if "/manifest/" in entry[0].name]
        body = MANIFEST_REQUEST_CODEC.encode(ManifestRequest(None))
        assert [chunk async for chunk in handler(ASKER, body)] == []
