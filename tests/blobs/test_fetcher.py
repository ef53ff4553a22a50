"""Blobs travel between nodes: whole, checked, from several holders, and past liars."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from node.blobs.aside import at_once, in_thread
from node.blobs.errors import BlobRoomError, BlobTooLongError, BlobUnavailableError
from node.blobs.fetch_plan import SPAN_LEAVES
from node.blobs.fetcher import BlobFetcher
from node.blobs.manifest import MANIFEST_CODEC, Access, BlobId, Manifest, blob_id
from node.blobs.messages import (
    BLOB_REQUEST_CODEC,
    IDS_PER_REQUEST_MAX,
    LEAVES_PER_REQUEST_MAX,
    OpenBlob,
    ReadLeaves,
    blob_protocol,
    have_protocol,
)
from node.blobs.server import BlobServer
from node.blobs.source import Memory, manifest_of
from node.chain.names import protocol
from p2p.errors import RequestRefusedError
from p2p.host import Host
from p2p.request import Handler, RequestServer, ask, ask_once
from p2p.wire.peer_id import PeerId
from primitives.errors import RemoteProtocolError
from tests.blobs.shelves import CHAIN, CHUNK, Keeper, content, opened, quarter
from tests.dsl.virtual_time import LoopClock, in_virtual_time
from tests.p2p.town import now_s

BLOB = blob_protocol(protocol(CHAIN, "blob"))
HAVE = have_protocol(protocol(CHAIN, "have"))
LONG = content(20 * CHUNK + 5)
SHORT = content(1_000, seed=9)


async def fetched(keeper: Keeper, blob: BlobId, *, size_bytes_max: int = len(LONG)) -> bytes:
    await keeper.fetcher.fetch(blob, deadline_ms=60_000, size_bytes_max=size_bytes_max)
    return keeper.store.read(blob)


def serve(host: Host, handler: Handler) -> None:
    host.handle(BLOB.name, RequestServer(BLOB, handler, clock=LoopClock()).serve)


def honest_chunk(raw: bytes, index: int) -> bytes:
    return raw[index * CHUNK : (index + 1) * CHUNK]


def liar(raw: bytes, *, served: list[int], manifest: bytes | None = None) -> Handler:
    """Return a handler that has the right manifest and no right chunk."""
    right = MANIFEST_CODEC.encode(manifest_of(Memory(raw)))

    async def lie(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        request = BLOB_REQUEST_CODEC.decode(body)
        if isinstance(request, OpenBlob):
            yield right if manifest is None else manifest
            places = range(min(request.leaves, manifest_of(Memory(raw)).leaf_count))
        else:
            places = range(request.first, request.first + request.count)
        for index in places:
            served.append(index)
            yield bytes(len(honest_chunk(raw, index)))

    return lie


@in_virtual_time
async def test_a_small_blob_takes_one_request_and_a_long_one_many(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near, far = await place.keeper(1), await place.keeper(2)
        for raw in (b"", SHORT, LONG):
            assert await fetched(near, far.put(raw)) == raw
        # What was fetched is given on.
        third = await place.keeper(3)
        await far.host.disconnect(third.host.peer_id)
        assert await fetched(third, blob_id(near.store.put(SHORT, access=Access.PUBLIC))) == SHORT


@in_virtual_time
async def test_a_blob_that_is_here_asks_nobody(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        alone = await place.keeper(1)
        blob = alone.put(SHORT)
        await alone.fetcher.fetch(blob, deadline_ms=1, size_bytes_max=1)


@in_virtual_time
async def test_several_holders_share_the_work(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near = await place.keeper(1)
        others = [await place.keeper(number) for number in (2, 3, 4)]
        raw = content(6 * SPAN_LEAVES * CHUNK)
        blob = [other.put(raw) for other in others].pop()
        assert await fetched(near, blob, size_bytes_max=len(raw)) == raw
        busy = [other for other in others if other.host.usages.of(BLOB.name).sent_bytes > CHUNK]
        assert len(busy) > 1


@in_virtual_time
async def test_private_blobs_are_as_if_they_were_not_there(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near, far = await place.keeper(1), await place.keeper(2)
        secret = far.put(SHORT, access=Access.PRIVATE)
        known = far.put(LONG)
        asked = [secret, known, BlobId(bytes(32))]
        assert await near.fetcher.which(far.host.peer_id, asked) == {known}
        with pytest.raises(BlobUnavailableError, match="no such blob"):
            await near.fetcher.fetch(secret, deadline_ms=3_000, size_bytes_max=CHUNK)
        far.store.publish(secret)
        assert await fetched(near, secret) == SHORT


@in_virtual_time
async def test_a_wrong_chunk_costs_a_ban_and_honest_peers_do_the_work(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near, far = await place.keeper(1), await place.keeper(2)
        blob, served = far.put(LONG), list[int]()
        liars = [await place.stranger(number) for number in range(10, 22)]
        for host in liars:
            serve(host, liar(LONG, served=served))
        assert await fetched(near, blob) == LONG
        banned = {ban.subject for ban in near.host.bans}
        assert banned
        assert banned <= {host.peer_id for host in liars}
        assert far.host.peer_id not in banned


@in_virtual_time
async def test_of_a_flood_of_poisoned_chunks_none_is_accepted(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near = await place.keeper(1)
        served: list[int] = []
        raw = content(2 * CHUNK)
        blob = blob_id(manifest_of(Memory(raw)).cid)
        liars = [await place.stranger(number) for number in range(10, 40)]
        for host in liars:
            serve(host, liar(raw, served=served))
        with pytest.raises(BlobUnavailableError, match="lied"):
            await near.fetcher.fetch(blob, deadline_ms=20_000, size_bytes_max=len(raw))
        assert len(served) >= len(liars)
        assert near.store.stat(blob).missing == 2
        assert {ban.subject for ban in near.host.bans} >= {host.peer_id for host in liars}


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"not msgpack \xff",
        MANIFEST_CODEC.encode(Manifest(5, bytes(32))),
        MANIFEST_CODEC.encode(manifest_of(Memory(content(3 * CHUNK)))),
        msgspec.msgpack.encode((2**63, bytes(32))),
        bytes(512 * 1024),
    ],
    ids=["empty", "garbage", "made up", "of another blob", "absurd", "endless"],
)
@in_virtual_time
async def test_a_lying_manifest_costs_a_ban(tmp_path: Path, manifest: bytes) -> None:
    async with quarter(tmp_path) as place:
        near = await place.keeper(1)
        stranger = await place.stranger(7)
        serve(stranger, liar(SHORT, served=[], manifest=manifest))
        blob = blob_id(manifest_of(Memory(SHORT)).cid)
        with pytest.raises(BlobUnavailableError):
            await near.fetcher.fetch(blob, deadline_ms=2_000, size_bytes_max=CHUNK)
        assert stranger.peer_id in {ban.subject for ban in near.host.bans}
        assert near.store.total.blobs == 0


@in_virtual_time
async def test_a_blob_over_the_limit_is_refused_before_its_chunks(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near, far = await place.keeper(1), await place.keeper(2)
        blob = far.put(LONG)
        with pytest.raises(BlobTooLongError):
            await fetched(near, blob, size_bytes_max=len(LONG) - 1)
        assert near.store.total.size_bytes == 0
        assert not list(near.host.bans)


@in_virtual_time
async def test_a_fetch_that_was_cut_short_is_resumed(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near = await place.keeper(1)
        manifest = manifest_of(Memory(LONG))
        blob = blob_id(manifest.cid)
        served: list[int] = []

        async def half(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
            """Give three chunks away and then nothing for ever."""
            request = BLOB_REQUEST_CODEC.decode(body)
            if isinstance(request, OpenBlob):
                yield MANIFEST_CODEC.encode(manifest)
            for index in range(3):
                served.append(index)
                yield honest_chunk(LONG, index)
            await asyncio.sleep(1_000)

        slow = await place.stranger(7)
        serve(slow, half)
        with pytest.raises(BlobUnavailableError, match="3 of 8 chunks came"):
            await near.fetcher.fetch(blob, deadline_ms=10_500, size_bytes_max=len(LONG))
        assert near.store.stat(blob).missing == manifest.leaf_count - 3
        far = await place.keeper(2)
        far.put(LONG)
        assert await fetched(near, blob) == LONG


@in_virtual_time
async def test_silent_and_slow_peers_do_not_hold_a_fetch_up(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near, far = await place.keeper(1), await place.keeper(2)
        blob = far.put(LONG)

        async def silent(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
            await asyncio.sleep(1_000)
            yield b""

        holders = []
        for number in range(10, 15):
            stranger = await place.stranger(number)
            serve(stranger, silent)
            holders.append(stranger.peer_id)
        start_s = now_s()
        await near.fetcher.fetch(
            blob, holders=holders, deadline_ms=60_000, size_bytes_max=len(LONG)
        )
        assert now_s() - start_s < 5
        assert not list(near.host.bans)


@in_virtual_time
async def test_too_few_chunks_are_a_broken_promise(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near = await place.keeper(1)
        stranger = await place.stranger(7)

        async def stingy(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
            if isinstance(BLOB_REQUEST_CODEC.decode(body), OpenBlob):
                yield MANIFEST_CODEC.encode(manifest_of(Memory(LONG)))

        serve(stranger, stingy)
        blob = blob_id(manifest_of(Memory(LONG)).cid)
        with pytest.raises(BlobUnavailableError, match="0 chunks came"):
            await near.fetcher.fetch(blob, deadline_ms=2_500, size_bytes_max=len(LONG))

        async def nothing(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
            for chunk in list[bytes]():
                yield chunk

        other = await place.stranger(8)
        serve(other, nothing)
        with pytest.raises(BlobUnavailableError):
            await near.fetcher.fetch(BlobId(bytes(32)), deadline_ms=500, size_bytes_max=5)


@in_virtual_time
async def test_nobody_to_ask_is_said_so(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        alone = await place.keeper(1)
        with pytest.raises(BlobUnavailableError, match="there is nobody to ask"):
            await alone.fetcher.fetch(BlobId(bytes(32)), deadline_ms=2_500, size_bytes_max=9)


@in_virtual_time
async def test_a_holder_that_comes_later_is_found(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near, far = await place.keeper(1), await place.keeper(2)
        blob = blob_id(manifest_of(Memory(SHORT)).cid)
        async with asyncio.TaskGroup() as group:
            fetching = group.create_task(fetched(near, blob), name="fetch")
            await asyncio.sleep(3)
            far.put(SHORT)
        assert fetching.result() == SHORT


@in_virtual_time
async def test_who_wants_the_same_blob_shares_one_fetch(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near, far = await place.keeper(1), await place.keeper(2)
        blob = far.put(LONG)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetched(near, blob), name=f"{n}") for n in range(5)]
        assert {task.result() for task in tasks} == {LONG}
        assert far.host.usages.of(BLOB.name).sent_bytes < 2 * len(LONG)


@in_virtual_time
async def test_no_room_is_our_own_failure(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near, far = await place.keeper(1), await place.keeper(2)
        blob = far.put(LONG)
        with opened(tmp_path / "small", bytes_max=CHUNK) as small:
            fetcher = BlobFetcher(near.host, small, chain_id=CHAIN, aside=at_once)
            with pytest.raises(BlobRoomError):
                await fetcher.fetch(blob, deadline_ms=9_000, size_bytes_max=len(LONG))
        assert not list(near.host.bans)


@in_virtual_time
async def test_malformed_requests_are_refused(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near, far = await place.keeper(1), await place.keeper(2)
        connection = await near.host.connect(far.host.peer_id)
        blob = far.put(LONG)
        hostile = (
            (BLOB, b""),
            (BLOB, b"\xc1"),
            (BLOB, msgspec.msgpack.encode((1, b"short", 1))),
            (BLOB, msgspec.msgpack.encode((1, blob, LEAVES_PER_REQUEST_MAX + 1))),
            (BLOB, msgspec.msgpack.encode((2, blob, 0, 0))),
            (BLOB, msgspec.msgpack.encode((2, blob, -1, 1))),
            (BLOB, msgspec.msgpack.encode((2, blob, 2**62, 1))),
            (BLOB, msgspec.msgpack.encode((2, b"../../../../etc/passwd" + bytes(10), 0, 1))),
            (HAVE, b""),
            (HAVE, msgspec.msgpack.encode(((),))),
            (HAVE, msgspec.msgpack.encode((("../../etc",),))),
        )
        for asked, body in hostile:
            with pytest.raises(RequestRefusedError):
                await ask_once(connection, asked, body)
        behind = BLOB_REQUEST_CODEC.encode(ReadLeaves(blob, 5_000, 3))
        assert [chunk async for chunk in ask(connection, BLOB, behind)] == []
        assert connection.is_open


@pytest.mark.parametrize("answer", [b"", b"\1", b"\1\1\1", b"\1\2"])
@in_virtual_time
async def test_an_answer_that_fits_no_question_is_blamed(tmp_path: Path, answer: bytes) -> None:
    async with quarter(tmp_path) as place:
        near = await place.keeper(1)
        stranger = await place.stranger(7)

        async def odd(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
            yield answer

        stranger.handle(HAVE.name, RequestServer(HAVE, odd, clock=LoopClock()).serve)
        with pytest.raises(RemoteProtocolError, match="for 2 ids"):
            await near.fetcher.which(stranger.peer_id, [BlobId(bytes(32)), BlobId(b"a" * 32)])


@in_virtual_time
async def test_many_ids_are_asked_in_bounds(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near, far = await place.keeper(1), await place.keeper(2)
        ids = [BlobId(number.to_bytes(32, "big")) for number in range(IDS_PER_REQUEST_MAX + 9)]
        assert await near.fetcher.which(far.host.peer_id, ids) == frozenset()


@in_virtual_time
async def test_a_blob_that_goes_while_it_is_served_is_refused(tmp_path: Path) -> None:
    async with quarter(tmp_path) as place:
        near, far = await place.keeper(1), await place.keeper(2)
        blob = far.put(LONG)
        connection = await near.host.connect(far.host.peer_id)
        body = BLOB_REQUEST_CODEC.encode(OpenBlob(blob, LEAVES_PER_REQUEST_MAX))
        answer = ask(connection, BLOB, body)
        await anext(answer)
        far.store.drop(blob)
        with pytest.raises(RequestRefusedError, match="no such blob"):
            async for _ in answer:
                pass


def test_in_real_time_threads_do_the_work(tmp_path: Path) -> None:
    async def travel() -> bytes:
        async with quarter(tmp_path) as place:
            near, far = await place.keeper(1), await place.keeper(2)
            stranger = await place.stranger(3)
            BlobServer(stranger, far.store, chain_id=CHAIN, aside=in_thread)
            fetcher = BlobFetcher(
                near.host, near.store, chain_id=CHAIN, peers=lambda: (stranger.peer_id,)
            )
            blob = far.put(LONG)
            await fetcher.fetch(blob, deadline_ms=20_000, size_bytes_max=len(LONG))
            return near.store.read(blob)

    assert asyncio.run(travel()) == LONG
