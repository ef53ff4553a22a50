"""Asking one after another, in virtual time."""

import asyncio
from functools import partial

from node.sync.race import Runner, first_of_use
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.town import now_s


async def answer(value: str | None, *, after_s: float, seen: list[str]) -> str | None:
    seen.append(f"{value} at {now_s()}")
    await asyncio.sleep(after_s)
    return value


@in_virtual_time
async def test_quick_answer_is_taken_before_anybody_else_is_asked() -> None:
    seen: list[str] = []
    asks = [partial(answer, name, after_s=0.1, seen=seen) for name in ("one", "other")]
    assert await first_of_use(asks, stagger_ms=300) == "one"
    assert seen == ["one at 0.0"]


@in_virtual_time
async def test_slow_peer_is_overtaken() -> None:
    seen: list[str] = []
    asks = [
        partial(answer, "slow", after_s=60, seen=seen),
        partial(answer, "quick", after_s=1, seen=seen),
    ]
    assert await first_of_use(asks, stagger_ms=300) == "quick"
    assert now_s() == 1.3


@in_virtual_time
async def test_next_is_asked_at_once_when_one_has_nothing() -> None:
    seen: list[str] = []
    asks = [
        partial(answer, None, after_s=0.1, seen=seen),
        partial(answer, "full", after_s=0.1, seen=seen),
    ]
    assert await first_of_use(asks, stagger_ms=300) == "full"
    assert now_s() == 0.2


@in_virtual_time
async def test_nobody_has_anything() -> None:
    seen: list[str] = []
    asks = [partial(answer, None, after_s=1, seen=seen)] * 3
    assert await first_of_use(asks, stagger_ms=300) is None
    assert len(seen) == 3


@in_virtual_time
async def test_nobody_is_asked() -> None:
    asks: list[Runner[str]] = []
    assert await first_of_use(asks, stagger_ms=300) is None
