"""Bytes take as long as was asked for, in order, and no more of them wait than may."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest

from devnet.local.errors import PlanError
from devnet.local.latency import LATENCY_MS_MAX, DelayLine, Ending, Latency, parse_latency
from devnet.local.links import HOST, Links
from devnet.local.plan import NodePlan
from devnet.local.ports import free_ports
from devnet.local.record import NodeRecord

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]

DELAY = Latency(30)


def _line(mean_ms: int, jitter_ms: int = 0, **bounds: int) -> DelayLine:
    return DelayLine(Latency(mean_ms, jitter_ms), dice=random.Random(1), **bounds)


def test_parcel_arrives_when_its_delay_is_over_and_not_before() -> None:
    line = _line(40)
    line.put(b"hello", now_s=1.0)
    assert line.next_due_s == pytest.approx(1.04)
    assert line.take(now_s=1.039) is None
    assert line.take(now_s=1.041) == b"hello"
    assert line.take(now_s=9.0) is None
    assert line.next_due_s is None


def test_jitter_keeps_to_its_bounds_and_lets_nobody_overtake() -> None:
    line = _line(40, 30)
    for number in range(200):
        line.put(b"%d" % number, now_s=0.001 * number)
    arrived, now_s = [], 0.0
    while (due_s := line.next_due_s) is not None:
        assert due_s >= now_s
        now_s = due_s
        parcel = line.take(now_s=now_s)
        assert isinstance(parcel, bytes)
        sent_s = 0.001 * int(parcel)
        # Whoever follows a late one is late as well, yet never later than the latest could be.
        assert 0.01 <= round(now_s - sent_s, 6) <= 0.07
        arrived.append(int(parcel))
    assert arrived == list(range(200))


def test_ending_waits_for_what_was_sent_before() -> None:
    line = _line(40)
    line.put(b"last words", now_s=0.0)
    line.put(Ending.FINISHED, now_s=0.0)
    assert line.take(now_s=0.05) == b"last words"
    assert line.take(now_s=0.05) is Ending.FINISHED


def test_line_is_full_until_something_arrives() -> None:
    line = _line(40, bytes_max=10)
    fills = []
    for raw in (b"12345", b"67890"):
        line.put(raw, now_s=0.0)
        fills.append(line.is_full)
    line.take(now_s=1.0)
    assert [*fills, line.is_full] == [False, True, False]


@pytest.mark.parametrize(
    ("text", "latency"),
    [
        ("", Latency()),
        ("0", Latency()),
        ("40", Latency(40)),
        (" 40 , 10 ", Latency(40, 10)),
        (str(LATENCY_MS_MAX), Latency(LATENCY_MS_MAX)),
    ],
)
def test_latency_is_read_as_people_write_it(text: str, latency: Latency) -> None:
    assert parse_latency(text) == latency
    assert latency.is_felt == (latency.mean_ms > 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fast", "as 40 or 40,10; not 'fast'"),
        ("-1", "not '-1'"),
        ("40,", "not '40,'"),
        ("40,10,5", "not '40,10,5'"),
        ("4.5", "not '4.5'"),
        ("9" * 5_000, "MEAN or MEAN,JITTER"),
        ("1001", "1000 ms at most, not 1001"),
        ("40,41", "a mean of 40 ms cannot vary by 41 ms"),
    ],
)
def test_other_latency_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        parse_latency(text)
    assert "\n" not in str(caught.value)


@asynccontextmanager
async def _linked(handler: Handler, latency: Latency = DELAY) -> AsyncIterator[int]:
    """Serve as a node would, behind a link; yield the port that its peers know."""
    p2p_port, link_port, rpc_port = free_ports(3)
    server = await asyncio.start_server(handler, HOST, p2p_port)
    node = NodeRecord(
        plan=NodePlan(number=0, parts=()),
        account="",
        peer_id="",
        rpc_port=rpc_port,
        p2p_port=p2p_port,
        link_port=link_port,
    )
    async with server, asyncio.TaskGroup() as group:
        links = Links(latency, group, random.Random(1))
        await links.open(node)
        await links.open(node)
        yield link_port
        links.close()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while raw := await reader.read(1 << 16):
        writer.write(raw)
    writer.write(b"!")
    writer.close()


@pytest.mark.asyncio
async def test_answer_takes_two_ways_and_the_first_one_a_handshake_more() -> None:
    loop = asyncio.get_running_loop()
    async with _linked(_echo) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        for round_trips in (2, 1):
            begun_s = loop.time()
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
            assert loop.time() - begun_s >= round_trips * 2 * 0.03
        # What one side finished the other may still answer.
        writer.write_eof()
        assert await reader.read() == b"!"
        writer.close()


@pytest.mark.asyncio
async def test_much_arrives_whole_though_the_line_is_full_on_the_way() -> None:
    async with _linked(_echo, Latency(5, 5)) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        sent = random.Random(2).randbytes(6 << 20)
        writer.write(sent)
        writer.write_eof()
        assert await reader.read() == sent + b"!"
        writer.close()


@pytest.mark.asyncio
async def test_sender_waits_for_a_node_that_does_not_read() -> None:
    is_over = asyncio.Event()

    async def deaf(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await is_over.wait()
        writer.transport.abort()

    async with _linked(deaf, Latency(1)) as port:
        _, writer = await asyncio.open_connection(HOST, port)
        writer.write(bytes(64 << 20))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await writer.drain()
        is_over.set()
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionError):
                await writer.drain()
        writer.close()


@pytest.mark.asyncio
async def test_lost_connection_is_lost_at_the_other_end_as_well() -> None:
    ended = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b"going"
        writer.close()
        ended.set()

    async with _linked(hear) as port:
        _, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"going")
        await asyncio.sleep(0.2)
        line = writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        async with asyncio.timeout(5):
            await ended.wait()


@pytest.mark.asyncio
async def test_node_that_is_down_hangs_up() -> None:
    node_port, link_port, rpc_port = free_ports(3)
    node = NodeRecord(
        plan=NodePlan(number=0, parts=()),
        account="",
        peer_id="",
        rpc_port=rpc_port,
        p2p_port=node_port,
        link_port=link_port,
    )
    async with asyncio.TaskGroup() as group:
        links = Links(DELAY, group, random.Random(1))
        await links.open(node)
        reader, writer = await asyncio.open_connection(HOST, link_port)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        links.close()
