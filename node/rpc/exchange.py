"""One request from its head to the last byte of its answer, within its deadline.

The order is cheapest first: form of the head, rate of the client, route, origin, token, body. A
body is read only for who may send it, and every way of saying where it ends but one Content-Length
is refused, so nobody can read two requests where we read one (request smuggling).
"""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog
from aiohttp import hdrs, web

from node.rpc.access import STRANGER, Authenticator, HostList, check_access
from node.rpc.context import NodeContext
from node.rpc.errors import (
    BadRequestError,
    BodyTooLargeError,
    DeadlineError,
    ExpectationError,
    HeaderTooLargeError,
    LengthRequiredError,
    MediaTypeError,
    MethodRefusedError,
    NotFoundError,
    RateLimitError,
    RpcError,
    UnauthorizedError,
    status_of,
)
from node.rpc.explorer.pages import Pages
from node.rpc.limits import ClientRates, RpcLimits, client_of
from node.rpc.parameters import ParameterDecoder
from node.rpc.route import Access, Ask, Caller, Medium, NoBody, Octets, Route, RouteTable
from node.rpc.schemas import ErrorBody
from primitives.errors import HanseError

HEADERS: Final = {
    "Server": "hanse",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_CLOSING: Final = (400, 408, 411, 413, 417, 421, 431)
_MS_PER_S: Final = 1_000
_HEAD_OVERHEAD_BYTES: Final = 4
_JSON: Final = "application/json"

_log: Final = structlog.get_logger("node.rpc.exchange")


@dataclass(slots=True)
class Tally:
    """What the server counts."""

    requests: int = 0
    refused: int = 0
    failed: int = 0


class Exchanges:
    """Answers requests; an aiohttp handler."""

    def __init__(
        self,
        context: NodeContext,
        table: RouteTable,
        *,
        limits: RpcLimits,
        hosts: HostList,
        readers: Executor,
        pages: Pages,
    ) -> None:
        self._context = context
        self._pages = pages
        self._table = table
        self._limits = limits
        self._hosts = hosts
        self._readers = readers
        self._rates = ClientRates(per_s=limits.rate_per_s, burst=limits.burst)
        self._bodies: dict[type, msgspec.json.Decoder[Any]] = {}
        self._parameters: dict[type, ParameterDecoder] = {}
        for route in table.routes:
            self._parameters.setdefault(route.asked, ParameterDecoder(route.asked))
            self._bodies.setdefault(route.body, msgspec.json.Decoder(route.body))
        self._authenticator = Authenticator(
            chain_id=context.chain.chain_id,
            federation=context.federation,
            operator=context.operator,
            clock=context.clock,
        )
        self.tally = Tally()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever happens."""
        self.tally.requests += 1
        try:
            response = await self._answered(request)
        except HanseError as error:
            response = self._refusal(error)
        except TimeoutError:
            response = self._refusal(DeadlineError("the request took too long"))
            if request.writer.output_size and request.transport is not None:
                # Half an answer is out, and the client does not read the rest.
                request.transport.abort()
        except (asyncio.IncompleteReadError, web.RequestPayloadError):
            response = self._refusal(BadRequestError("the body ended before its length"))
        except ConnectionError:
            # The client has gone, and nobody is left to answer.
            raise
        except Exception:  # noqa: BLE001 - the edge: one request must not take the node down
            _log.exception("request crashed", method=request.method, path=request.path[:200])
            self.tally.failed += 1
            response = self._json(500, ErrorBody(code="internal", message="a bug of the node"))
        transport = request.transport
        if not response.prepared and transport is not None and not transport.is_closing():
            try:
                async with asyncio.timeout(self._limits.deadline_ms / _MS_PER_S):
                    await self._send(request, response)
            except TimeoutError:
                transport.abort()
        return response

    async def _send(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Send what is in memory; under a deadline, so that who does not read is cut at it."""
        self._finish(request, response)
        await response.prepare(request)
        await response.write_eof()

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        self._check_head(request)
        found = self._table.find(request.rel_url.raw_path)
        # Files of the page are in memory: to refuse one costs as much, and a page needs them all.
        if found is None and (page := self._pages.answer(request)) is not None:
            return page
        client = client_of(request.transport and request.transport.get_extra_info("peername"))
        route = None if found is None else found[0].get(request.method)
        cost = 1 if route is None else route.cost
        if not self._rates.admits(client, cost=cost, now_ms=self._context.clock.monotonic_ms()):
            wait_s = 1 + cost // self._limits.rate_per_s
            raise RateLimitError("too many requests from this address", wait_s=wait_s)
        if found is None:
            raise NotFoundError("there is no such path; /openapi.json lists them all")
        methods, names = found
        if route is None:
            return self._preflight(request, methods) or _refuse_method(request, methods)
        deadline_ms = self._limits.deadline_ms
        if route.is_transfer:
            deadline_ms = self._limits.transfer_deadline_ms
        if route.medium is Medium.SOCKET:
            return await self._carried_out(route, request, names)
        async with asyncio.timeout(deadline_ms / _MS_PER_S):
            response = await self._carried_out(route, request, names)
            if not response.prepared:
                # Sent here, so that what the route itself took counts for the deadline as well.
                await self._send(request, response)
            return response

    async def _carried_out(
        self, route: Route, request: web.BaseRequest, names: dict[str, str]
    ) -> web.StreamResponse:
        asked = self._parameters[route.asked].decode(names, request.rel_url.raw_query_string)
        if route.method != "GET" or route.medium is Medium.SOCKET:
            host = request.headers.get(hdrs.HOST, "")
            self._hosts.check_origin(request.headers.get(hdrs.ORIGIN), host=host)
        caller = await self._caller(route, request)
        check_access(route, caller)
        ask = Ask(
            context=self._context,
            limits=self._limits,
            asked=asked,
            body=await self._body(route, request),
            caller=caller,
            request=request,
            readers=self._readers,
        )
        result = await route.handler(ask)
        if isinstance(result, web.StreamResponse):
            return result
        return self._json(route.status, result)

    async def _caller(self, route: Route, request: web.BaseRequest) -> Caller:
        tokens = request.headers.getall(hdrs.AUTHORIZATION, [])
        is_optional = route.medium is Medium.SOCKET and not tokens
        if is_optional or (route.access is Access.PUBLIC and route.medium is not Medium.SOCKET):
            return STRANGER
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._authenticator.caller, list(tokens))

    def _check_head(self, request: web.BaseRequest) -> None:
        size_bytes = len(request.path_qs) + sum(
            len(name) + len(value) + _HEAD_OVERHEAD_BYTES for name, value in request.raw_headers
        )
        if size_bytes > self._limits.head_bytes_max:
            raise HeaderTooLargeError(f"{size_bytes} bytes > {self._limits.head_bytes_max}")
        if hdrs.TRANSFER_ENCODING in request.headers:
            raise LengthRequiredError("no Transfer-Encoding is taken; send a Content-Length")
        if len(request.headers.getall(hdrs.CONTENT_LENGTH, ())) > 1:
            raise BadRequestError("a request has one Content-Length")
        self._hosts.check_host(list(request.headers.getall(hdrs.HOST, ())))

    async def _body(self, route: Route, request: web.BaseRequest) -> object:
        size_bytes = request.content_length
        if route.body is NoBody:
            if size_bytes:
                raise BadRequestError("this route takes no body")
            return NoBody()
        if size_bytes is None:
            raise LengthRequiredError("the body needs a Content-Length")
        is_stream = route.body is Octets
        limit = self._limits.blob_bytes_max if is_stream else self._limits.body_bytes_max
        if size_bytes > limit:
            raise BodyTooLargeError(f"{size_bytes} bytes > {limit}")
        wanted = Medium.OCTETS.value if is_stream else _JSON
        if request.content_type != wanted:
            raise MediaTypeError(f"the body must be {wanted}, not {request.content_type[:80]}")
        await _encourage(request)
        if is_stream:
            return Octets()
        # Not request.read(), whose limit is that of the whole server.
        raw = await request.content.readexactly(size_bytes)
        try:
            return self._bodies[route.body].decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequestError(f"the body: {error}"[:400]) from error

    def _preflight(
        self, request: web.BaseRequest, methods: dict[str, Route]
    ) -> web.StreamResponse | None:
        """Answer the question of a listed page's browser; None for everybody else."""
        is_listed = self._hosts.allows(request.headers.get(hdrs.ORIGIN))
        if request.method != "OPTIONS" or not is_listed:
            return None
        headers = {
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: ", ".join(sorted(methods)),
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "authorization, content-type",
            hdrs.ACCESS_CONTROL_MAX_AGE: "600",
        }
        return web.Response(status=204, headers=headers)

    def _finish(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and self._hosts.allows(origin):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        is_odd = request.method == hdrs.METH_CONNECT or hdrs.UPGRADE in request.headers
        if is_odd or not request.content.at_eof() or response.status in _CLOSING:
            # What follows on this connection may be no request: the rest of a body that nobody
            # reads, or another protocol that was declined.
            response.force_close()

    def _refusal(self, error: HanseError) -> web.StreamResponse:
        status = status_of(error)
        if status >= 500 and not isinstance(error, RpcError):
            _log.error("request failed", code=error.code, reason=str(error))
            self.tally.failed += 1
        self.tally.refused += 1
        response = self._json(status, ErrorBody(code=error.code, message=str(error)))
        if isinstance(error, RateLimitError):
            response.headers[hdrs.RETRY_AFTER] = str(error.wait_s)
        elif isinstance(error, UnauthorizedError):
            response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
        elif isinstance(error, MethodRefusedError):
            response.headers[hdrs.ALLOW] = error.allowed
        return response

    def _json(self, status: int, value: object) -> web.Response:
        return web.Response(status=status, body=msgspec.json.encode(value), content_type=_JSON)


def _refuse_method(request: web.BaseRequest, methods: dict[str, Route]) -> web.StreamResponse:
    allowed = ", ".join(sorted(methods))
    raise MethodRefusedError(f"this path takes {allowed}, not {request.method}", allowed=allowed)


async def _encourage(request: web.BaseRequest) -> None:
    """Tell a client that waits for it to go on with its body."""
    expected = request.headers.get(hdrs.EXPECT)
    if expected is None:
        return
    if expected.lower() != "100-continue":
        raise ExpectationError("only 100-continue may be expected")
    writer = request.writer
    await writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    writer.output_size = 0
