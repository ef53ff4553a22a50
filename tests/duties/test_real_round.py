"""A whole round with the worker as nodes start it, on the model that is shipped."""

from dataclasses import replace
from pathlib import Path

import pytest

from fl.jobs.client import WorkerClient
from fl.jobs.launch import WorkerCommand
from fl.jobs.local_terms import LocalTerms, Unit
from fl.jobs.subject import AdapterShape, ExampleSource, Half, ModelKind
from fl.training.tiny import tiny_model_folder
from fl.worker.machine import MachineClock
from node.duties.duty import Step
from node.duties.publishing import Guard, TaskOrder, Windows
from node.duties.scene import Learning
from tests.duties.hamlet import hamlet

MINUTES = 20 * 60_000
ORDER = TaskOrder(
    title="notes",
    source="hanse/tiny",
    local_source=str(tiny_model_folder()),
    kind=ModelKind.CAUSAL_LM,
    adapter=AdapterShape(rank=4, alpha=8),
    local=LocalTerms(
        unit=Unit.STEPS, length=12, batch_size=8, max_length=64, learning_rate_nano=5_000_000
    ),
    tokens_max=64,
    windows=Windows(
        training=MINUTES,
        reveal=MINUTES,
        availability=MINUTES,
        scoring=MINUTES,
        score_reveal=MINUTES,
        aggregation=MINUTES,
        guard=MINUTES,
    ),
    guard=Guard(),
    slots=4,
)


def learning(number: int) -> Learning:
    """Return notes of one organisation, of a style that the model has not met."""
    spec = f"synthetic:notes?seed={50 + number}&examples=120&test=40&style_skew=1.0"
    return Learning(
        train=ExampleSource(spec=spec),
        held_out=ExampleSource(spec=spec, half=Half.TEST, chosen=tuple(range(32))),
        models=(("hanse/tiny", str(tiny_model_folder())),),
    )


@pytest.mark.slow
@pytest.mark.asyncio
async def test_real_worker_brings_a_round_to_a_model_that_is_better(tmp_path: Path) -> None:
    command = WorkerCommand(device="cpu", threads=1, memory_bytes_max=2 << 30)
    async with (
        WorkerClient(command, clock=MachineClock()) as worker,
        hamlet(tmp_path, validators=3) as place,
    ):
        nodes = [
            await place.settle(f"validator-{n}", worker, learning=learning(n)) for n in range(3)
        ]
        await place.register(*nodes)
        await place.offer(nodes[0], replace(ORDER))
        for node in nodes:
            place.start(node)
        await place.until(lambda: place.version() == 1, limit_s=240)
        model = place.reader.model(0, 1)
        assert model is not None
        assert len(model.contributors) == 3
        assert min(model.scores) > 0
        assert place.square.failed == []
        for node in nodes:
            jobs = [job for times in node.steward.times() for job in times.jobs]
            assert all(job.outcome == "done" for job in jobs if job.step == Step.JUDGE.value)
            note = node.equipment.notebook.of_round(0, 0)
            assert note.update is not None
            before, after = note.update.losses_micronats
            assert after < before
            assert note.reports[0].changes[0] < 0
