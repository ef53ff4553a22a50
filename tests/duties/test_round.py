"""Whole rounds of nodes that validate and train: a real chain in one process, toy models."""

import asyncio
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.local_terms import LocalTerms
from fl.jobs.results import AnyResult
from fl.jobs.work import AggregateJob, AnyJob, EvaluateJob, InspectJob, ScoreJob, TrainJob
from fl.rules.phase import Phase
from node.duties.duty import Step
from node.duties.equipment import ATTEMPTS_MAX
from node.duties.publishing import Guard, Windows
from node.duties.room import StoreRoom
from node.duties.situation import Role
from node.duties.status import RoundTimes
from node.ledger.account import balance_of
from primitives.ids import Digest
from tests.duties.hamlet import ORDER, WINDOWS, Hamlet, Villager, at_work, hamlet, toy
from tests.duties.toy import ToyWorker, target_of

BRIEF = replace(
    ORDER,
    windows=Windows(
        training=60_000,
        availability=3_000,
        scoring=4_000,
        score_reveal=3_000,
        aggregation=4_000,
        guard=3_000,
    ),
)


def outcomes(times: RoundTimes, step: Step) -> list[str]:
    return [job.outcome for job in times.jobs if job.step == step.value]


def phases(times: RoundTimes) -> list[str]:
    return [mark.phase for mark in times.phases]


async def ended(place: Hamlet, number: int = 0) -> None:
    """Wait until a round is over."""
    await place.until(lambda: place.reader.task(0).rounds > number)
    await place.until(lambda: place.phase() is None or place.reader.task(0).rounds > number + 1)


@pytest.mark.asyncio
async def test_three_nodes_bring_rounds_to_committed_models(tmp_path: Path) -> None:
    workers = [toy(number) for number in range(3)]
    order = replace(ORDER, local=LocalTerms(adjustment_percent=50))
    async with at_work(tmp_path, *workers, order=order) as place:
        await place.until(lambda: place.version() == 1)
        # What trainers lower is what validators measure.
        asked = {("TrainJob", 50), ("ScoreJob", 50), ("EvaluateJob", 50)}
        assert all(worker.adjustments == asked for worker in workers)
        first = place.reader.model(0, 1)
        assert first is not None
        assert len(first.contributors) == 3
        assert place.square.failed == []
        for node in place.villagers:
            assert node.equipment.blobs.has(Digest(first.model))
            assert node.equipment.worker.jobs.count("TrainJob") <= 3  # type: ignore[attr-defined]
        status = place.villagers[0].steward.status()
        assert [task.title for task in status.tasks] == ["toy"]
        times = place.villagers[0].steward.times()[0]
        assert phases(times)[:4] == ["commit", "reveal", "availability", "score commit"]
        assert outcomes(times, Step.TRAIN) == ["done"]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_late_trainer_is_left_behind_and_its_training_broken_off(tmp_path: Path) -> None:
    late = toy(3)
    late.pause_s = 60
    order = replace(ORDER, ready=3)
    async with at_work(tmp_path, toy(0), toy(1), toy(2), late, order=order) as place:
        await place.until(lambda: place.version() == 1)
        times = place.villagers[3].steward.times()[0]
        assert outcomes(times, Step.TRAIN) == ["overtaken"]
        assert outcomes(times, Step.VOTE) == ["done"]
        assert len(place.reader.model(0, 1).contributors) == 3  # type: ignore[union-attr]


def close_to_others(node: Villager) -> None:
    """Have a node seal its updates for itself alone."""
    room = node.equipment.blobs
    assert isinstance(room, StoreRoom)
    alone = replace(
        room.circle, recipients=lambda seats: room.circle.recipients([room.circle.operator])
    )
    node.equipment = replace(node.equipment, blobs=replace(room, circle=alone, deadline_ms=500))


@pytest.mark.slow
@pytest.mark.asyncio
async def test_update_that_nobody_can_read_is_not_attested_and_the_round_goes_on(
    tmp_path: Path,
) -> None:
    async with hamlet(tmp_path, validators=4) as place:
        nodes = [await place.settle(f"validator-{n}", toy(n)) for n in range(4)]
        close_to_others(nodes[3])
        nodes[3].steward = place.steward(nodes[3].equipment, frozenset(Role))
        await place.register(*nodes)
        await place.offer(nodes[0], BRIEF)
        for node in nodes:
            place.start(node)
        await place.until(lambda: place.version() == 1)
        model = place.reader.model(0, 1)
        assert model is not None
        assert nodes[3].who not in model.contributors
        assert len(model.contributors) == 3


async def without_notes(place: Hamlet, loser: Villager, folder: Path) -> None:
    """Stop a node that has committed to scores, and lose its notes."""
    place.square.unheard.add((loser.who, "reveal_scores"))
    await place.until(lambda: place.has_promised(loser))
    await place.stop(loser)
    for path in (folder / loser.name / "duties").glob("0-*/notes"):
        path.unlink()
    place.square.unheard.clear()


@pytest.mark.slow
@pytest.mark.asyncio
async def test_lost_scorecard_costs_its_validator_only(tmp_path: Path) -> None:
    async with at_work(tmp_path, toy(0), toy(1), toy(2), toy(3), order=BRIEF) as place:
        loser = place.villagers[3]
        await without_notes(place, loser, tmp_path)
        loser.equipment.worker.target = target_of(99)  # type: ignore[attr-defined]
        with capture_logs() as logs:
            place.start(loser)
            await place.until(lambda: place.version() == 1)
        lines = [str(line) for line in logs if line["log_level"] in {"warning", "error"}]
        assert any("committed scorecard is not on this machine" in line for line in lines)
        assert any("cannot be revealed" in line for line in lines)
        assert len(place.reader.model(0, 1).contributors) >= 3  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_scorecard_is_made_again_where_scores_repeat(tmp_path: Path) -> None:
    async with at_work(tmp_path, toy(0), toy(1), toy(2)) as place:
        loser = place.villagers[2]
        await without_notes(place, loser, tmp_path)
        place.start(loser)
        # All three are needed for a quorum.
        await place.until(lambda: place.version() == 1)


@pytest.mark.parametrize(
    "phase",
    [
        *(pytest.param(one, marks=pytest.mark.slow) for one in Phase if one.window in {1, 2, 3, 6}),
        Phase.AGGREGATE,
    ],
)
@pytest.mark.asyncio
async def test_restarted_node_goes_on_where_it_was(tmp_path: Path, phase: Phase) -> None:
    async with at_work(tmp_path, toy(0), toy(1), toy(2)) as place:
        node = place.villagers[1]
        await place.until(lambda: place.phase() is phase)
        await place.stop(node)
        place.start(node)
        await place.until(lambda: place.version() == 1)
        assert node.who in place.reader.model(0, 1).contributors  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_job_whose_worker_died_is_done_again(tmp_path: Path) -> None:
    died = JobFailedError(FailureCode.WORKER_DIED, "killed")
    unlucky = toy(0)
    unlucky.failing = {kind: [died] for kind in (TrainJob, InspectJob, AggregateJob, EvaluateJob)}
    async with at_work(tmp_path, unlucky, toy(1), toy(2)) as place:
        await place.until(lambda: place.version() == 1)
        model = place.reader.model(0, 1)
        assert model is not None
        assert place.villagers[0].who in model.contributors
        times = place.villagers[0].steward.times()[0]
        assert outcomes(times, Step.TRAIN) == ["done"]
        assert unlucky.failing[TrainJob] == []


@pytest.mark.slow
@pytest.mark.asyncio
async def test_job_that_always_kills_its_worker_is_left_for_the_round(tmp_path: Path) -> None:
    deadly = toy(0)
    died = JobFailedError(FailureCode.WORKER_DIED, "killed")
    deadly.failing = {TrainJob: [died for _ in range(9 * ATTEMPTS_MAX)]}
    order = replace(ORDER, windows=replace(WINDOWS, training=20_000))
    async with at_work(tmp_path, deadly, toy(1), toy(2), order=order) as place:
        await place.until(lambda: place.version() == 1)
        times = place.villagers[0].steward.times()[0]
        assert outcomes(times, Step.TRAIN) == ["job_failed"]
        assert outcomes(times, Step.EVALUATE) == ["done"]


@pytest.mark.asyncio
async def test_wrong_base_model_is_said_once_and_the_node_goes_on(tmp_path: Path) -> None:
    wrong = JobFailedError(FailureCode.BAD_INPUT, "the base model is another", cause="wrong_model")
    unfit = toy(0)
    unfit.failing = {TrainJob: [wrong]}
    with capture_logs() as logs:
        order = replace(ORDER, ready=2)
        async with at_work(tmp_path, unfit, toy(1), toy(2), order=order) as place:
            await place.until(lambda: place.version() == 1)
            status = place.villagers[0].steward.status().tasks[0]
            assert [(one.step, one.until) for one in status.given_up] == [("train", "task")]
            assert unfit.jobs.count("TrainJob") == 1
            assert unfit.jobs.count("ScoreJob") == 1
    said = [line for line in logs if "the base model is another" in str(line)]
    assert len(said) == 1
    assert said[0]["log_level"] == "error"


@pytest.mark.slow
@pytest.mark.asyncio
async def test_node_without_torch_holds_aggregates_and_votes(tmp_path: Path) -> None:
    bare = toy(3)
    none = JobFailedError(FailureCode.NO_TORCH, "install hanse[training]")
    bare.failing = {kind: [none] for kind in (TrainJob, ScoreJob, EvaluateJob)}
    order = replace(BRIEF, ready=3)
    async with at_work(tmp_path, toy(0), toy(1), toy(2), bare, order=order) as place:
        await place.until(lambda: place.version() == 1)
        times = place.villagers[3].steward.times()[0]
        assert outcomes(times, Step.VOTE) == ["done"]
        assert outcomes(times, Step.COMMIT_SCORES) == []


@pytest.mark.slow
@pytest.mark.asyncio
async def test_aggregate_that_fails_the_guard_climbs_the_ladder_to_a_null_round(
    tmp_path: Path,
) -> None:
    order = replace(ORDER, guard=Guard(loss=-(10**6)))
    async with at_work(tmp_path, toy(0), toy(1), toy(2), order=order) as place:
        before = place.reader.task(0).model
        await ended(place)
        assert place.version() == 0
        assert place.reader.task(0).model == before
        marks = place.villagers[0].steward.times()[0].phases
        assert {mark.rung for mark in marks if mark.phase == "guard"} == {0, 1, 2, 3}
        with place.square.chain.view() as state:
            held = balance_of(state, place.villagers[1].who)
        assert held > 0


class AstrayWorker(ToyWorker):
    """Aggregates under another clip."""

    @override
    def _perform(self, job: AnyJob) -> AnyResult:
        if isinstance(job, AggregateJob):
            job = msgspec.structs.replace(job, clip=1)
        return super()._perform(job)


@pytest.mark.asyncio
async def test_seat_reports_on_what_has_a_quorum_though_its_own_candidate_is_another(
    tmp_path: Path,
) -> None:
    astray = AstrayWorker(target_of(3))
    async with at_work(tmp_path, toy(0), toy(1), toy(2), astray) as place:
        loser = place.villagers[3]
        await place.until(lambda: place.version() == 1)
        await place.until(lambda: bool(outcomes(loser.steward.times()[0], Step.REPORT)))
        times = loser.steward.times()[0]
        assert outcomes(times, Step.FETCH_CANDIDATE) == ["done"]
        assert outcomes(times, Step.EVALUATE) == ["done", "done"]
        assert outcomes(times, Step.REPORT) == ["done"]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_trainers_and_validators_may_be_different_nodes(tmp_path: Path) -> None:
    async with hamlet(tmp_path, validators=2) as place:
        judges = frozenset({Role.VALIDATOR, Role.SCORER})
        seats = [await place.settle(f"validator-{n}", toy(n), roles=judges) for n in range(2)]
        names = ("alice", "bob", "carol")
        trainers = [
            await place.settle(name, toy(n), roles=frozenset({Role.TRAINER}))
            for n, name in enumerate(names)
        ]
        await place.register(*trainers)
        await place.offer(seats[0])
        for node in place.villagers:
            place.start(node)
        await place.until(lambda: place.version() == 2)
        model = place.reader.model(0, 2)
        assert model is not None
        assert set(model.contributors) == {one.who for one in trainers}
        assert {one for node in seats for one in node.equipment.worker.jobs} == {  # type: ignore[attr-defined]
            *("PrepareJob", "InspectJob", "ScoreJob", "AggregateJob", "EvaluateJob")
        }


@pytest.mark.slow
@pytest.mark.asyncio
async def test_late_validator_replays_what_it_missed_and_then_takes_part(tmp_path: Path) -> None:
    order = replace(BRIEF, ready=3)
    async with at_work(tmp_path, toy(0), toy(1), toy(2), toy(3), order=order) as place:
        late = place.villagers[3]
        await place.stop(late)
        await place.until(lambda: place.version() == 2, limit_s=120)
        place.start(late)
        await place.until(lambda: place.version() == 4, limit_s=120)
        done = [job for times in late.steward.times() for job in times.jobs]
        assert any(job.step == "replay history" for job in done)
        assert any(job.outcome == "done" for job in done if job.step == "vote")
        assert place.square.failed == []


@pytest.mark.slow
@pytest.mark.asyncio
async def test_steward_ends_when_it_is_cancelled(tmp_path: Path) -> None:
    async with at_work(tmp_path, toy(0)) as place:
        await place.until(lambda: place.phase() is Phase.COMMIT)
        await place.stop(place.villagers[0])
        assert place.running == {}
        await asyncio.sleep(0)
