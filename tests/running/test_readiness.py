"""When a node is near the present of its chain."""

from pathlib import Path

import msgspec
import pytest

from node.ledger.checkpoint import CERTIFICATE_CODEC, Certificate
from node.running.readiness import HEAD_AGE_MS_MAX, Readiness
from p2p.gossip.events import Deliver
from primitives.ids import TimestampMs
from tests.chain.founded import StillClock
from tests.p2p.town import peer_of
from tests.sync.test_news import message
from tests.sync.village import grown


def later(known: Certificate, *, time_ms: int) -> bytes:
    checkpoint = msgspec.structs.replace(
        known.checkpoint,
        number=known.checkpoint.number + time_ms,
        timestamp_ms=TimestampMs(time_ms),
    )
    return CERTIFICATE_CODEC.encode(msgspec.structs.replace(known, checkpoint=checkpoint))


@pytest.mark.asyncio
async def test_node_that_hears_nothing_is_near_the_present_while_its_head_is_young(
    tmp_path: Path,
) -> None:
    async with grown(tmp_path, 1) as (village, server, _):
        news, head_ms = await village.gossip(server), server.chain.head.time_ms

        def is_near(age_ms: int) -> bool:
            clock = StillClock(head_ms + age_ms)
            return Readiness(server.chain, news, clock=clock).is_near_present()

        assert is_near(0)
        assert is_near(HEAD_AGE_MS_MAX - 1)
        assert not is_near(HEAD_AGE_MS_MAX)
        assert is_near(-HEAD_AGE_MS_MAX)


@pytest.mark.parametrize("off_ms", [-60_000, 0, 60_000])
@pytest.mark.asyncio
async def test_node_that_hears_certificates_goes_by_them_and_not_by_its_clock(
    tmp_path: Path, off_ms: int
) -> None:
    async with grown(tmp_path, 1) as (village, server, _):
        news, head_ms = await village.gossip(server), server.chain.head.time_ms
        known, clock = server.chain.certified, StillClock(head_ms + off_ms)
        assert known is not None
        readiness = Readiness(server.chain, news, clock=clock)

        def is_near_after_hearing(later_ms: int) -> bool:
            raw = later(known, time_ms=head_ms + later_ms)
            news.deliver(Deliver(message(server, raw), peer_of(99)))
            return readiness.is_near_present()

        assert is_near_after_hearing(2_000)
        assert not is_near_after_hearing(HEAD_AGE_MS_MAX)


@pytest.mark.asyncio
async def test_node_that_hears_no_more_goes_by_its_clock(tmp_path: Path) -> None:
    async with grown(tmp_path, 1) as (village, server, _):
        news, head_ms = await village.gossip(server), server.chain.head.time_ms
        known, clock = server.chain.certified, StillClock(head_ms)
        assert known is not None
        readiness = Readiness(server.chain, news, clock=clock)
        news.deliver(Deliver(message(server, later(known, time_ms=head_ms + 1)), peer_of(99)))
        clock.now_ms += HEAD_AGE_MS_MAX - 1
        assert readiness.is_near_present()
        clock.now_ms += 1
        assert not readiness.is_near_present()
