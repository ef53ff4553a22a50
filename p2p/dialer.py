"""Dial peers: few at a time, one dial a peer, every address with its own time limit.

A peer may have addresses that lead nowhere, such as those of its private network, and a dead one
costs the whole limit. So the next address is dialled while the one before has not answered.
Source: RFC 8305, "Happy Eyeballs".
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from p2p.connection import Connection
from p2p.dial_backoff import DialBackoff
from p2p.errors import DialError
from p2p.limits import Limits, TimeLimits
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId, peer_id_text
from primitives.clock import Clock
from primitives.errors import PeerError

ADDRESSES_MAX: Final = 8
"""Addresses tried in one dial, of those within reach; a peer may claim many."""
STAGGER_S: Final = 0.25
"""How long an address is dialled alone; the source recommends a quarter of a second."""


class Dialer:
    """Turn addresses into connections.

    Args:
        can_reach: tells whether an address can be dialled at all.
        dial: dials one address and returns the upgraded connection to the peer named.
    """

    def __init__(
        self,
        limits: Limits,
        times: TimeLimits,
        *,
        clock: Clock,
        can_reach: Callable[[Multiaddr], bool],
        dial: Callable[[Multiaddr, PeerId], Awaitable[Connection]],
    ) -> None:
        self._times = times
        self._clock = clock
        self._can_reach = can_reach
        self._dial = dial
        self._backoff = DialBackoff()
        self._slots = asyncio.Semaphore(limits.dials)
        # None for a dial that was cancelled.
        self._running: dict[PeerId, asyncio.Future[Connection | None]] = {}

    async def dial(self, peer_id: PeerId, addresses: Sequence[Multiaddr]) -> Connection:
        """Return a connection over the first address that answers; join a dial that is running.

        Whether it was a success shows later: the caller says `succeeded` or `failed`.

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
        reachable = [address for address in addresses if self._can_reach(address)]
        if not reachable:
            raise DialError(f"no transport reaches {addresses[0]}", peer=peer)
        outcome: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._running[peer_id] = outcome
        try:
            connection = await self._dial_any(peer_id, reachable[:ADDRESSES_MAX])
        except DialError as error:
            self.failed(peer_id)
            outcome.set_exception(DialError(f"a dial failed: {error}", peer=peer))
            # Perhaps nobody joined, which is no mistake.
            outcome.exception()
            raise
        else:
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

    def succeeded(self, peer_id: PeerId) -> None:
        """Learn that a connection that we dialled proved to be of use."""
        self._backoff.succeeded(peer_id)

    def failed(self, peer_id: PeerId) -> None:
        """Learn that a connection that we dialled was thrown out at once."""
        self._backoff.failed(peer_id, now_ms=self._clock.monotonic_ms())

    async def _dial_any(self, peer_id: PeerId, addresses: Sequence[Multiaddr]) -> Connection:
        failures: list[str] = []
        try:
            async with self._slots, asyncio.timeout(self._times.dial_s):
                connection = await self._race(peer_id, addresses, failures)
        except TimeoutError:
            failures.append("out of time")
        else:
            if connection is not None:
                return connection
        raise DialError("; ".join(failures), peer=peer_id_text(peer_id))

    async def _race(
        self, peer_id: PeerId, addresses: Sequence[Multiaddr], failures: list[str]
    ) -> Connection | None:
        """Dial one address after the other without waiting long for any; the first to answer wins.

        A second connection that is made in the very same moment stays, as any duplicate does, until
        both sides agree on the one to keep.
        """
        waiting = deque(addresses)
        running: list[asyncio.Task[Connection | str]] = []
        async with asyncio.TaskGroup() as dials:
            while waiting or running:
                if waiting:
                    address = waiting.popleft()
                    running.append(dials.create_task(self._try(address, peer_id), name="dial"))
                done, _ = await asyncio.wait(
                    running,
                    timeout=STAGGER_S if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in [task for task in running if task in done]:
                    running.remove(task)
                    outcome = task.result()
                    if isinstance(outcome, str):
                        failures.append(outcome)
                        continue
                    for loser in running:
                        loser.cancel()
                    return outcome
        return None

    async def _try(self, address: Multiaddr, peer_id: PeerId) -> Connection | str:
        """Return a connection over one address, or why there is none."""
        try:
            async with asyncio.timeout(self._times.dial_address_s):
                return await self._dial(address, peer_id)
        except TimeoutError:
            return f"{address}: no answer"
        except PeerError as error:
            return f"{address}: {error}"
