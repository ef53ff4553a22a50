"""Work that nobody waits for any more is broken off, with patience for the worker that does it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from typing_extensions import override

from fl.jobs.client import JobTerms
from fl.jobs.progress import Progress
from fl.jobs.work import Job, Result, TrainJob
from node.duties.situation import Role
from node.duties.steward import Wishes
from tests.duties.hamlet import ORDER, at_work, hamlet, toy
from tests.duties.toy import ToyWorker, target_of

STOPPING_S = 1.5
"""In which the chain goes on, so that the steward looks again and again."""


@dataclass
class SlowToStop(ToyWorker):
    """Never ends a training by itself, and takes its time to stop when it is asked to.

    Attributes:
        trains: set once it does.
        asked: to stop once more while it did so already.
        stopped: set once it did.
    """

    trains: asyncio.Event = field(default_factory=asyncio.Event)
    asked: bool = False
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    @override
    async def run(
        self,
        job: Job[Result],
        *,
        terms: JobTerms,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> Result:
        if not isinstance(job, TrainJob):
            return await super().run(job, terms=terms, on_progress=on_progress)
        self.trains.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await self._stop()
            raise
        raise AssertionError("nothing else ends it")

    async def _stop(self) -> None:
        try:
            await asyncio.sleep(STOPPING_S)
        except asyncio.CancelledError:
            self.asked = True
            raise
        self.stopped.set()


@pytest.mark.asyncio
async def test_overtaken_training_is_asked_to_stop_once(tmp_path: Path) -> None:
    late = SlowToStop(target_of(3))
    order = replace(ORDER, ready=3)
    async with at_work(tmp_path, toy(0), toy(1), toy(2), late, order=order) as place:
        await place.until(lambda: place.version() == 1)
        async with asyncio.timeout(20):
            await late.stopped.wait()
        assert not late.asked


@pytest.mark.asyncio
async def test_who_leaves_a_task_stops_to_train_for_it(tmp_path: Path) -> None:
    chosen = {0}
    worker = SlowToStop(target_of(1))
    async with hamlet(tmp_path, validators=2) as place:
        sponsor = await place.settle("validator-0", toy(0))
        node = await place.settle("validator-1", worker)
        node.steward = place.steward(
            node.equipment,
            frozenset(Role),
            wishes=Wishes(tasks=lambda: frozenset(chosen)),
        )
        await place.register(sponsor, node)
        await place.offer(sponsor)
        place.start(sponsor)
        place.start(node)
        async with asyncio.timeout(20):
            await worker.trains.wait()
            chosen.clear()
            await worker.stopped.wait()
        assert not worker.asked
