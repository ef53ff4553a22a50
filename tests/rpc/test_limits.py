"""What one client may take is bounded, before anything is parsed and after."""

import asyncio
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from node.rpc.door import Door
from node.rpc.limits import ClientRates, Quota, RpcLimits, client_of
from node.rpc.server import RpcServer, RpcSettings
from primitives.errors import ConfigurationError
from tests.chain.founded import genesis_file
from tests.rpc.stage import PLENTY, open_stage
from tests.rpc.wire import exchange, statuses

GENESIS = genesis_file()
HEAD = b"GET /v1/head HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    ("peername", "client"),
    [
        (("1.2.3.4", 5), "1.2.3.4"),
        (("2001:db8:1:2:3::4", 5, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5, 0, 0), "fe80::/64"),
        (("::ffff:1.2.3.4", 5, 0, 0), "1.2.3.4"),
        ("", "unix"),
        (None, "unix"),
        (("somewhere", 1), "somewhere"),
    ],
)
def test_one_client_is_one_address_or_one_network(peername: object, client: str) -> None:
    assert client_of(peername) == client


LOOPBACK = [client_of(("127.0.0.1", 1)), client_of(("::1", 1, 0, 0))]
AFAR = client_of(("192.0.2.1", 1))


@pytest.mark.parametrize("near", LOOPBACK)
def test_one_address_elsewhere_takes_a_quarter_and_loopback_all(near: str) -> None:
    quota = Quota(8)
    assert [quota.take(AFAR) for _ in range(3)] == [True, True, False]
    assert quota.take("192.0.2.2")
    assert [quota.take(near) for _ in range(6)] == [True] * 5 + [False]
    assert quota.taken == 8
    quota.give_back(AFAR, 2)
    assert quota.taken == 6
    assert quota.take(AFAR)


def test_quota_of_few_is_for_everybody_and_of_none_for_nobody() -> None:
    assert Quota(1).take(AFAR)
    assert not Quota(0).take(AFAR)
    assert not Quota(0).take(LOOPBACK[0])


@pytest.mark.asyncio
@pytest.mark.parametrize("near", LOOPBACK)
async def test_some_connections_are_kept_for_loopback(near: str) -> None:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response()

    limits = RpcLimits(connections_max=6, connections_per_client_max=4, connections_kept=2)
    door = Door(answer, limits=limits)
    assert [door.enter(client) for client in [AFAR] * 3 + ["192.0.2.2"] * 2] == [True] * 4 + [False]
    assert [door.enter(near) for _ in range(3)] == [True, True, False]
    door.leave(AFAR)
    assert not door.enter("192.0.2.2")
    assert door.enter(near)


def test_client_gets_its_burst_and_then_its_rate() -> None:
    rates = ClientRates(per_s=2, burst=3)
    assert [rates.admits("a", cost=1, now_ms=0) for _ in range(4)] == [True, True, True, False]
    assert rates.admits("b", cost=3, now_ms=0)
    assert rates.admits("a", cost=1, now_ms=500)
    assert not rates.admits("a", cost=1, now_ms=500)


def test_cost_above_the_burst_takes_all_of_it() -> None:
    rates = ClientRates(per_s=1, burst=3)
    assert rates.admits("a", cost=10, now_ms=0)
    assert not rates.admits("a", cost=1, now_ms=0)


def test_no_more_clients_are_remembered_than_fit() -> None:
    rates = ClientRates(per_s=1, burst=1, clients_max=2)
    assert rates.admits("a", cost=1, now_ms=0)
    for name in ("b", "c"):
        rates.admits(name, cost=1, now_ms=0)
    assert len(rates) == 2
    assert rates.admits("a", cost=1, now_ms=0)


@pytest.mark.asyncio
async def test_client_that_asks_too_much_is_told_when_to_come_back(tmp_path: Path) -> None:
    limits = RpcLimits(rate_per_s=1, burst=3)
    async with (
        open_stage(tmp_path, genesis=GENESIS, limits=limits) as stage,
        aiohttp.ClientSession() as session,
    ):
        answers: list[int] = []
        wait_s: str | None = None
        for _ in range(4):
            async with session.get(f"{stage.server.url}/health") as answer:
                answers.append(answer.status)
                wait_s = answer.headers.get("Retry-After")
        assert answers == [200, 200, 200, 429]
        assert wait_s == "2"
        stage.clock.now_ms += 1_000
        assert (await stage.client.health()).status == "ok"


@pytest.mark.asyncio
async def test_bodies_and_heads_are_bounded(tmp_path: Path) -> None:
    limits = RpcLimits(
        rate_per_s=10_000, burst=10_000, body_bytes_max=1_000, blob_bytes_max=2_000, idle_ms=200
    )
    async with open_stage(tmp_path, genesis=GENESIS, limits=limits) as stage:
        post = b"POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\n"
        json_head = post + b"Content-Type: application/json\r\n"
        cases = [
            (json_head + b"Content-Length: 1001\r\n\r\n" + bytes(1_001), 413),
            (json_head + b"\r\n", 411),
            (post + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415),
            (post + b"Content-Length: 2\r\n\r\n{}", 415),
            (json_head + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b", 400),
            (json_head + b"Content-Length: 999\r\n\r\n" + b"[" * 999, 400),
            (HEAD + b"X: " + b"y" * 5_000 + b"\r\n\r\n", 400),
            (HEAD + b"".join(b"X%d: y\r\n" % n for n in range(60)) + b"\r\n", 400),
            (HEAD + b"".join(b"X%d: %s\r\n" % (n, b"y" * 3_000) for n in range(6)) + b"\r\n", 431),
            (b"GET /v1/head?" + b"a" * 5_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
            (b"GET /v1/head HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 400),
        ]
        for request, status in cases:
            assert statuses(await exchange(stage.port, request)) == [status], request[:200]
        blob = b"POST /v1/blobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
        head = blob % stage.token().encode() + b"Content-Type: application/octet-stream\r\n"
        answer = await exchange(stage.port, head + b"Content-Length: 2001\r\n\r\n")
        assert statuses(answer) == [413]


@pytest.mark.asyncio
async def test_slow_heads_bodies_and_silence_are_cut(tmp_path: Path) -> None:
    limits = RpcLimits(rate_per_s=10_000, burst=10_000, idle_ms=100, deadline_ms=100)
    async with open_stage(tmp_path, genesis=GENESIS, limits=limits) as stage:
        body = b"Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{"
        post = b"POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\n" + body
        slow = [exchange_open(stage.port, start) for start in (b"", HEAD, post)]
        async with asyncio.timeout(2):
            silent, dribbling, waiting = [await one for one in slow]
        assert silent == dribbling == b""
        assert statuses(waiting) == [408]


async def exchange_open(port: int, start: bytes) -> bytes:
    """Send the start of a request and return what comes before the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(start)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        await closed(writer)


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.asyncio
async def test_only_so_many_connections_are_let_in(tmp_path: Path) -> None:
    limits = RpcLimits(connections_max=3, connections_per_client_max=2, rate_per_s=99, burst=99)
    async with open_stage(tmp_path, genesis=GENESIS, limits=limits) as stage:
        held = [await asyncio.open_connection("127.0.0.1", stage.port) for _ in range(2)]
        for _ in range(3):
            assert await exchange_open(stage.port, HEAD + b"\r\n") == b""
        held[0][1].write(HEAD + b"Connection: close\r\n\r\n")
        assert statuses(await held[0][0].read()) == [200]
        assert "rpc_refused_connections_total 3.0" in await stage.client.metrics()
        for _, writer in held:
            await closed(writer)


@pytest.mark.asyncio
async def test_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    async with open_stage(tmp_path, genesis=GENESIS) as stage:
        settings = RpcSettings(port=stage.port, limits=PLENTY)
        with pytest.raises(ConfigurationError, match=rf"127.0.0.1:{stage.port}.*\[rpc\] listen"):
            async with RpcServer(stage.context, settings):
                pass
