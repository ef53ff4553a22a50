"""Asks peers for the certificates that this node missed of commits that it executed.

A later certificate makes a commit as final, but a receipt is proven by the certificate of its own
commit. One is missed by who was away while it formed, and by who follows from one to a later one.
"""

import asyncio
from functools import partial
from typing import Final

import structlog

from node.chain.chain import Chain
from node.chain.errors import CommitteeUnknownError
from node.ledger.checkpoint import Certificate, Checkpoint
from node.ledger.staking.queries import seats_of
from node.sync.client import SyncClient
from node.sync.limits import DEFAULT_LIMITS, SyncLimits
from node.sync.wire import CertificateRequest
from p2p.host import Host
from p2p.wire.peer_id import PeerId
from primitives.clock import Clock
from primitives.errors import InvalidCheckpointError
from primitives.ids import Height

PAUSE_S: Final = 2.0
LOOK_BACK_MAX: Final = 1_024
"""Commits before the head whose certificates are looked for."""

MARGIN: Final = 4
"""Below the newest certificate, numbers that may still be certified here any moment."""

ASKED_MAX: Final = 32
"""In one turn; each is one question to one peer, unless that one has no answer."""

ATTEMPTS_MAX: Final = 3
"""After which nobody near seems to have it."""

_log = structlog.get_logger("node.gaps")


class CertificateGaps:
    """Closes the gaps between certificates; `run` ends by cancellation."""

    def __init__(
        self, chain: Chain, host: Host, *, clock: Clock, limits: SyncLimits = DEFAULT_LIMITS
    ) -> None:
        self._chain = chain
        self._limits = limits
        self._client = SyncClient(host, chain_id=chain.chain_id, clock=clock, limits=limits)
        self._seen = 0
        self._attempts: dict[Height, int] = {}

    async def run(self) -> None:
        """Look for gaps now and then, and close them."""
        while True:
            await asyncio.sleep(PAUSE_S)
            closed = await self.close()
            if closed:
                _log.info("certificates fetched", count=closed)

    async def close(self) -> int:
        """Ask for what is missing now; return how many certificates were found."""
        self._look()
        found = 0
        for height in sorted(self._attempts)[:ASKED_MAX]:
            checkpoint = self._chain.checkpoint_at(height)
            if checkpoint is None or self._chain.certificate(checkpoint.number) is not None:
                del self._attempts[height]
            elif self._is_due(checkpoint):
                found += await self._fetch(checkpoint)
        return found

    def _look(self) -> None:
        """Note the commits since the last look that got a checkpoint."""
        top = self._chain.head.height
        for number in range(max(self._seen, top - LOOK_BACK_MAX) + 1, top + 1):
            height = Height(number)
            if self._chain.checkpoint_at(height) is not None:
                self._attempts[height] = 0
        self._seen = top
        while len(self._attempts) > LOOK_BACK_MAX:
            del self._attempts[min(self._attempts)]

    def _is_due(self, checkpoint: Checkpoint) -> bool:
        newest = self._chain.certified
        return newest is not None and checkpoint.number + MARGIN <= newest.checkpoint.number

    async def _fetch(self, checkpoint: Checkpoint) -> bool:
        found = await self._client.obtain_now(
            partial(self._ask, checkpoint), stagger_ms=self._limits.stagger_ms
        )
        if found is not None and await self._is_kept(found):
            del self._attempts[checkpoint.height]
            return True
        self._attempts[checkpoint.height] += 1
        if self._attempts[checkpoint.height] >= ATTEMPTS_MAX:
            del self._attempts[checkpoint.height]
        return False

    async def _is_kept(self, certificate: Certificate) -> bool:
        try:
            await self._chain.add_certificate(certificate)
        except (CommitteeUnknownError, InvalidCheckpointError) as error:
            _log.warning("a certificate was not kept", reason=str(error))
            return False
        return True

    async def _ask(self, checkpoint: Checkpoint, peer: PeerId) -> Certificate | None:
        try:
            seats = seats_of(self._chain.members_of(checkpoint.epoch))
        except CommitteeUnknownError:
            return None
        height = checkpoint.height
        request = CertificateRequest(checkpoint.epoch, Height(height - 1), height)
        found = await self._client.certificate(peer, request, seats=seats)
        return found if found is not None and found.checkpoint.height == height else None
