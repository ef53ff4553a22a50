"""Who answers which protocol, and how many streams of it one peer may have at a time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

from p2p.errors import PeerTimeoutError
from p2p.limits import Limits, TimeLimits
from p2p.negotiation import respond
from p2p.stream import Stream
from p2p.usage import UsageTable
from p2p.wire.peer_id import PeerId
from primitives.errors import ConfigurationError, PeerError

_Key: TypeAlias = tuple[PeerId, str]

StreamHandler = Callable[[Stream], Awaitable[None]]
"""Speaks one protocol on an inbound stream; when it returns, our direction is closed."""


class Handlers:
    """The protocols of one host; an unknown one is refused by negotiation."""

    def __init__(self, limits: Limits, times: TimeLimits, usages: UsageTable) -> None:
        self._usages = usages
        self._limits = limits
        self._times = times
        self._handlers: dict[str, StreamHandler] = {}
        self._bounds: dict[str, int] = {}
        self._running: Counter[_Key] = Counter()

    @property
    def protocols(self) -> tuple[str, ...]:
        """The protocol ids that are answered, as identify lists them."""
        return tuple(self._handlers)

    def add(self, protocol: str, handler: StreamHandler, *, streams_max: int | None = None) -> None:
        """Answer a protocol; `streams_max` bounds its streams per peer.

        Raises:
            ConfigurationError: somebody answers it already.
        """
        if protocol in self._handlers:
            raise ConfigurationError(f"{protocol} has a handler already")
        self._handlers[protocol] = handler
        self._bounds[protocol] = streams_max or self._limits.inbound_streams_per_protocol

    def remove(self, protocol: str) -> None:
        """Answer a protocol no longer; streams that are open stay."""
        self._handlers.pop(protocol, None)

    async def serve(self, stream: Stream) -> None:
        """Agree on a protocol, run its handler, and close the stream.

        Raises:
            PeerError: the peer is to blame for what went wrong; the stream is reset.
        """
        try:
            await self._negotiate(stream)
            stream.usage = self._usages.of(stream.protocol)
            stream.usage.inbound_streams += 1
            handler = self._handlers[stream.protocol]
            key = (stream.peer_id, stream.protocol)
            if self._running[key] >= self._bounds[stream.protocol]:
                stream.reset()
                return
            self._running[key] += 1
            try:
                await handler(stream)
            finally:
                self._running[key] -= 1
                if not self._running[key]:
                    del self._running[key]
        except BaseException:
            stream.reset()
            raise
        # What the handler had to say was said; a peer that does not close costs it the stream.
        with suppress(PeerError):
            await stream.finish()

    async def _negotiate(self, stream: Stream) -> None:
        try:
            async with asyncio.timeout(self._times.negotiation_s):
                await respond(stream, self._handlers.__contains__)
        except TimeoutError as error:
            raise PeerTimeoutError("a stream named no protocol", peer=stream.peer) from error
