"""A node's turns: it follows the committee while it has no seat, and rules with it while it has."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from node.chain.chain import Chain
from node.ledger.checkpoint import Certificate
from node.sync.follower import Follower
from node.sync.news import CertificateNews
from node.validator.epochs import seat_in
from node.validator.errors import SeatLostError
from node.validator.validator import Validator
from primitives.errors import InvalidCheckpointError
from primitives.keys import PrivateKey

CERTIFICATES_WAITING_MAX: Final = 256
STANDSTILL_S: Final = 5.0
"""An idle chain commits several times a second; one that does not has lost its quorum, or us."""

_log = structlog.get_logger("node.turns")


class Turns:
    """Follows or rules, whichever the running epoch says; `run` ends by cancellation.

    Args:
        key: the consensus key; None: it only follows.
        make_validator: makes what rules in the epochs that follow each other with a seat.
    """

    def __init__(
        self,
        chain: Chain,
        follower: Follower,
        news: CertificateNews,
        *,
        key: PrivateKey | None,
        make_validator: Callable[[PrivateKey], Validator],
    ) -> None:
        self._chain = chain
        self._follower = follower
        self._key = key
        self._make_validator = make_validator
        self.validator: Validator | None = None
        self._heard: asyncio.Queue[Certificate] = asyncio.Queue(CERTIFICATES_WAITING_MAX)
        news.watch(self._hear)

    async def run(self) -> None:
        """Take turns until cancelled.

        Raises:
            StateDivergedError: this node computed another state than is certified; it must stop.
            TooFarBehindError: no peer keeps the next commits; a snapshot helps.
            StorageError: something did not become durable; the node must stop.
        """
        while True:
            caught_up = await self._follower.catch_up()
            _log.info("caught up", epoch=caught_up.epoch, height=caught_up.height)
            key = self._key
            if key is not None and self._has_seat(key):
                await self._rule(key)
            else:
                await self._follower.follow(until=self._may_rule)

    def _may_rule(self) -> bool:
        return self._key is not None and self._has_seat(self._key)

    def _has_seat(self, key: PrivateKey) -> bool:
        try:
            seat_in(self._chain.context(), key)
        except SeatLostError:
            return False
        return True

    async def _rule(self, key: PrivateKey) -> None:
        """Hold the seat until it ends, or until the others have left our epoch behind."""
        self.validator = validator = self._make_validator(key)
        try:
            async with asyncio.TaskGroup() as tasks:
                ruling = tasks.create_task(validator.run(), name="validator")
                behind = tasks.create_task(self._fall_behind(), name="watch the epoch")
                passing = tasks.create_task(self._pass_on(validator), name="certificates of others")
                await asyncio.wait((ruling, behind), return_when=asyncio.FIRST_COMPLETED)
                for task in (ruling, behind, passing):
                    task.cancel()
        finally:
            self.validator = None

    def _hear(self, certificate: Certificate) -> None:
        # Without room it is lost: there will be newer ones, and they cover it.
        if self.validator is not None and not self._heard.full():
            self._heard.put_nowait(certificate)

    async def _pass_on(self, validator: Validator) -> None:
        while True:
            certificate = await self._heard.get()
            if self._chain.certificate(certificate.checkpoint.number) is None:
                try:
                    await validator.certify(certificate)
                except InvalidCheckpointError as error:
                    _log.warning("a certificate was not kept", reason=str(error))

    async def _fall_behind(self) -> None:
        """Return when the chain stands still here and a quorum has closed our epoch."""
        height = self._chain.head.height
        while True:
            await asyncio.sleep(STANDSTILL_S)
            stood_still = self._chain.head.height == height
            height = self._chain.head.height
            if stood_still and await self._follower.is_epoch_over():
                _log.warning("the others have closed the epoch", epoch=self._chain.head.epoch)
                return
