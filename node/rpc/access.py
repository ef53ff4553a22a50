"""Decide who asks and whether they may: Host and Origin first, then the token and its roles.

Without a list of names a page of a foreign site could reach a node on a visitor's machine by
pointing its own name at 127.0.0.1 (DNS rebinding); so the Host header must name this node. A page
that says where it comes from may change nothing here unless the operator listed it.
"""

import re
from collections.abc import Iterable
from typing import Final

import structlog

from node.federation.views import FederationReader
from node.rpc.errors import (
    BadRequestError,
    ForbiddenError,
    HostRefusedError,
    TokenError,
    UnauthorizedError,
)
from node.rpc.jwt import Bearer, read_token
from node.rpc.route import Access, Caller, Route
from primitives.clock import Clock
from primitives.errors import VmError
from primitives.ids import Address, ChainId

LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
STRANGER: Final = Caller()
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII)
_SCHEME: Final = "Bearer "

_log: Final = structlog.get_logger("node.rpc.access")


class HostList:
    """The names under which this node may be asked, and the pages that may ask."""

    def __init__(self, names: Iterable[str], *, origins: Iterable[str] = ()) -> None:
        self._names = frozenset(name.lower() for name in (*LOCAL_NAMES, *names))
        self._origins = frozenset(origin.lower() for origin in origins)

    def check_host(self, hosts: list[str]) -> None:
        """Check the Host headers of a request.

        Raises:
            BadRequestError: there is not exactly one, or it is no name.
            HostRefusedError: it names another node.
        """
        if len(hosts) != 1:
            raise BadRequestError(f"a request has one Host header, this has {len(hosts)}")
        match = _HOST.fullmatch(hosts[0])
        if match is None:
            raise BadRequestError("the Host header is no name")
        if match[1].lower() not in self._names:
            raise HostRefusedError(
                f"{match[1]} is no name of this node; its operator can add it to [rpc] hosts"
            )

    def allows(self, origin: str | None) -> bool:
        """Tell whether a page from the origin may read answers: CORS is off but for these."""
        return origin is not None and origin.lower() in self._origins

    def check_origin(self, origin: str | None, *, host: str) -> None:
        """Check that no foreign page asks for more than to read.

        Raises:
            ForbiddenError: one does.
        """
        if origin is None or self.allows(origin):
            return
        if origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            raise ForbiddenError("pages of another origin may not do this")


class Authenticator:
    """Reads tokens and asks the chain what their accounts may do."""

    def __init__(
        self,
        *,
        chain_id: ChainId,
        federation: FederationReader,
        operator: Address | None,
        clock: Clock,
    ) -> None:
        self._chain_id = chain_id
        self._federation = federation
        self._operator = operator
        self._clock = clock

    def caller(self, authorization: list[str]) -> Caller:
        """Return who asks; reads the chain, so call it in a thread.

        Raises:
            UnauthorizedError: there is no token, or it does not hold.
        """
        if not authorization:
            raise UnauthorizedError("this needs a token: Authorization: Bearer ...")
        if len(authorization) > 1 or not authorization[0].startswith(_SCHEME):
            raise UnauthorizedError("one Authorization header with a Bearer token is wanted")
        token = authorization[0].removeprefix(_SCHEME)
        try:
            bearer = read_token(token, chain_id=self._chain_id, now_ms=self._clock.wall_ms())
        except TokenError as error:
            raise UnauthorizedError(str(error)) from error
        return self._known(bearer)

    def _known(self, bearer: Bearer) -> Caller:
        if bearer.is_own_key and bearer.subject == self._operator:
            return Caller(bearer.subject, self._roles(bearer.subject), is_operator=True)
        if not bearer.is_own_key and self._holder(bearer.key.raw) != bearer.subject:
            raise UnauthorizedError("the key is not registered for this account, or is revoked")
        return Caller(bearer.subject, self._roles(bearer.subject))

    def _roles(self, who: Address) -> frozenset[str]:
        try:
            return frozenset(self._federation.roles(who))
        except VmError:
            # A chain without an identity contract has no roles to give.
            return frozenset()

    def _holder(self, key: bytes) -> Address | None:
        try:
            return self._federation.holder_of(key)
        except VmError:
            return None


def check_access(route: Route, caller: Caller) -> None:
    """Check that the caller may use the route, and note what operators do.

    Raises:
        ForbiddenError: the caller may not.
    """
    match route.access:
        case Access.PUBLIC:
            return
        case Access.MEMBER if caller.roles or caller.is_operator:
            return
        case Access.MEMBER:
            raise ForbiddenError("the account has no role: register an identity first")
        case Access.OPERATOR if caller.is_operator:
            _log.info("operator call", route=route.name)
        case Access.OPERATOR:
            raise ForbiddenError("only the operator of this node may do this, with its own key")
