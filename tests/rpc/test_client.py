"""The client against servers that are no nodes, or that go away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from node.ledger.transaction import Transfer
from node.rpc.client import NodeClient
from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from node.rpc.stream_schemas import Topic
from node.rpc.texts import account_text
from primitives.ids import Digest, Grain
from tests.chain.founded import address_of, genesis_file
from tests.rpc.stage import open_stage

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def impostor(answer: bytes) -> AsyncIterator[NodeClient]:
    """Yield a client of a server that gives one answer to everything."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with NodeClient(f"http://127.0.0.1:{port}") as client:
            yield client


def http(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 10_000, b"\xff", b'{"chain_id": 5}'])
async def test_answer_that_cannot_be_read_is_one_clear_line(body: bytes) -> None:
    async with impostor(http("200 OK", body)) as client:
        with pytest.raises(NodeUnreachableError, match="cannot read"):
            await client.head()


async def test_refusal_of_something_else_keeps_its_status() -> None:
    async with impostor(http("502 Bad Gateway", b"<html>")) as client:
        with pytest.raises(NodeAnswerError, match="502") as caught:
            await client.head()
        assert caught.value.answer_code == "http"


async def test_client_follows_nobody_elsewhere() -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://example.org\r\nContent-Length: 0\r\n\r\n"
    async with impostor(answer) as client:
        with pytest.raises(NodeAnswerError, match="302"):
            await client.head()


async def test_bytes_that_are_no_http_are_one_clear_line() -> None:
    async with impostor(b"nonsense\r\n\r\n") as client:
        with pytest.raises(NodeUnreachableError, match="no node answers"):
            await client.head()


async def test_receipt_that_does_not_come_is_waited_for_no_longer(tmp_path: Path) -> None:
    async with open_stage(tmp_path, genesis=genesis_file()) as stage:
        with pytest.raises(TimeoutError):
            await stage.client.wait_receipt(Digest(bytes(32)), timeout_s=0.05)
        async with stage.client.stream() as stream:
            await stream.subscribe(Topic.COMMITS)
            for _ in range(3):
                await stage.send(Transfer(address_of("bob"), Grain(1)))
            # The answer comes after notices, which are kept for later.
            await stream.subscribe(Topic.EVENTS)
            heights = [getattr(await anext(stream), "height", 0) for _ in range(6)]
        assert heights == [1, 1, 2, 2, 3, 3]
        fees = await stage.client.fees()
        assert int(fees.base_fee) >= int(fees.fee_min)
        holdings = await stage.client.holdings(account_text(address_of("validator-0")))
        assert len(holdings.holdings) == 1


async def test_node_that_ends_tells_those_who_follow_it(tmp_path: Path) -> None:
    async with NodeClient("http://127.0.0.1:9") as other:
        async with open_stage(tmp_path, genesis=genesis_file()) as stage:
            other.url = stage.server.url  # type: ignore[misc] # the same node, seen from outside
            opening = other.stream()
            stream = await opening.__aenter__()
            await stream.subscribe(Topic.COMMITS)
        with pytest.raises(NodeUnreachableError, match="1001 the node ends"):
            await anext(stream)
        await opening.__aexit__(None, None, None)
