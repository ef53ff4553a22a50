"""One route: everything that the server, the OpenAPI document and the tests need to know of it.

A route names its parameters, body and answer by structs, so the server decodes what the document
promises, and the document cannot drift from the server.
"""

import asyncio
import enum
import re
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec
from aiohttp import web

from node.rpc.context import NodeContext
from node.rpc.limits import RpcLimits
from primitives.ids import Address

Asked = TypeVar("Asked")
Body = TypeVar("Body")
Result = TypeVar("Result")

PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


class Access(enum.Enum):
    """Who may use a route."""

    PUBLIC = "public"
    MEMBER = "member"
    """Whoever has a role in the `identity` contract, or power, and the operator."""

    OPERATOR = "operator"
    """The operator of this node, with the account's own key."""


class Medium(enum.Enum):
    """What an answer is made of."""

    JSON = "application/json"
    OCTETS = "application/octet-stream"
    METRICS = "text/plain"
    SOCKET = "websocket"


class NoParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing in the path or the query."""


class NoBody(msgspec.Struct, frozen=True):
    """No body."""


class Octets(msgspec.Struct, frozen=True):
    """A body of any bytes, which the handler reads piece by piece."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: nobody in particular, or who a token speaks for."""

    address: Address | None = None
    roles: frozenset[str] = frozenset()
    is_operator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Generic[Asked, Body]):
    """One request, decoded.

    Args:
        asked: parameters of path and query.
        request: for routes that stream.
    """

    context: NodeContext
    limits: RpcLimits
    asked: Asked
    body: Body
    caller: Caller
    request: web.BaseRequest
    readers: Executor

    async def read(self, question: Callable[[], Result]) -> Result:
        """Return what a question finds in the chain, asked in a thread: the disk may be slow."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.readers, question)


AnyAsk: TypeAlias = Ask[Any, Any]
Handler: TypeAlias = Callable[[AnyAsk], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A method on a path.

    Args:
        name: the operation; also the name of the client's method.
        summary: one sentence.
        asked: a struct of the parameters; those named in the path come from there, others from the
            query.
        body: a struct that JSON is decoded to, `Octets`, or `NoBody`.
        answer: the struct of a JSON answer; None for other media.
        refusals: statuses that the handler may answer with, beside those of every route.
        asks_peers: it may take as long as a transfer, for peers are asked first.
        cost: of one request, in requests of the client's rate.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    answer: type | None = None
    status: int = 200
    asked: type = NoParameters
    body: type = NoBody
    access: Access = Access.PUBLIC
    medium: Medium = Medium.JSON
    refusals: tuple[int, ...] = ()
    asks_peers: bool = False
    cost: int = 1
    tag: str = "chain"
    examples: Mapping[str, object] = field(default_factory=dict)

    @property
    def path_names(self) -> tuple[str, ...]:
        """Return the parameters that stand in the path."""
        return tuple(PLACEHOLDER.findall(self.path))

    @property
    def is_transfer(self) -> bool:
        """Tell whether it moves bytes for as long as they take."""
        return self.medium is Medium.OCTETS or self.body is Octets or self.asks_peers


class RouteTable:
    """Routes by path and method."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self.routes: Final = routes
        self._patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            methods = by_path.setdefault(route.path, {})
            assert route.method not in methods, f"two routes for {route.method} {route.path}"
            methods[route.method] = route
        # Fixed segments before placeholders, so that "latest" is not taken for a number.
        for path in sorted(by_path, key=lambda path: (path.count("{"), path)):
            self._patterns.append((_pattern(path), by_path[path]))

    def find(self, path: str) -> tuple[dict[str, Route], dict[str, str]] | None:
        """Return the routes of a path by method, and what stands in its placeholders."""
        for pattern, methods in self._patterns:
            match = pattern.fullmatch(path)
            if match is not None:
                return methods, match.groupdict()
        return None


def _pattern(path: str) -> re.Pattern[str]:
    parts = PLACEHOLDER.split(path)
    return re.compile(
        "".join(
            f"(?P<{part}>[^/]{{1,256}})" if place % 2 else re.escape(part)
            for place, part in enumerate(parts)
        )
    )
