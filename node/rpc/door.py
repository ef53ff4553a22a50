"""The listening end: how many connections there are, and the answer to bytes that are no HTTP.

aiohttp's parser is strict with what decides where a message ends; what it refuses is answered in
the API's own form and the connection is closed: nobody knows where the next request would begin.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, cast

import msgspec
import structlog
from aiohttp import web
from typing_extensions import override

from node.rpc.limits import RpcLimits, client_of, is_loopback
from node.rpc.schemas import ErrorBody

LINE_BYTES_MAX: Final = 4_096
FIELD_BYTES_MAX: Final = 4_096
HEADERS_MAX: Final = 48
_MS_PER_S: Final = 1_000
_MESSAGE_LENGTH_MAX: Final = 200

Answerer: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_log: Final = structlog.get_logger("node.rpc.door")


class _Connection(web.RequestHandler):
    """One connection, as aiohttp serves it, counted."""

    def __init__(self, server: "Door", *, limits: RpcLimits) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.idle_ms / _MS_PER_S,
            access_log=None,  # type: ignore[arg-type] # how aiohttp spells no log
            max_line_size=LINE_BYTES_MAX,
            max_field_size=FIELD_BYTES_MAX,
            max_headers=HEADERS_MAX,
            lingering_time=0,
            auto_decompress=False,
        )
        self._door = server
        self._client: str | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        client = client_of(transport.get_extra_info("peername"))
        if not self._door.enter(client):
            # Those of uvloop are no instances of asyncio's class, though they do what it says.
            cast(asyncio.Transport, transport).abort()
            return
        self._client = client
        super().connection_made(transport)

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        if self._client is not None:
            self._door.leave(self._client)
            self._client = None
            super().connection_lost(exc)

    @override
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= 500:
            if not isinstance(exc, ConnectionError):
                # That one is raised where a client has gone, which is no fault of the node.
                _log.error("request crashed", exc_info=exc)
            message = "a bug of the node; its log says more"
        text = (message or "not HTTP").partition("\n")[0][:_MESSAGE_LENGTH_MAX]
        body = ErrorBody(code="bad-http" if status < 500 else "internal", message=text)
        response = web.Response(
            status=status, body=msgspec.json.encode(body), content_type="application/json"
        )
        response.force_close()
        return response


class Door(web.Server):
    """Makes connections, up to as many as there may be, in total and of one client."""

    def __init__(self, handler: Answerer, *, limits: RpcLimits) -> None:
        super().__init__(handler, handler_cancellation=True)
        self._limits = limits
        self._clients: Counter[str] = Counter()
        self.refused_total = 0

    @property
    def connection_count(self) -> int:
        """Return how many connections there are."""
        return self._clients.total()

    def enter(self, client: str) -> bool:
        """Count a new connection in; tell whether there was room."""
        places = self._limits.connections_max
        if not is_loopback(client):
            places -= self._limits.connections_kept
        is_full = self.connection_count >= places
        if is_full or self._clients[client] >= self._limits.connections_per_client_max:
            self.refused_total += 1
            return False
        self._clients[client] += 1
        return True

    def leave(self, client: str) -> None:
        """Count a connection out."""
        self._clients[client] -= 1
        if not self._clients[client]:
            del self._clients[client]

    @override
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, limits=self._limits)
