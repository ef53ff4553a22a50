"""The server: opens the port, owns the threads that read the chain, and ends everything with it.

client ---> Door (connections) ---> Exchanges (one request) ---> a handler in routes/
                                          |
                                          +--> SocketSession (one WebSocket)
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import msgspec
import structlog
from aiohttp import web

from node.rpc.access import HostList
from node.rpc.commit_row import CommitRow
from node.rpc.context import NodeContext
from node.rpc.door import Door
from node.rpc.errors import UnavailableError, UpgradeError
from node.rpc.exchange import Exchanges
from node.rpc.explorer.folder import shipped_folder
from node.rpc.explorer.pages import Pages
from node.rpc.limits import Quota, RpcLimits, client_of
from node.rpc.metrics import CONTENT_TYPE, Metrics
from node.rpc.openapi import write_document
from node.rpc.route import Access, Ask, Medium, NoBody, NoParameters, Route, RouteTable
from node.rpc.routes import (
    blob_routes,
    chain_routes,
    contract_routes,
    envelope_routes,
    lineage_routes,
    node_routes,
    proof_routes,
    stake_routes,
    transaction_routes,
)
from node.rpc.routes.dag_routes import dag_routes
from node.rpc.routes.participant_routes import participant_routes
from node.rpc.routes.task_routes import task_routes
from node.rpc.socket_session import SocketSession, new_socket
from node.rpc.topics import LogAccess, Topics
from primitives.errors import ConfigurationError

SHUTDOWN_S: Final = 2.0
BACKLOG: Final = 128
SEND_BUFFER_BYTES: Final = 128 << 10

_log: Final = structlog.get_logger("node.rpc")


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcSettings:
    """What the operator chooses.

    Args:
        port: 0 takes a free one.
        hosts: names of this node beside localhost and `host`.
        origins: whose pages may ask; none by default, so CORS is off.
    """

    host: str = "127.0.0.1"
    port: int = 26_657
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    limits: RpcLimits = field(default_factory=RpcLimits)


class RpcServer:
    """The API of one node; an async context manager."""

    def __init__(self, context: NodeContext, settings: RpcSettings) -> None:
        self._context = context
        self._settings = settings
        self._quota = Quota(settings.limits.subscriptions_max)
        self._sockets = Quota(settings.limits.streams_max)
        self._resources = AsyncExitStack()
        self._address = (settings.host, settings.port)
        self.routes: Final = self._all_routes()
        self._document = msgspec.json.encode(write_document(self.routes, version=context.version))
        self._metrics: Metrics | None = None
        self._closing = asyncio.Event()

    @property
    def url(self) -> str:
        """Return where the API is."""
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        """Open the port.

        Raises:
            ConfigurationError: it cannot be opened.
        """
        async with AsyncExitStack() as opening:
            readers = ThreadPoolExecutor(
                self._settings.limits.readers_max, thread_name_prefix="rpc"
            )
            opening.callback(readers.shutdown, wait=True, cancel_futures=True)
            exchanges = Exchanges(
                self._context,
                RouteTable(self.routes),
                limits=self._settings.limits,
                hosts=HostList(self._names(), origins=self._settings.origins),
                readers=readers,
                pages=Pages(shipped_folder()),
            )
            door = Door(exchanges.handle, limits=self._settings.limits)
            opening.push_async_callback(door.shutdown, SHUTDOWN_S)
            opening.callback(door.pre_shutdown)
            opening.callback(self._closing.set)
            self._metrics = Metrics(
                self._context, door=door, tally=exchanges.tally, quota=self._quota
            )
            listener = await self._listen(door)
            opening.callback(listener.close)
            self._address = listener.sockets[0].getsockname()[:2]
            self._resources = opening.pop_all()
        _log.info("api open", url=self.url)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the port, then end every request."""
        await self._resources.aclose()

    def _names(self) -> tuple[str, ...]:
        host = self._settings.host
        return (f"[{host}]" if ":" in host else host, *self._settings.hosts)

    async def _listen(self, door: Door) -> asyncio.Server:
        host, port = self._settings.host, self._settings.port
        try:
            listener = await asyncio.get_running_loop().create_server(
                door, host, port, backlog=BACKLOG
            )
            for place in listener.sockets:
                # Connections inherit it. The system would hold megabytes for each slow reader.
                place.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        except OSError as error:
            raise ConfigurationError(
                f"the API cannot listen on {host}:{port}: {error.strerror or error}; "
                "change [rpc] listen"
            ) from error
        return listener

    def _all_routes(self) -> tuple[Route, ...]:
        row = CommitRow(self._context.chain)
        return (
            *chain_routes.ROUTES,
            *transaction_routes.ROUTES,
            *proof_routes.ROUTES,
            *stake_routes.ROUTES,
            *dag_routes(self._context, row),
            *contract_routes.ROUTES,
            *task_routes(self._context),
            *participant_routes(self._context, row),
            *blob_routes.ROUTES,
            *envelope_routes.ROUTES,
            *lineage_routes.ROUTES,
            *node_routes.ROUTES,
            *self._own_routes(),
        )

    def _own_routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="GET",
                path="/openapi.json",
                name="openapi",
                summary="This document.",
                handler=self._show_document,
                cost=2,
                tag="node",
            ),
            Route(
                method="GET",
                path="/metrics",
                name="metrics",
                summary="What the node counts, for Prometheus.",
                handler=self._show_metrics,
                medium=Medium.METRICS,
                cost=4,
                tag="node",
            ),
            Route(
                method="GET",
                path="/v1/stream",
                name="stream",
                summary="Follow commits, events, rounds and the log over a WebSocket.",
                handler=self._serve_socket,
                medium=Medium.SOCKET,
                status=101,
                cost=4,
                access=Access.PUBLIC,
                tag="node",
            ),
        )

    async def _show_document(self, _: Ask[NoParameters, NoBody]) -> web.StreamResponse:
        return web.Response(body=self._document, content_type=Medium.JSON.value)

    async def _show_metrics(self, _: Ask[NoParameters, NoBody]) -> web.StreamResponse:
        assert self._metrics is not None, "requests come once the port is open"
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _serve_socket(self, ask: Ask[NoParameters, NoBody]) -> web.StreamResponse:
        opened = new_socket()
        transport = ask.request.transport
        if not opened.can_prepare(ask.request) or transport is None:
            raise UpgradeError("only a WebSocket is served here: ask for an upgrade")
        client = client_of(transport.get_extra_info("peername"))
        if not self._sockets.take(client):
            raise UnavailableError("too many WebSockets are open")
        try:
            await opened.prepare(ask.request)
            logs = LogAccess.YES if ask.caller.is_operator else LogAccess.NO
            topics = Topics(self._quota, client=client, logs=logs)
            await SocketSession(
                ask.context, topics, socket=opened, transport=transport, closing=self._closing
            ).run()
        finally:
            self._sockets.give_back(client)
        return opened
