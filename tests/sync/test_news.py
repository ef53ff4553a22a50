"""Certificates by gossip: what is passed on, what is ignored, and what costs its sender."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from node.chain.names import topic
from node.ledger.checkpoint import CERTIFICATE_CODEC, Certificate
from node.sync.news import TOPIC, CertificateNews
from p2p.gossip.events import Deliver, Message, Verdict
from primitives.ids import ChainId, Digest, Epoch
from tests.p2p.town import peer_of
from tests.sync.village import Node, grown


def message(node: Node, payload: bytes) -> Message:
    return Message(
        id=b"id",
        topic=topic(node.chain.chain_id, TOPIC),
        payload=payload,
        author=None,
        seqno=None,
        publish_field=b"",
    )


async def judge(news: CertificateNews, node: Node, certificate: Certificate) -> Verdict:
    raw = CERTIFICATE_CODEC.encode(certificate)
    return await news.judge(message(node, raw), peer_of(99))


@pytest.mark.asyncio
async def test_verdicts(tmp_path: Path) -> None:
    async with grown(tmp_path, 2) as (place, server, _):
        news = await place.gossip(server)
        newest, older = server.chain.certificate(1), server.chain.certificate(0)
        assert newest is not None
        assert older is not None

        def with_checkpoint(**changes: object) -> Certificate:
            checkpoint = msgspec.structs.replace(newest.checkpoint, **changes)
            return msgspec.structs.replace(newest, checkpoint=checkpoint)

        assert await judge(news, server, newest) is Verdict.ACCEPT
        assert await news.judge(message(server, b"noise"), peer_of(99)) is Verdict.REJECT
        forged = with_checkpoint(state_root=Digest(bytes(32)))
        assert await judge(news, server, forged) is Verdict.REJECT
        foreign = with_checkpoint(chain_id=ChainId(bytes(32)))
        assert await judge(news, server, foreign) is Verdict.REJECT
        # Of an epoch that we do not know yet: a reason to ask, and no proof of a lie.
        later = with_checkpoint(epoch=Epoch(5), number=9)
        assert await judge(news, server, later) is Verdict.IGNORE
        async with asyncio.timeout(1):
            await news.stir()
        heard: list[Certificate] = []
        news.watch(heard.append)
        for certificate in (newest, older):
            raw = CERTIFICATE_CODEC.encode(certificate)
            news.deliver(Deliver(message(server, raw), peer_of(99)))
        assert news.newest == newest
        assert heard == [newest]
        assert await judge(news, server, older) is Verdict.IGNORE
