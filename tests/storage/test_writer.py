"""What is acknowledged is durable, in order, together; and the first failure is the last."""

import asyncio
from concurrent.futures import Future, wait
from pathlib import Path

import pytest

from node.storage.batch import WriteBatch
from node.storage.errors import (
    CommitFailedError,
    DiskFullError,
    StorageClosedError,
    WriterBusyError,
    WriterStoppedError,
)
from node.storage.writer import QueueLimits, Writer
from primitives.errors import StorageError
from tests.storage.faults import Fault, busy_disk, failing_disk
from tests.storage.places import NOTES, PAIRS, notes, open_at, opened, read_note


def test_write_is_durable_when_it_returns(tmp_path: Path) -> None:
    with opened(tmp_path) as (environment, writer):
        before = environment.last_commit
        writer.write(notes((1, b"one"), (2, b"two")))
        assert environment.last_commit == before + 1
        assert (read_note(environment, 1), read_note(environment, 2)) == (b"one", b"two")


def test_writes_that_wait_become_one_commit(tmp_path: Path) -> None:
    with opened(tmp_path) as (environment, writer):
        with busy_disk(environment):
            futures = [writer.submit(notes((number, b"value"))) for number in range(100)]
            assert not any(future.done() for future in futures)
        wait(futures)
        # The first one may have left alone.
        assert writer.commit_count <= 2
        assert writer.write_count == 100


def test_later_write_wins_within_and_between_batches(tmp_path: Path) -> None:
    with opened(tmp_path) as (environment, writer):
        with busy_disk(environment):
            writer.submit(notes((1, b"old"), (1, b"newer"), (2, b"two"), (3, b"three")))
            batch = notes((1, b"newest"), (4, b"four"))
            batch.delete(NOTES, 2)
            batch.delete(NOTES, 4)
            batch.delete(NOTES, 99)
            last = writer.submit(batch)
        last.result()
        found = [read_note(environment, number) for number in (1, 2, 3, 4)]
    assert found == [b"newest", None, b"three", None]


def test_tables_of_one_batch_change_together(tmp_path: Path) -> None:
    with opened(tmp_path) as (environment, writer):
        batch = notes((1, b"one"))
        batch.put(PAIRS, (1, 1), b"pair")
        assert len(batch) == 2
        writer.write(batch)
        with environment.snapshot() as snapshot:
            assert snapshot.get(NOTES, 1) == b"one"
            assert snapshot.get(PAIRS, (1, 1)) == b"pair"


def test_commit_takes_no_more_than_its_limit(tmp_path: Path) -> None:
    limits = QueueLimits(commit_bytes_max=1_000)
    with open_at(tmp_path) as environment, Writer.start(environment, limits=limits) as writer:
        with busy_disk(environment):
            futures = [writer.submit(notes((number, bytes(600)))) for number in range(5)]
        wait(futures)
        assert writer.commit_count == 5


@pytest.mark.parametrize(
    "limits", [QueueLimits(writes_max=3), QueueLimits(bytes_max=3 * len(b"value"))]
)
def test_queue_is_bounded(limits: QueueLimits, tmp_path: Path) -> None:
    with open_at(tmp_path) as environment, Writer.start(environment, limits=limits) as writer:
        accepted: list[Future[None]] = []
        with busy_disk(environment):
            with pytest.raises(WriterBusyError) as refusal:
                accepted.extend(writer.submit(notes((number, b"value"))) for number in range(10))
            assert refusal.value.limit <= len(accepted) < 8
        wait(accepted)
        assert [read_note(environment, n) for n in range(len(accepted))] == [b"value"] * len(
            accepted
        )


@pytest.mark.asyncio
async def test_async_writers_wait_for_room_and_are_all_written(tmp_path: Path) -> None:
    limits = QueueLimits(writes_max=2)
    with open_at(tmp_path) as environment, Writer.start(environment, limits=limits) as writer:
        async with asyncio.TaskGroup() as callers:
            with busy_disk(environment):
                for number in range(20):
                    callers.create_task(writer.write_soon(notes((number, b"value"))))
                await asyncio.sleep(0)
        assert [read_note(environment, number) for number in range(20)] == [b"value"] * 20


@pytest.mark.asyncio
async def test_caller_that_is_cancelled_does_not_stop_its_write(tmp_path: Path) -> None:
    with opened(tmp_path) as (environment, writer):
        with busy_disk(environment):
            async with asyncio.TaskGroup() as callers:
                caller = callers.create_task(writer.write_soon(notes((1, b"one"))))
                await asyncio.sleep(0)
                caller.cancel()
        writer.write(notes((2, b"two")))
        assert read_note(environment, 1) == b"one"


def test_closing_writes_out_what_waits(tmp_path: Path) -> None:
    with open_at(tmp_path) as environment:
        writer = Writer.start(environment)
        with busy_disk(environment):
            futures = [writer.submit(notes((number, b"value"))) for number in range(9)]
        writer.close()
        writer.close()
        assert all(future.done() for future in futures)
        with pytest.raises(StorageClosedError):
            writer.submit(notes((1, b"late")))
        with pytest.raises(StorageClosedError):
            writer.write(notes((1, b"late")))


def test_batch_is_submitted_once_and_changes_no_more(tmp_path: Path) -> None:
    with opened(tmp_path) as (_, writer):
        batch = notes((1, b"one"))
        writer.write(batch)
        with pytest.raises(AssertionError):
            writer.submit(batch)
        with pytest.raises(AssertionError):
            batch.put(NOTES, 2, b"two")


def test_full_disk_is_named_with_what_is_free(tmp_path: Path) -> None:
    with opened(tmp_path) as (environment, writer):
        writer.write(notes((1, b"one")))
        with failing_disk(environment, Fault.NO_ROOM), pytest.raises(DiskFullError) as failure:
            writer.write(notes((2, b"two")))
        assert failure.value.path == tmp_path
        assert failure.value.free_bytes > 0
        assert str(failure.value).startswith(f"{tmp_path}: the disk is full (")
    with open_at(tmp_path) as environment:
        assert (read_note(environment, 1), read_note(environment, 2)) == (b"one", None)


@pytest.mark.parametrize("fault", Fault)
def test_first_failed_commit_is_the_last(fault: Fault, tmp_path: Path) -> None:
    with opened(tmp_path) as (environment, writer):
        writer.write(notes((1, b"one")))
        with failing_disk(environment, fault):
            with busy_disk(environment):
                futures = [writer.submit(notes((number, b"late"))) for number in range(2, 9)]
            errors = [future.exception() for future in futures]
        # The disk works again, and still nothing may go on: what it holds is not known.
        assert all(isinstance(error, StorageError) for error in errors)
        assert isinstance(errors[0], DiskFullError | CommitFailedError)
        for refused in (
            lambda: writer.submit(notes((9, b"later"))),
            lambda: writer.write(notes((9, b"later"))),
            lambda: environment.commit([notes((9, b"later"))]),
            environment.snapshot,
        ):
            with pytest.raises(WriterStoppedError) as stop:
                refused()
            assert stop.value.reason == str(errors[0])
    with open_at(tmp_path) as environment:
        assert [read_note(environment, n) for n in (1, 2, 8, 9)] == [b"one", None, None, None]


def test_failure_that_is_a_bug_stops_the_writer_too(tmp_path: Path) -> None:
    with opened(tmp_path) as (_, writer):
        batch = WriteBatch()
        batch.put(NOTES, 1, b"one")
        batch._by_table["no such table"] = {b"key": b"value"}  # noqa: SLF001 - a bug to come
        with pytest.raises(StorageError, match="no such table"):
            writer.write(batch)
        with pytest.raises(WriterStoppedError):
            writer.write(notes((2, b"two")))
