"""Serves peers that catch up; every node does, with what it has."""

import asyncio
from typing import Final

from node.chain.chain import Chain
from node.sync.answers import Answers
from node.sync.limits import DEFAULT_SERVING, ServingLimits
from p2p.host import Host
from p2p.request import RequestServer
from primitives.clock import Clock
from primitives.ids import Height

TIDY_S: Final = 5.0
STREAMS_MAX: Final = 8
"""Of one protocol that one peer may have open."""


class SyncServer:
    """Serves one chain; `run` ends by cancellation and lets go what was held for others."""

    def __init__(
        self,
        host: Host,
        chain: Chain,
        *,
        clock: Clock,
        limits: ServingLimits = DEFAULT_SERVING,
    ) -> None:
        self._answers = Answers(chain, clock=clock, limits=limits)
        for protocol, handler in self._answers.handlers():
            server = RequestServer(protocol, handler, clock=clock)
            host.handle(protocol.name, server.serve, streams_max=STREAMS_MAX)

    @property
    def held_heights(self) -> tuple[Height, ...]:
        """Return the heights of the states that are held for others."""
        return self._answers.shelf.heights

    async def run(self) -> None:
        """Let go states that nobody asks about any more, until cancelled."""
        try:
            while True:
                await asyncio.sleep(TIDY_S)
                self._answers.tidy()
        finally:
            self._answers.shelf.clear()
