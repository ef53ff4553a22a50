"""When a node is near the present of its chain."""

from pathlib import Path

import msgspec
import pytest

from node.ledger.checkpoint import CERTIFICATE_CODEC
from node.running.readiness import HEAD_AGE_MS_MAX, is_near_present
from p2p.gossip.events import Deliver
from primitives.ids import TimestampMs
from tests.chain.founded import StillClock
from tests.p2p.town import peer_of
from tests.sync.test_news import message
from tests.sync.village import grown


@pytest.mark.asyncio
async def test_node_is_near_the_present_while_its_head_is_young(tmp_path: Path) -> None:
    async with grown(tmp_path, 1) as (village, server, _):
        news = await village.gossip(server)
        head_ms = server.chain.head.time_ms

        def is_near(age_ms: int) -> bool:
            return is_near_present(server.chain, news, clock=StillClock(head_ms + age_ms))

        assert is_near(0)
        assert is_near(HEAD_AGE_MS_MAX - 1)
        assert not is_near(HEAD_AGE_MS_MAX)
        assert is_near(-HEAD_AGE_MS_MAX)


@pytest.mark.asyncio
async def test_node_with_a_slow_clock_is_not_near_what_it_heard_of(tmp_path: Path) -> None:
    async with grown(tmp_path, 1) as (village, server, _):
        news = await village.gossip(server)
        newest, head_ms = server.chain.certified, server.chain.head.time_ms
        assert newest is not None

        def is_near_after_hearing(later_ms: int) -> bool:
            checkpoint = msgspec.structs.replace(
                newest.checkpoint,
                number=newest.checkpoint.number + later_ms,
                timestamp_ms=TimestampMs(head_ms + later_ms),
            )
            raw = CERTIFICATE_CODEC.encode(msgspec.structs.replace(newest, checkpoint=checkpoint))
            news.deliver(Deliver(message(server, raw), peer_of(99)))
            return is_near_present(server.chain, news, clock=StillClock(head_ms))

        assert is_near_after_hearing(2_000)
        assert not is_near_after_hearing(HEAD_AGE_MS_MAX)
