"""The WebSocket: what is followed comes, in order; who does not read is told and cut."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import closing as closing_socket
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.chain.feed import CertificateFormed
from node.federation import calls
from node.ledger.transaction import Transfer
from node.rpc import server, socket_session
from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from node.rpc.limits import RpcLimits
from node.rpc.log_ring import LogRing
from node.rpc.schemas import LogLine
from node.rpc.stream_schemas import (
    CertificateNotice,
    CommitNotice,
    EventNotice,
    LogNotice,
    RoundNotice,
    Single,
    Topic,
)
from node.rpc.topics import FAULTS_MAX, SUBSCRIPTIONS_PER_SOCKET_MAX
from primitives.ids import Grain, TimestampMs
from tests.chain.founded import address_of
from tests.rpc.offers import create_task
from tests.rpc.stage import Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMITS = RpcLimits(rate_per_s=1_000_000, burst=1_000_000, streams_max=4, subscriptions_max=20)


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("node"), limits=LIMITS) as stage:
        yield stage


NOW = TimestampMs(1_790_000_000_000)
HANDSHAKE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def take(notices: AsyncIterator[Single], count: int, *, limit_s: float = 5) -> list[Single]:
    async with asyncio.timeout(limit_s):
        return [await anext(notices) for _ in range(count)]


async def transfer(stage: Stage) -> None:
    await stage.send(Transfer(address_of("bob"), Grain(1)))


async def test_commits_and_certificates_come_in_order(stage: Stage) -> None:
    async with stage.client.stream() as stream:
        subscribed = await stream.subscribe(Topic.COMMITS)
        assert subscribed.height == stage.chain.head.height
        await transfer(stage)
        await transfer(stage)
        first, certified, second, _ = await take(aiter(stream), 4)
    assert isinstance(first, CommitNotice)
    assert isinstance(certified, CertificateNotice)
    assert isinstance(second, CommitNotice)
    assert (first.height, first.receipts) == (subscribed.height + 1, 1)
    assert certified.height == first.height
    assert second.height == first.height + 1


async def test_events_of_one_contract_come_with_their_fields(stage: Stage) -> None:
    async with stage.client.stream() as stream:
        every = await stream.subscribe(Topic.EVENTS)
        own = await stream.subscribe(Topic.EVENTS, contract=calls.IDENTITY.hex())
        other = await stream.subscribe(Topic.EVENTS, contract=calls.REGISTRY.hex())
        await stage.send(calls.register("bob"), sender="bob")
        notices = await take(aiter(stream), 2)
    assert {notice.id for notice in notices} == {every.id, own.id}
    assert other.id not in (every.id, own.id)
    notice = notices[0]
    assert isinstance(notice, EventNotice)
    assert notice.event.event.name == "Registered"
    assert notice.event.event.fields["name"] == "bob"


async def test_rounds_of_one_task_come(stage: Stage) -> None:
    async with stage.client.stream() as stream:
        await stream.subscribe(Topic.ROUNDS, task=1)
        own = await stream.subscribe(Topic.ROUNDS, task=0)
        await stage.send(create_task(), sender="alice")
        await stage.send(calls.open_round(0), sender="alice")
        notices = await take(aiter(stream), 3)
    names = []
    for notice in notices:
        assert isinstance(notice, RoundNotice)
        assert (notice.id, notice.task) == (own.id, 0)
        names.append(notice.event.event.name)
    assert names == ["TaskCreated", "RoundOpened", "PhaseEntered"]


async def test_nothing_comes_any_more_once_unsubscribed(stage: Stage) -> None:
    async with stage.client.stream() as stream:
        subscribed = await stream.subscribe(Topic.COMMITS)
        await stream.unsubscribe(subscribed.id)
        await transfer(stage)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(stream)


async def test_log_is_for_the_operator(stage: Stage) -> None:
    async with stage.client.stream() as stream:
        with pytest.raises(NodeAnswerError, match="operator"):
            await stream.subscribe(Topic.LOGS)
    logs = stage.context.logs
    assert isinstance(logs, LogRing)
    async with stage.client_of() as client, client.stream() as stream:
        await stream.subscribe(Topic.LOGS)
        # The queue is there once the server's task for the log has had its turn.
        await asyncio.sleep(0.02)
        logs(None, "warning", {"event": "peer banned", "logger": "tests", "peer": "somebody"})
        (notice,) = await take(aiter(stream), 1)
    assert isinstance(notice, LogNotice)
    line = LogLine(
        time_ms=stage.clock.wall_ms(),
        level="warning",
        logger="tests",
        event="peer banned",
        fields={"peer": "somebody"},
    )
    assert notice.line == line
    assert logs.tail(1) == [line]


async def test_token_that_does_not_hold_opens_no_socket(stage: Stage) -> None:
    async with stage.client_of() as client:
        stage.clock.now_ms += 10_000_000
        stale = stage.token("bob")
        stage.clock.now_ms -= 10_000_000
        assert stale
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {stale}"}) as session:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
                await session.ws_connect(f"{stage.server.url}/v1/stream")
        assert (await client.health()).status == "ok"


async def test_foreign_page_opens_no_socket(stage: Stage) -> None:
    async with aiohttp.ClientSession(headers={"Origin": "https://evil.example"}) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(f"{stage.server.url}/v1/stream")


async def test_request_that_is_no_upgrade_is_told_so(stage: Stage) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{stage.server.url}/v1/stream") as answer,
    ):
        assert answer.status == 426


async def test_one_socket_holds_a_bounded_number_of_subscriptions(stage: Stage) -> None:
    async with stage.client.stream() as stream:
        for _ in range(SUBSCRIPTIONS_PER_SOCKET_MAX):
            await stream.subscribe(Topic.COMMITS)
        with pytest.raises(NodeAnswerError, match="too many"):
            await stream.subscribe(Topic.COMMITS)


async def test_all_sockets_together_hold_a_bounded_number(stage: Stage) -> None:
    async with stage.client.stream() as one, stage.client.stream() as other:
        for _ in range(SUBSCRIPTIONS_PER_SOCKET_MAX):
            await one.subscribe(Topic.COMMITS)
        for _ in range(LIMITS.subscriptions_max - SUBSCRIPTIONS_PER_SOCKET_MAX):
            await other.subscribe(Topic.COMMITS)
        with pytest.raises(NodeAnswerError, match="too many"):
            await other.subscribe(Topic.COMMITS)
    async with stage.client.stream() as later:
        async with asyncio.timeout(5):
            while True:
                # The others' places are free once the server has seen them go.
                try:
                    await later.subscribe(Topic.COMMITS)
                except NodeAnswerError:
                    await asyncio.sleep(0.01)
                else:
                    return


async def test_there_is_a_bound_on_sockets(stage: Stage) -> None:
    async with aiohttp.ClientSession() as session:
        sockets = [
            await session.ws_connect(f"{stage.server.url}/v1/stream")
            for _ in range(LIMITS.streams_max)
        ]
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            await session.ws_connect(f"{stage.server.url}/v1/stream")
        for ws in sockets:
            await ws.close()


async def test_one_address_elsewhere_takes_no_more_than_a_quarter(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(server, "client_of", lambda _: "192.0.2.1")
        async with stage.client.stream() as stream:
            for _ in range(LIMITS.subscriptions_max // 4):
                await stream.subscribe(Topic.COMMITS)
            with pytest.raises(NodeAnswerError, match="too many"):
                await stream.subscribe(Topic.COMMITS)
            with pytest.raises(NodeUnreachableError, match="503"):
                async with stage.client.stream():
                    pass
    async with stage.client.stream() as stream:
        await stream.subscribe(Topic.COMMITS)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", "bad-message"),
        ("[]", "bad-message"),
        ("[" * 2_000, "bad-message"),
        ('{"type":"subscribe","id":0,"topic":"secrets"}', "bad-message"),
        ('{"type":"subscribe","id":-1,"topic":"commits"}', "bad-message"),
        ('{"type":"subscribe","id":0,"topic":"commits","x":1}', "bad-message"),
        ('{"type":"subscribe","id":0,"topic":"commits","task":1}', "bad-message"),
        (
            '{"type":"subscribe","id":0,"topic":"rounds","contract":"%s"}' % ("0" * 64),
            "bad-message",
        ),
        ('{"type":"subscribed","id":0,"height":1}', "bad-message"),
        ('{"type":"unsubscribe","id":7}', "no-subscription"),
    ],
)
async def test_message_of_another_form_is_refused_and_the_socket_stays(
    stage: Stage, message: str, code: str
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{stage.server.url}/v1/stream") as ws,
    ):
        await ws.send_str(message)
        answer = json.loads(await ws.receive_str(timeout=5))
        assert (answer["type"], answer["code"]) == ("refused", code)
        await ws.send_str('{"type":"subscribe","id":5,"topic":"commits"}')
        assert json.loads(await ws.receive_str(timeout=5))["type"] == "subscribed"


async def closing(ws: aiohttp.ClientWebSocketResponse) -> int | None:
    async with asyncio.timeout(5):
        async for _ in ws:
            pass
    return ws.close_code


async def test_client_that_is_wrong_too_often_is_cut(stage: Stage) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{stage.server.url}/v1/stream") as ws,
    ):
        for _ in range(FAULTS_MAX):
            await ws.send_str("nonsense")
        assert await closing(ws) == 1_008


async def test_client_that_says_too_much_is_cut(stage: Stage) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{stage.server.url}/v1/stream") as ws,
    ):
        for number in range(socket_session.MESSAGES_BURST // 2 + 1):
            subscription: dict[str, Any] = {"type": "subscribe", "id": number, "topic": "commits"}
            await ws.send_str(json.dumps(subscription))
            await ws.send_str(json.dumps({"type": "unsubscribe", "id": number}))
        assert await closing(ws) == 1_008


async def test_binary_and_long_messages_end_the_socket(stage: Stage) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{stage.server.url}/v1/stream") as ws:
            await ws.send_bytes(b"{}")
            assert await closing(ws) == 1_003
        async with session.ws_connect(f"{stage.server.url}/v1/stream") as ws:
            await ws.send_str("x" * 10_000)
            assert await closing(ws) == 1_009


async def deaf_client(port: int, *, subscriptions: int) -> socket.socket:
    """Return a WebSocket that has subscribed and reads nothing from then on."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    deaf.connect(("127.0.0.1", port))
    deaf.sendall(HANDSHAKE)
    for number in range(subscriptions):
        text = b'{"type":"subscribe","id":%d,"topic":"commits"}' % number
        # A masked text frame (RFC 6455, section 5.2) with a mask of zeros.
        deaf.sendall(b"\x81" + bytes((0x80 | len(text),)) + bytes(4) + text)
    return deaf


async def test_client_that_does_not_read_is_cut_and_nobody_waits(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_session, "SEND_TIMEOUT_S", 0.1)
    monkeypatch.setattr(socket_session, "CLOSE_TIMEOUT_S", 0.1)
    await transfer(stage)
    feed, certified = stage.chain.feed, stage.chain.certified
    assert certified is not None
    async with stage.client.stream() as quick:
        await quick.subscribe(Topic.COMMITS)
        before = feed.subscriber_count
        with closing_socket(await deaf_client(stage.port, subscriptions=15)):
            async with asyncio.timeout(20):
                while feed.subscriber_count == before:  # noqa: ASYNC110 - the server tells nobody
                    await asyncio.sleep(0.001)
                while feed.subscriber_count > before:
                    for _ in range(50):
                        feed.publish(CertificateFormed(certified, NOW))
                    await take(aiter(quick), 50)
    assert (await stage.client.health()).status == "ok"


async def test_burst_of_notices_cuts_no_client_that_reads(stage: Stage) -> None:
    await transfer(stage)
    certified = stage.chain.certified
    assert certified is not None
    async with stage.client.stream() as reader:
        subscriptions = socket_session.MESSAGES_BURST // 8
        for _ in range(subscriptions):
            await reader.subscribe(Topic.COMMITS)
        for _ in range(socket_session.FEED_WAITING_MAX):
            stage.chain.feed.publish(CertificateFormed(certified, NOW))
        expected = subscriptions * socket_session.FEED_WAITING_MAX
        await take(aiter(reader), expected, limit_s=60)


async def test_who_asks_for_it_is_told_what_came_meanwhile_in_one_message(stage: Stage) -> None:
    await transfer(stage)
    certified = stage.chain.certified
    assert certified is not None
    url = f"{stage.server.url}/v1/stream"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
        wish: dict[str, Any] = {"type": "subscribe", "topic": "commits", "every_ms": 200}
        for number in range(2):
            await ws.send_str(json.dumps(wish | {"id": number}))
            assert (await ws.receive_json())["type"] == "subscribed"
        for number in range(40):
            if number == 1:
                # The first one is told at once, the others after the rest.
                assert (await ws.receive_json())["type"] == "batch"
            stage.chain.feed.publish(CertificateFormed(certified, TimestampMs(number)))
        found = [one["formed_ms"] for one in (await ws.receive_json())["notices"]]
        while len(found) < 78:
            found += [one["formed_ms"] for one in (await ws.receive_json())["notices"]]
    assert found == [number for number in range(1, 40) for _ in range(2)]


async def test_batch_is_closed_by_its_bytes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_session, "BATCH_BYTES", 300)
    await transfer(stage)
    certified = stage.chain.certified
    assert certified is not None
    url = f"{stage.server.url}/v1/stream"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
        wish: dict[str, Any] = {"type": "subscribe", "id": 0, "topic": "commits", "every_ms": 100}
        await ws.send_str(json.dumps(wish))
        assert (await ws.receive_json())["type"] == "subscribed"
        for number in range(12):
            stage.chain.feed.publish(CertificateFormed(certified, TimestampMs(number)))
        found: list[int] = []
        while len(found) < 12:
            text = await ws.receive_str()
            assert len(text) < 600
            told = json.loads(text)
            found += [one["formed_ms"] for one in told.get("notices", [told])]
    assert found == list(range(12))


async def test_client_reads_batches_as_notices_and_one_subscription_at_once_ends_them(
    stage: Stage,
) -> None:
    await transfer(stage)
    certified = stage.chain.certified
    assert certified is not None
    async with stage.client.stream() as stream:
        await stream.subscribe(Topic.COMMITS, every_ms=100)
        for number in range(3):
            stage.chain.feed.publish(CertificateFormed(certified, TimestampMs(number)))
        told = await take(aiter(stream), 3)
        assert [one.formed_ms for one in told if isinstance(one, CertificateNotice)] == [0, 1, 2]
        await stream.subscribe(Topic.COMMITS)
        stage.chain.feed.publish(CertificateFormed(certified, NOW))
        assert {
            one.id for one in await take(aiter(stream), 2) if isinstance(one, CertificateNotice)
        } == {0, 1}


async def test_client_that_takes_one_message_for_too_long_is_cut_though_few_wait(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_session, "SEND_TIMEOUT_S", 0.1)
    monkeypatch.setattr(socket_session, "CLOSE_TIMEOUT_S", 0.1)
    # So that nothing but the watch can cut it.
    monkeypatch.setattr(socket_session, "FEED_WAITING_MAX", 1 << 20)
    await transfer(stage)
    feed, certified = stage.chain.feed, stage.chain.certified
    assert certified is not None
    async with stage.client.stream() as quick:
        await quick.subscribe(Topic.COMMITS)
        before = feed.subscriber_count
        with closing_socket(await deaf_client(stage.port, subscriptions=15)):
            async with asyncio.timeout(20):
                while feed.subscriber_count == before:  # noqa: ASYNC110 - the server tells nobody
                    await asyncio.sleep(0.001)
                for _ in range(16):
                    for _ in range(50):
                        feed.publish(CertificateFormed(certified, NOW))
                    await take(aiter(quick), 50)
                while feed.subscriber_count > before:  # noqa: ASYNC110 - the server tells nobody
                    await asyncio.sleep(0.01)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.text(max_size=200)
        | st.binary(max_size=200)
        | st.fixed_dictionaries(
            {
                "type": st.sampled_from(["subscribe", "unsubscribe", "x"]),
                "id": st.integers(-1, 3) | st.none(),
                "topic": st.sampled_from([one.value for one in Topic]) | st.text(max_size=9),
            }
        ).map(json.dumps),
        max_size=12,
    )
)
async def test_any_messages_leave_the_server_alive(
    stage: Stage, messages: list[str | bytes]
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{stage.server.url}/v1/stream") as ws,
    ):
        for message in messages:
            if ws.closed:
                break
            try:
                if isinstance(message, bytes):
                    await ws.send_bytes(message)
                else:
                    await ws.send_str(message)
            except ConnectionError:
                break
    assert (await stage.client.health()).status == "ok"


async def test_stream_that_ends_says_why(stage: Stage) -> None:
    async with stage.client.stream() as stream:
        for _ in range(FAULTS_MAX):
            with pytest.raises(NodeAnswerError):
                await stream.subscribe(Topic.COMMITS, task=1)
        with pytest.raises(NodeUnreachableError, match="1008"):
            await anext(stream)
