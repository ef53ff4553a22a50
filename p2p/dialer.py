"""Dial peers: few at a time, one dial a peer, every address with its own time limit."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from p2p.connection import Connection
from p2p.dial_backoff import DialBackoff
from p2p.errors import DialError
from p2p.limits import Limits, TimeLimits
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId, peer_id_text
from primitives.clock import Clock
from primitives.errors import PeerError

ADDRESSES_MAX = 8
"""Addresses tried in one dial; a peer may claim many, and each costs seconds."""


class Dialer:
    """Turn addresses into connections.

    Args:
        dial: dials one address and returns the upgraded connection to the peer named.
    """

    def __init__(
        self,
        limits: Limits,
        times: TimeLimits,
        *,
        clock: Clock,
        dial: Callable[[Multiaddr, PeerId], Awaitable[Connection]],
    ) -> None:
        self._times = times
        self._clock = clock
        self._dial = dial
        self._backoff = DialBackoff()
        self._slots = asyncio.Semaphore(limits.dials)
        # None for a dial that was cancelled.
        self._running: dict[PeerId, asyncio.Future[Connection | None]] = {}

    async def dial(self, peer_id: PeerId, addresses: Sequence[Multiaddr]) -> Connection:
        """Return a connection over the first address that answers; join a dial that is running.

        Raises:
            DialError: none answered, there is none, or the peer is left alone after failures.
        """
        while (running := self._running.get(peer_id)) is not None:
            joined = await asyncio.shield(running)
            if joined is not None:
                return joined
        peer = peer_id_text(peer_id)
        wait_ms = self._backoff.wait_ms(peer_id, now_ms=self._clock.monotonic_ms())
        if wait_ms:
            raise DialError(f"dials failed, the next is in {wait_ms} ms", peer=peer)
        if not addresses:
            raise DialError("no address is known", peer=peer)
        outcome: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._running[peer_id] = outcome
        try:
            connection = await self._dial_any(peer_id, addresses)
        except DialError as error:
            self._backoff.failed(peer_id, now_ms=self._clock.monotonic_ms())
            outcome.set_exception(DialError(f"a dial failed: {error}", peer=peer))
            # Perhaps nobody joined, which is no mistake.
            outcome.exception()
            raise
        else:
            self._backoff.succeeded(peer_id)
            outcome.set_result(connection)
            return connection
        finally:
            del self._running[peer_id]
            if not outcome.done():
                # We were cancelled, which is no failure: who joined dials itself.
                outcome.set_result(None)

    def wait_ms(self, peer_id: PeerId) -> int:
        """Return for how many ms a peer is left alone after failures, 0 for none."""
        return self._backoff.wait_ms(peer_id, now_ms=self._clock.monotonic_ms())

    async def _dial_any(self, peer_id: PeerId, addresses: Sequence[Multiaddr]) -> Connection:
        failures: list[str] = []
        try:
            async with self._slots, asyncio.timeout(self._times.dial_s):
                for address in addresses[:ADDRESSES_MAX]:
                    try:
                        async with asyncio.timeout(self._times.dial_address_s):
                            return await self._dial(address, peer_id)
                    except TimeoutError:
                        failures.append(f"{address}: no answer")
                    except PeerError as error:
                        failures.append(f"{address}: {error}")
        except TimeoutError:
            failures.append("out of time")
        raise DialError("; ".join(failures), peer=peer_id_text(peer_id))
