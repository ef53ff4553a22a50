"""What the log says of requests that end badly."""

import asyncio

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from node.rpc.door import Door
from node.rpc.limits import RpcLimits
from tests.rpc.wire import exchange

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def _logged(error: Exception) -> tuple[list[str], bytes]:
    """Return what is logged of a request that ends with an error, and what is answered."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        raise error

    door = Door(answer, limits=RpcLimits())
    server = await asyncio.get_running_loop().create_server(door, "127.0.0.1", 0)
    async with server:
        with capture_logs() as logs:
            answered = await exchange(server.sockets[0].getsockname()[1], REQUEST)
        await door.shutdown()
    return [f"{one['log_level']}: {one['event']}" for one in logs], answered


@pytest.mark.asyncio
async def test_a_request_that_crashes_is_told_at_level_error() -> None:
    logged, answered = await _logged(ValueError("a bug"))
    assert logged == ["error: request crashed"]
    assert b" 500 " in answered


@pytest.mark.asyncio
async def test_a_client_that_has_gone_is_no_crash_of_a_request() -> None:
    """A node that was paused finds many such when it goes on."""
    logged, _ = await _logged(ConnectionResetError("cannot write to a closing transport"))
    assert logged == []
