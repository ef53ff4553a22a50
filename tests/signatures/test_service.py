"""Signatures are checked whatever becomes of the child that checks them."""

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from node.signatures.service import ServicePatience, SignatureService
from node.signatures.verifier import InlineVerifier
from primitives.errors import LocalProtocolError
from tests.dsl.virtual_time import LoopClock
from tests.signatures.claiming import false_claim, true_claim

CLAIMS = [true_claim(0), false_claim(1), *(true_claim(number) for number in range(2, 40))]
VERDICTS = [True, False, *[True] * 38]
QUICK = ServicePatience(answer_ms=100, look_ms=20, rest_ms=10)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - a process changes it, which nobody tells of
            await asyncio.sleep(0.005)


def service(
    *,
    patience: ServicePatience = QUICK,
    module: str = "node.signatures",
    waiting_max: int = 16_384,
) -> SignatureService:
    return SignatureService(
        clock=LoopClock(),
        batch_max=16,
        patience=patience,
        module=module,
        waiting_max=waiting_max,
    )


def test_event_loop_checks_in_order_and_lets_others_have_their_turn() -> None:
    turns: list[int] = []

    async def other() -> None:
        turns.append(1)

    async def check() -> None:
        async with asyncio.TaskGroup() as tasks:
            verdicts = tasks.create_task(InlineVerifier().verify(CLAIMS))
            tasks.create_task(other())
            await asyncio.sleep(0)
            assert not verdicts.done()
        assert verdicts.result() == VERDICTS
        assert turns

    asyncio.run(check())


async def _life_of_a_service() -> None:
    async with service() as checks:
        assert await checks.verify([]) == []
        # Before the child is there.
        assert await checks.verify(CLAIMS) == VERDICTS
        await until(lambda: checks.pid is not None)
        async with asyncio.TaskGroup() as askers:
            asked = [askers.create_task(checks.verify(CLAIMS)) for _ in range(4)]
        assert [task.result() for task in asked] == [VERDICTS] * 4
        with pytest.raises(LocalProtocolError):
            await checks.verify([true_claim()._replace(key=b"")])
        first = checks.pid
        assert first is not None
        await _lose(checks, first, signal.SIGKILL)
        second = checks.pid
        assert second is not None
        # A child that hangs is found out and replaced, and what it owed is checked here.
        await _lose(checks, second, signal.SIGSTOP)
        assert checks.claims_waiting == 0
    assert checks.pid is None


async def _lose(checks: SignatureService, pid: int, how: signal.Signals) -> None:
    """Ask while the child is lost, and wait for another."""
    os.kill(pid, how)
    async with asyncio.timeout(10):
        assert await checks.verify(CLAIMS) == VERDICTS
    await until(lambda: checks.pid not in {None, pid})
    assert await checks.verify(CLAIMS) == VERDICTS


def test_verdicts_are_right_before_the_child_with_it_after_its_death_and_when_it_hangs() -> None:
    asyncio.run(_life_of_a_service())


@pytest.mark.parametrize("module", ["this", "tests.signatures.liar"])
def test_child_that_is_no_verifier_costs_nothing_but_speed(module: str) -> None:
    async def check() -> None:
        async with service(module=module) as checks:
            for _ in range(3):
                assert await checks.verify(CLAIMS) == VERDICTS
                await asyncio.sleep(0.05)

    asyncio.run(check())


def test_asker_that_gives_up_harms_nobody() -> None:
    async def check() -> None:
        async with service() as checks:
            async with asyncio.TaskGroup() as askers:
                hasty = askers.create_task(checks.verify(CLAIMS))
                patient = askers.create_task(checks.verify(CLAIMS))
                await asyncio.sleep(0)
                hasty.cancel()
            assert patient.result() == VERDICTS

    asyncio.run(check())


def test_too_many_who_ask_wait_for_each_other() -> None:
    async def check() -> None:
        async with service(waiting_max=1) as checks:
            async with asyncio.TaskGroup() as askers:
                asked = [askers.create_task(checks.verify(CLAIMS)) for _ in range(3)]
                await asyncio.sleep(0)
                assert checks.claims_waiting <= 16
            assert [task.result() for task in asked] == [VERDICTS] * 3

    asyncio.run(check())


def test_child_that_never_listens_is_replaced() -> None:
    async def check() -> None:
        patience = ServicePatience(start_ms=1, look_ms=20, rest_ms=10)
        async with service(patience=patience) as checks:
            await asyncio.sleep(0.1)
            assert checks.pid is None
            assert await checks.verify(CLAIMS) == VERDICTS

    asyncio.run(check())


def test_service_that_ends_while_its_child_starts_leaves_none_behind() -> None:
    async def check() -> None:
        for turns in (1, 4, 7):
            async with service():
                for _ in range(turns):
                    await asyncio.sleep(0)

    asyncio.run(check())


def test_error_of_the_owner_leaves_the_service_as_it_is() -> None:
    async def fail() -> None:
        async with service():
            raise LocalProtocolError("ours")

    with pytest.raises(LocalProtocolError, match="ours"):
        asyncio.run(fail())
