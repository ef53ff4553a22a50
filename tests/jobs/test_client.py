"""A client and real worker processes: what each kind of death costs."""

import asyncio
import os
import signal

import pytest

from fl.jobs.bounds import PATH_LETTERS_MAX
from fl.jobs.client import WAITING_MAX, JobTerms, WorkerClient
from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.patience import Patience
from fl.jobs.progress import Progress, Stage
from tests.jobs.clients import IN_A_MINUTE, RUDE, client_of, is_running
from tests.jobs.orders import order

QUICK = Patience(cancel_ms=200, stop_ms=2_000, look_ms=20, rest_ms_first=1)
# A worker says that it is alive once a second.
STRICT = Patience(silence_ms=1_500, stop_ms=200, look_ms=20, rest_ms_first=1)


async def pid_from(client: WorkerClient) -> int:
    return (await client.run(order("echo"), terms=IN_A_MINUTE)).facts[0].norm


async def reason_of(client: WorkerClient, words: str, *, deadline_ms: int = 60_000) -> FailureCode:
    with pytest.raises(JobFailedError) as failure:
        await client.run(order(words), terms=JobTerms(deadline_ms=deadline_ms))
    return failure.value.reason


async def _until_dead(client: WorkerClient) -> None:
    for _ in range(500):
        if client.pid is None:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the worker lives on")


@pytest.mark.asyncio
async def test_jobs_in_a_row_are_done_by_one_process_that_leaves_with_its_client() -> None:
    async with client_of() as client:
        first = await pid_from(client)
        assert await pid_from(client) == first == client.pid
    assert not is_running(first)


@pytest.mark.asyncio
async def test_worker_is_started_by_the_first_job_and_not_before() -> None:
    async with client_of() as client:
        assert client.pid is None


@pytest.mark.asyncio
async def test_kill_9_costs_the_job_that_runs_and_nothing_else() -> None:
    async with client_of(patience=QUICK) as client:
        pid = await pid_from(client)
        async with asyncio.TaskGroup() as tasks:
            job = tasks.create_task(reason_of(client, "sleep"))
            await asyncio.sleep(0.05)
            os.kill(pid, signal.SIGKILL)
        assert job.result() is FailureCode.WORKER_DIED
        assert await pid_from(client) != pid


@pytest.mark.asyncio
async def test_job_whose_worker_is_killed_is_done_again_when_the_caller_grants_it() -> None:
    async with client_of(patience=QUICK) as client:
        deaths: list[int] = []

        def kill_once(_: Progress) -> None:
            if not deaths:
                assert client.pid is not None
                deaths.append(client.pid)
                os.kill(client.pid, signal.SIGKILL)

        terms = JobTerms(deadline_ms=60_000, attempts=2)
        result = await client.run(order("pause"), terms=terms, on_progress=kill_once)
        assert deaths != [result.facts[0].norm]


@pytest.mark.asyncio
async def test_idle_worker_that_was_killed_is_replaced_for_the_next_job() -> None:
    async with client_of(patience=QUICK) as client:
        pid = await pid_from(client)
        os.kill(pid, signal.SIGKILL)
        await _until_dead(client)
        assert await pid_from(client) != pid


@pytest.mark.asyncio
async def test_deadline_ends_a_job_and_keeps_a_worker_that_obeys() -> None:
    async with client_of() as client:
        pid = await pid_from(client)
        assert await reason_of(client, "sleep", deadline_ms=100) is FailureCode.DEADLINE
        assert await pid_from(client) == pid


@pytest.mark.asyncio
async def test_worker_that_does_not_obey_the_deadline_is_killed() -> None:
    async with client_of(patience=QUICK) as client:
        pid = await pid_from(client)
        assert await reason_of(client, "stubborn", deadline_ms=100) is FailureCode.DEADLINE
        assert await pid_from(client) != pid
        assert not is_running(pid)


@pytest.mark.asyncio
async def test_cancelling_the_caller_cancels_the_job_before_the_next_one_starts() -> None:
    async with client_of() as client:
        pid = await pid_from(client)
        async with asyncio.TaskGroup() as tasks:
            job = tasks.create_task(client.run(order("sleep"), terms=IN_A_MINUTE))
            waiting = tasks.create_task(pid_from(client))
            await asyncio.sleep(0.05)
            job.cancel()
        assert job.cancelled()
        assert waiting.result() == pid


@pytest.mark.asyncio
async def test_error_of_the_callback_reaches_the_caller_and_the_worker_is_free() -> None:
    def refuse(_: Progress) -> None:
        raise LookupError("not interested")

    async with client_of() as client:
        pid = await pid_from(client)
        with pytest.raises(LookupError, match="not interested"):
            await client.run(order("sleep"), terms=IN_A_MINUTE, on_progress=refuse)
        assert await pid_from(client) == pid


@pytest.mark.asyncio
async def test_progress_arrives_in_order_before_the_result() -> None:
    heard: list[Progress] = []
    async with client_of() as client:
        await client.run(order("steps:3"), terms=IN_A_MINUTE, on_progress=heard.append)
    assert [(one.stage, one.done, one.note) for one in heard] == [
        (Stage.TRAINING, 1, "0"),
        (Stage.TRAINING, 2, "1"),
        (Stage.TRAINING, 3, "2"),
    ]


@pytest.mark.asyncio
async def test_what_a_worker_prints_does_not_mix_with_what_it_says() -> None:
    async with client_of() as client:
        pid = await pid_from(client)
        result = await client.run(order("chatter"), terms=IN_A_MINUTE)
        assert result.facts[0].norm == pid


@pytest.mark.asyncio
async def test_memory_beyond_the_bound_fails_the_job_and_not_the_worker() -> None:
    async with client_of(memory_bytes_max=200 << 20) as client:
        pid = await pid_from(client)
        assert await reason_of(client, "eat") is FailureCode.OUT_OF_MEMORY
        assert await pid_from(client) == pid


@pytest.mark.asyncio
async def test_worker_that_takes_more_than_its_bound_is_killed() -> None:
    # Less than an interpreter needs: the limit inside is not reached, but the client measures.
    async with client_of(patience=QUICK, memory_bytes_max=8 << 20) as client:
        reason = await reason_of(client, "sleep")
    assert reason in {FailureCode.OUT_OF_MEMORY, FailureCode.WORKER_NOT_STARTED}


@pytest.mark.asyncio
async def test_silent_worker_is_killed() -> None:
    async with client_of(patience=STRICT) as client:
        pid = await pid_from(client)
        assert await reason_of(client, "hang") is FailureCode.WORKER_SILENT
    assert not is_running(pid)


@pytest.mark.parametrize(
    ("words", "reason", "cause", "message"),
    [
        ("bug", FailureCode.WORKER_BUG, "", "LookupError: no such leaf"),
        ("fault", FailureCode.BAD_INPUT, "malformed_bytes", "blob.bin: truncated"),
    ],
)
@pytest.mark.asyncio
async def test_error_inside_a_job_is_told_in_one_line_and_the_worker_lives(
    words: str, reason: FailureCode, cause: str, message: str
) -> None:
    async with client_of() as client:
        with pytest.raises(JobFailedError, match=message) as failure:
            await client.run(order(words), terms=IN_A_MINUTE)
        assert (failure.value.reason, failure.value.cause) == (reason, cause)
        assert not failure.value.may_retry
        assert await pid_from(client) == client.pid


@pytest.mark.asyncio
async def test_death_is_told_with_status_and_last_words() -> None:
    async with client_of(patience=QUICK) as client:
        with pytest.raises(JobFailedError, match='status 7 with the words "I am done for"'):
            await client.run(order("crash:7"), terms=IN_A_MINUTE)


@pytest.mark.asyncio
async def test_abort_is_told_with_its_cause_and_not_with_the_trace_below() -> None:
    words = "SIGABRT with the words .terminate called.*; Fatal Python error: Aborted"
    async with client_of(patience=QUICK) as client:
        with pytest.raises(JobFailedError, match=words):
            await client.run(order("abort"), terms=IN_A_MINUTE)


@pytest.mark.parametrize(
    ("rude", "reason"),
    [
        ("garbage", FailureCode.WORKER_GARBLED),
        pytest.param("oversized", FailureCode.WORKER_GARBLED, marks=pytest.mark.slow),
        pytest.param("not-message", FailureCode.WORKER_GARBLED, marks=pytest.mark.slow),
        pytest.param("version", FailureCode.WORKER_GARBLED, marks=pytest.mark.slow),
        pytest.param("stranger", FailureCode.WORKER_GARBLED, marks=pytest.mark.slow),
        ("other-kind", FailureCode.WORKER_GARBLED),
        pytest.param("mute", FailureCode.WORKER_SILENT, marks=pytest.mark.slow),
        ("deaf", FailureCode.WORKER_DIED),
    ],
)
@pytest.mark.asyncio
async def test_worker_that_says_the_wrong_thing_is_killed(rude: str, reason: FailureCode) -> None:
    async with client_of(RUDE, patience=STRICT, RUDE=rude) as client:
        assert await reason_of(client, "echo") is reason
        assert client.pid is None


@pytest.mark.slow
@pytest.mark.asyncio
async def test_worker_that_never_says_that_it_is_ready_is_killed() -> None:
    patience = Patience(start_ms=1_000, look_ms=20)
    async with client_of(RUDE, patience=patience, RUDE="silent") as client:
        with pytest.raises(JobFailedError, match="not ready within 1000 ms") as failure:
            await client.run(order("echo"), terms=IN_A_MINUTE)
    assert failure.value.reason is FailureCode.WORKER_NOT_STARTED


@pytest.mark.asyncio
async def test_client_that_is_closed_while_its_worker_starts_leaves_no_process() -> None:
    async with client_of() as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await client.run(order("echo"), terms=IN_A_MINUTE)
        pid = client.pid
    assert pid is None or not is_running(pid)


@pytest.mark.asyncio
async def test_worker_that_cannot_start_is_told_with_its_last_words() -> None:
    async with client_of("tests.jobs.entries.absent", patience=QUICK) as client:
        with pytest.raises(
            JobFailedError, match=r"No module named.*before it was ready"
        ) as failure:
            await client.run(order("echo"), terms=IN_A_MINUTE)
        assert failure.value.reason is FailureCode.WORKER_NOT_STARTED
        assert not failure.value.may_retry


@pytest.mark.asyncio
async def test_no_more_jobs_wait_than_the_bound() -> None:
    async with client_of() as client, asyncio.TaskGroup() as tasks:
        await pid_from(client)
        jobs = [
            tasks.create_task(client.run(order("sleep"), terms=IN_A_MINUTE))
            for _ in range(WAITING_MAX)
        ]
        await asyncio.sleep(0)
        assert await reason_of(client, "echo") is FailureCode.BUSY
        for job in jobs:
            job.cancel()


@pytest.mark.asyncio
async def test_client_that_is_closed_in_the_middle_of_a_job_leaves_no_process() -> None:
    async with client_of(patience=QUICK) as client:
        pid = await pid_from(client)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.run(order("stubborn"), terms=IN_A_MINUTE)
    assert not is_running(pid)


def test_rests_double_up_to_the_longest() -> None:
    patience = Patience(rest_ms_first=250, rest_ms_max=1_500)
    assert [patience.rest_ms(deaths) for deaths in (0, 1, 2, 3, 4, 10_000)] == [
        *(0, 250, 500, 1_000, 1_500, 1_500)
    ]


@pytest.mark.asyncio
async def test_job_out_of_bounds_is_refused_here_and_ends_no_worker() -> None:
    async with client_of() as client:
        pid = await pid_from(client)
        for words in ("x" * (PATH_LETTERS_MAX + 1), "\udcff"):
            assert await reason_of(client, words) is FailureCode.BAD_INPUT
        assert await pid_from(client) == pid
