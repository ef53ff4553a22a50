"""Certificates as they form: heard by gossip, verified, and passed on once for each checkpoint.

Nodes may hold different signers for one checkpoint, so there are many valid messages about it. The
first one that is verified is forwarded; whatever is not newer is ignored, which blames nobody.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from node.chain.chain import Chain
from node.chain.errors import CommitteeUnknownError
from node.chain.names import topic
from node.ledger.checkpoint import (
    CERTIFICATE_BYTES_MAX,
    Certificate,
    read_certificate,
    verify_certificate,
)
from node.ledger.staking.queries import seats_of
from p2p.gossip.events import Deliver, Message, Verdict
from p2p.gossip.topic import TopicRules, Validation
from p2p.pubsub import PubSub
from p2p.wire.peer_id import PeerId
from primitives.errors import InvalidCheckpointError
from primitives.ids import ChainId

TOPIC: Final = "certificates"

_log = structlog.get_logger("sync.news")


def certificate_rules(chain_id: ChainId) -> TopicRules:
    """Return the rules of the topic, which whoever makes the `PubSub` must list."""
    return TopicRules(
        name=topic(chain_id, TOPIC),
        size_bytes_max=CERTIFICATE_BYTES_MAX,
        validation=Validation.ASYNC,
    )


class CertificateNews:
    """What is heard on the topic of certificates; one for a node, whatever its roles.

    Attributes:
        newest: the verified certificate with the greatest number, None before the first.
    """

    def __init__(self, chain: Chain, pubsub: PubSub) -> None:
        self.newest: Certificate | None = None
        self._chain = chain
        self._pubsub = pubsub
        self._topic = topic(chain.chain_id, TOPIC)
        self._stirred = asyncio.Event()
        self._watchers: list[Callable[[Certificate], None]] = []
        pubsub.validate(self._topic, self.judge)
        pubsub.subscribe(self._topic, self.deliver)

    def watch(self, watcher: Callable[[Certificate], None]) -> None:
        """Tell a watcher of every verified certificate that is newer than those before."""
        self._watchers.append(watcher)

    def publish(self, raw: bytes) -> None:
        """Send our own certificate, encoded, to everybody."""
        self._pubsub.publish(self._topic, raw)

    @property
    def mesh_size(self) -> int:
        """Return how many peers tell us, and hear from us, at once."""
        return len(self._pubsub.router.mesh_peers(self._topic))

    async def stir(self) -> None:
        """Wait until something was heard since the last call, verifiable or not yet."""
        await self._stirred.wait()
        self._stirred.clear()

    async def judge(self, message: Message, sender: PeerId) -> Verdict:
        """Return what gossip does with a message; the validator of the topic."""
        del sender
        try:
            certificate = read_certificate(message.payload)
        except InvalidCheckpointError:
            return Verdict.REJECT
        checkpoint = certificate.checkpoint
        if checkpoint.chain_id != self._chain.chain_id:
            return Verdict.REJECT
        if self.newest is not None and checkpoint.number <= self.newest.checkpoint.number:
            return Verdict.IGNORE
        try:
            seats = seats_of(self._chain.members_of(checkpoint.epoch))
        except CommitteeUnknownError:
            # Of an epoch that we have yet to reach, or claims to be: a reason to ask, no more.
            self._stirred.set()
            return Verdict.IGNORE
        try:
            verify_certificate(
                certificate, chain_id=checkpoint.chain_id, epoch=checkpoint.epoch, seats=seats
            )
        except InvalidCheckpointError:
            return Verdict.REJECT
        return Verdict.ACCEPT

    def deliver(self, delivery: Deliver) -> None:
        """Take a message that was accepted; the subscriber of the topic."""
        certificate = read_certificate(delivery.message.payload)
        newest = self.newest
        if newest is None or certificate.checkpoint.number > newest.checkpoint.number:
            self.newest = certificate
            self._stirred.set()
            for watcher in self._watchers:
                watcher(certificate)
