"""Hand transactions to own blocks: the first at once, then a bounded lead, a step at a time.

A lone transaction waits for nothing. Under load a pause between two steps lets more gather, since
every hand-over costs consensus a turn. What has not been executed counts as the lead, so a chain
that slows down gets less, and prices still decide over all that waits here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import structlog

from node.ledger.parameters import ConsensusParameters
from node.mempool.agenda import Seat
from node.mempool.ledger_view import LedgerView
from node.mempool.pool import Lead, Pool
from primitives.clock import Clock

LEAD_BLOCKS: Final = 4
"""Full own blocks that may be under way: a block is executed some four rounds after it was made."""
STEP_MAX: Final = 256
STEP_PAUSE_S: Final = 0.005
REST_MS: Final = 100
"""After consensus gave something back: it is full, or closes an epoch."""
SUBMIT_TIMEOUT_S: Final = 5.0

Submit: TypeAlias = Callable[[tuple[bytes, ...]], Awaitable[None]]
"""Takes payload for own blocks; waits while there is no room."""

_log: Final = structlog.get_logger("node.mempool")


def lead_of(parameters: ConsensusParameters) -> Lead:
    """Return how far ahead of its blocks a validator is fed."""
    return Lead(
        bytes_max=LEAD_BLOCKS * parameters.payload_bytes_max,
        count_max=LEAD_BLOCKS * parameters.transactions_max,
        step_max=min(STEP_MAX, parameters.transactions_max),
    )


class Feeder:
    """Feeds one validator while it is attached."""

    def __init__(self, pool: Pool, ledger: LedgerView, *, clock: Clock) -> None:
        self._pool = pool
        self._ledger = ledger
        self._clock = clock
        self._lead = lead_of(ledger.parameters.consensus)
        self._submit: Submit | None = None
        self._awake = asyncio.Event()
        self._rest_until_ms = 0

    @property
    def is_attached(self) -> bool:
        """Tell whether there are own blocks to feed."""
        return self._submit is not None

    def attach(self, submit: Submit, seat: Seat) -> None:
        """Feed from now on, for this seat."""
        self._submit = submit
        self._pool.sit(seat)
        self.wake()

    def detach(self) -> None:
        """Feed nobody; what is under way comes back or is executed."""
        self._submit = None
        self._pool.sit(None)

    def wake(self) -> None:
        """Look whether there is something to feed."""
        self._awake.set()

    def rest(self) -> None:
        """Leave consensus alone for a moment."""
        self._rest_until_ms = self._clock.monotonic_ms() + REST_MS
        self.wake()

    async def run(self) -> None:
        """Feed until cancelled."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            rest_ms = self._rest_until_ms - self._clock.monotonic_ms()
            if rest_ms > 0:
                await asyncio.sleep(rest_ms / 1_000)
            submit = self._submit
            items = () if submit is None else self._take()
            if submit is None or not items:
                continue
            self.wake()
            await self._hand_over(submit, items)
            await asyncio.sleep(STEP_PAUSE_S)

    def _take(self) -> tuple[bytes, ...]:
        now_ms = self._clock.monotonic_ms()
        return self._pool.take(self._lead, now_ms=now_ms, account_of=self._ledger.account)

    async def _hand_over(self, submit: Submit, items: tuple[bytes, ...]) -> None:
        try:
            async with asyncio.timeout(SUBMIT_TIMEOUT_S):
                await submit(items)
        except TimeoutError:
            _log.warning("consensus takes no payload", count=len(items))
            self._pool.returned(items)
