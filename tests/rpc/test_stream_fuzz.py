"""Frames that no client would send: the socket ends, the node stays as it was.

RFC 6455, section 5.2, is the form of a frame; here are those that break it, in any order, cut
anywhere, and clients that take no answer. After each the server has no socket, no subscription and
no follower of the chain left, and answers as before.
"""

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import aiohttp
import pytest
import pytest_asyncio

from node.rpc import socket_session
from node.rpc.limits import RpcLimits
from tests.rpc.stage import Stage, open_stage
from tests.rpc.test_stream import HANDSHAKE

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMITS = RpcLimits(rate_per_s=1_000_000, burst=1_000_000, streams_max=64, subscriptions_max=200)
OWN_FOLLOWERS = 1
"""Of the chain: the mempool."""
SUBSCRIBE = b'{"type":"subscribe","id":%d,"topic":"commits"}'


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("node"), limits=LIMITS) as stage:
        yield stage


def frame(
    payload: bytes, *, head: int = 0x81, mask: int = 0x80, length: int | None = None
) -> bytes:
    """Return a frame.

    Args:
        payload: masked with zeros, so as it is.
        head: FIN, the reserved bits and the opcode; 0x81 is a whole text.
        mask: 0 leaves the payload unmasked, which no client may.
        length: what the frame says of itself, when it lies.
    """
    size = len(payload) if length is None else length
    if size < 126:
        start = struct.pack("!BB", head, mask | size)
    elif size < 1 << 16:
        start = struct.pack("!BBH", head, mask | 126, size)
    else:
        start = struct.pack("!BBQ", head, mask | 127, size)
    return start + (bytes(4) if mask else b"") + payload


def any_frame(dice: random.Random) -> bytes:
    """Return a frame that is wrong in some way, or right."""
    payload = dice.choice(
        (
            b"",
            SUBSCRIBE % dice.randrange(40),
            dice.randbytes(dice.randrange(300)),
            b'{"type":"subscribe","id":1e400,"topic":"commits"}',
            b'{"type":["subscribe"],"id":{},"topic":null}',
            b"[" * 3_000,
            b"\xff\xfe" * 20,
            struct.pack("!H", dice.randrange(1 << 16)) + b"\xff\xff",
            b"9" * 5_000,
        )
    )
    head = dice.choice(
        (0x81, 0x81, 0x81, 0x82, 0x01, 0x00, 0x80, 0x88, 0x89, 0x8A, dice.randrange(256))
    )
    length = dice.choice((None,) * 8 + (0, 125, 65_535, 1 << 31, (1 << 63) - 1, (1 << 64) - 1))
    return frame(payload, head=head, mask=dice.choice((0x80,) * 6 + (0,)), length=length)


async def nothing_is_left(stage: Stage) -> None:
    """Wait until the server holds nothing for any client, and see that it answers."""
    async with asyncio.timeout(15):
        while stage.chain.feed.subscriber_count > OWN_FOLLOWERS:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)
    assert (await stage.client.health()).status == "ok"
    assert await counted(stage, "rpc_subscriptions") == 0
    assert await counted(stage, "rpc_failed_total") == 0


async def counted(stage: Stage, name: str) -> int:
    lines = (await stage.client.metrics()).splitlines()
    (found,) = (line for line in lines if line.startswith(f"{name} "))
    return int(float(found.split()[1]))


async def raw(stage: Stage, content: bytes, *, then: Callable[[], float]) -> None:
    """Open a WebSocket, send bytes, perhaps wait, and hang up without a word."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    with suppress(ConnectionError):
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(content)
        await writer.drain()
        with suppress(TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(then()):
                await reader.read(1 << 16)
    writer.transport.abort()


async def sessions(stage: Stage, *, seed: int, count: int) -> None:
    dice = random.Random(seed)

    async def one() -> None:
        content = b"".join(any_frame(dice) for _ in range(dice.randrange(1, 8)))
        if dice.random() < 0.3:
            # Hang up in the middle of a frame.
            content = content[: dice.randrange(len(content))]
        await raw(stage, content, then=lambda: dice.choice((0.0, 0.002, 0.02)))

    for _ in range(count // 20):
        async with asyncio.TaskGroup() as clients:
            for number in range(20):
                clients.create_task(one(), name=f"client {number}")
    await nothing_is_left(stage)


async def test_any_frames_leave_nothing_behind(stage: Stage) -> None:
    await sessions(stage, seed=1, count=100)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
async def test_many_frames_leave_nothing_behind(stage: Stage, seed: int) -> None:
    await sessions(stage, seed=seed, count=1_000)


async def test_thousands_of_subscriptions_stay_within_the_bound(stage: Stage) -> None:
    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(f"{stage.server.url}/v1/stream") for _ in range(32)]
        for ws in sockets:
            with suppress(ConnectionError):
                for number in range(64):
                    await ws.send_str((SUBSCRIBE % number).decode())
        held = await counted(stage, "rpc_subscriptions")
        assert held <= LIMITS.subscriptions_max
        assert await counted(stage, "rpc_connections") <= len(sockets) + 2
        await stage.commit()
        for ws in sockets:
            await ws.close()
    await nothing_is_left(stage)


async def written_for_ever(writer: asyncio.StreamWriter, content: bytes) -> None:
    async with asyncio.timeout(10):
        while True:
            writer.write(content)
            await writer.drain()
            await asyncio.sleep(0)


async def test_client_that_pings_without_end_is_cut(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_session, "CLOSE_TIMEOUT_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port, limit=1_024)
    writer.write(HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    flood = frame(bytes(125), head=0x89) * 100
    # It takes no answer either, so only the server can end this.
    with pytest.raises(ConnectionError):
        await written_for_ever(writer, flood)
    writer.transport.abort()
    await nothing_is_left(stage)


async def test_ping_is_answered(stage: Stage) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{stage.server.url}/v1/stream", autoping=False) as ws,
    ):
        await ws.ping(b"there?")
        answer = await ws.receive(timeout=5)
        assert (answer.type, bytes(answer.data)) == (aiohttp.WSMsgType.PONG, b"there?")


async def test_client_that_hangs_up_while_its_ping_is_answered_is_no_failure(stage: Stage) -> None:
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port, limit=1_024)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(frame(bytes(125), head=0x89) * 60)
        await writer.drain()
        writer.transport.abort()
    await nothing_is_left(stage)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic eDp5",
        "Bearer a.b.c",
        "Bearer " + "." * 900,
        "Bearer ..",
        "x" * 3_000,
    ],
)
async def test_garbage_for_a_token_opens_no_socket(stage: Stage, token: str) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": token}) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await session.ws_connect(f"{stage.server.url}/v1/stream")
    await nothing_is_left(stage)
