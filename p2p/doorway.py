"""The open doors of one host, and who may come in through them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Final, TypeAlias

import structlog

from p2p.channel import Channel, Listener, Transport
from p2p.connection_table import ConnectionTable
from p2p.gate import Gate, Refusal
from p2p.wire.multiaddr import Multiaddr
from primitives.clock import Clock
from primitives.errors import PeerError, RemoteProtocolError

_log: Final = structlog.get_logger("p2p.doorway")

Visit: TypeAlias = Callable[[Channel, Callable[[], None]], Coroutine[None, None, None]]
"""Serves an inbound channel to its end; calls the function once the handshake is over."""


class Doorway:
    """What happens before and after a visit.

    Args:
        gate: decides who may come in.
        tasks: owns the visits.
        clock: tells the time of the gate.
        connections: count towards the limits of the gate.
        visit: serves who is let in; a `PeerError` of it says that the handshake failed.
        strike: told of the address and the reason when a handshake broke the rules.

    Attributes:
        refusals: connections that were not let in, by reason.
    """

    def __init__(
        self,
        gate: Gate[Channel],
        tasks: asyncio.TaskGroup,
        *,
        clock: Clock,
        connections: ConnectionTable,
        visit: Visit,
        strike: Callable[[str, str], None],
    ) -> None:
        self.refusals: Counter[Refusal] = Counter()
        self._gate = gate
        self._tasks = tasks
        self._clock = clock
        self._connections = connections
        self._visit = visit
        self._strike = strike
        self._listeners: list[Listener] = []
        self._is_closed = False

    @property
    def addresses(self) -> tuple[Multiaddr, ...]:
        """Where the doors are."""
        return tuple(address for listener in self._listeners for address in listener.addresses)

    async def open(self, transport: Transport, address: Multiaddr) -> tuple[Multiaddr, ...]:
        """Open a door and return where it really is.

        Raises:
            ConfigurationError: the address is taken, or not ours.
        """
        listener = await transport.listen(address, self._accept)
        self._listeners.append(listener)
        return listener.addresses

    async def close(self) -> None:
        """Shut every door; who is inside stays."""
        self._is_closed = True
        for listener in self._listeners:
            await listener.close()
        self._listeners.clear()

    def _accept(self, channel: Channel) -> None:
        if self._is_closed:
            channel.abort()
            return
        ip = ip_of(channel.remote)
        now_ms = self._clock.monotonic_ms()
        refusal = self._gate.admit(ip, open_count=len(self._connections), now_ms=now_ms)
        if refusal is not None:
            self.refusals[refusal] += 1
            channel.abort()
            return
        crowded_out = self._gate.begin(channel, ip)
        if crowded_out is not None:
            self.refusals[Refusal.TOO_MANY_UPGRADES] += 1
            crowded_out.abort()
        self._tasks.create_task(self._welcome(channel, ip), name=f"welcome {channel.remote}")

    async def _welcome(self, channel: Channel, ip: str) -> None:
        try:
            await self._visit(channel, lambda: self._gate.upgraded(channel))
        except PeerError as error:
            _log.debug("inbound connection failed", remote=str(channel.remote), reason=str(error))
            if isinstance(error, RemoteProtocolError):
                self._strike(ip, str(error))
        finally:
            self._gate.release(ip)


def ip_of(address: Multiaddr) -> str:
    """Return the host of an address, empty if it has none."""
    endpoint = address.tcp
    return "" if endpoint is None else endpoint.host
