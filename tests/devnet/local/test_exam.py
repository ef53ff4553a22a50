"""Models are measured by a child; one that died is followed by another."""

import asyncio
import os
import sys

import pytest

from devnet.local.errors import ChildFailedError
from devnet.local.exam import Exam, ExamRoom
from fl.jobs.subject import AdapterShape, FrozenModel, ModelKind

EXAM = Exam(
    frozen=FrozenModel(source="any", kind=ModelKind.CLASSIFICATION, labels=2),
    adapter=AdapterShape(rank=1, alpha=1, layers=None, seed=bytes(32)),
    test="test",
    label_names=("a", "b"),
    tokens=8,
    threads=1,
    turns="turns",
    at_once=1,
)

CHILD = """
import os, signal, sys
next(sys.stdin)
for line in sys.stdin:
    if line.strip() == "torn":
        sys.exit("the blob is torn")
    print('{"loss": %d}' % os.getpid(), flush=True)
    if line.strip() == "last":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def _room() -> ExamRoom:
    return ExamRoom(EXAM, command=(sys.executable, "-c", CHILD))


async def _gone(pid: int) -> None:
    """Return once a child of ours ended, and the loop knows."""
    async with asyncio.timeout(20):
        while True:
            await asyncio.sleep(0.02)
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                break
        await asyncio.sleep(0.02)


@pytest.mark.asyncio
async def test_models_are_measured_by_one_child() -> None:
    async with _room() as room:
        assert await room.measure("one") == await room.measure("")


@pytest.mark.asyncio
async def test_model_that_ends_the_child_is_the_only_one_that_is_not_measured() -> None:
    async with _room() as room:
        first = await room.measure("one")
        with pytest.raises(ChildFailedError, match="the blob is torn"):
            await room.measure("torn")
        assert (await room.measure("two")).keys() == first.keys()


@pytest.mark.asyncio
async def test_child_that_died_between_two_models_is_started_anew() -> None:
    async with _room() as room:
        first = await room.measure("last")
        await _gone(int(first["loss"]))
        assert await room.measure("two") != first
