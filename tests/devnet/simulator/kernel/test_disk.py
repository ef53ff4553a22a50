"""What a disk keeps through crashes, and what it may lose."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devnet.simulator.kernel.disk import Disk, DiskFailureError
from devnet.simulator.kernel.scheduler import Scheduler
from primitives.errors import StorageError

Write = tuple[str, int, int]
WRITES = st.lists(
    st.tuples(st.sampled_from(["append", "put", "delete"]), st.integers(0, 3), st.integers(0, 99)),
    max_size=12,
)


def _disk(sync_us: int = 0, seed: int = 1) -> Disk:
    scheduler = Scheduler(seed)
    return Disk(scheduler, scheduler.rng("disk"), sync_us=sync_us)


def _write(disk: Disk, writes: list[Write]) -> None:
    for name, key, value in writes:
        if name == "append":
            disk.append("log", value)
        elif name == "put":
            disk.put("table", key, value)
        else:
            disk.delete("table", key)


def _content(disk: Disk) -> tuple[list[Any], list[tuple[Any, Any]]]:
    return disk.records("log"), disk.items("table")


def _content_after(writes: list[Write]) -> tuple[list[Any], list[tuple[Any, Any]]]:
    disk = _disk()
    _write(disk, writes)
    return _content(disk)


@settings(max_examples=60)
@given(WRITES, WRITES, st.integers(0, 1000))
def test_crash_keeps_what_was_synced_and_a_prefix_of_the_rest(
    synced: list[Write], unsynced: list[Write], seed: int
) -> None:
    disk = _disk()
    _write(disk, synced)
    disk.sync()
    _write(disk, unsynced)
    disk.crash(Random(seed))
    prefixes = [synced + unsynced[:count] for count in range(len(unsynced) + 1)]
    assert _content(disk) in [_content_after(writes) for writes in prefixes]


def test_crash_may_lose_any_suffix() -> None:
    kept = set()
    for seed in range(100):
        disk = _disk()
        _write(disk, [("append", 0, number) for number in range(4)])
        disk.crash(Random(seed))
        kept.add(len(disk.records("log")))
    assert kept == {0, 1, 2, 3, 4}


@settings(max_examples=60)
@given(WRITES, WRITES, WRITES, st.integers(0, 1000))
def test_disk_goes_on_after_a_crash(
    before: list[Write], lost: list[Write], after: list[Write], seed: int
) -> None:
    # Whatever the crash left, torn record included, must not show up among later writes.
    disk = _disk()
    _write(disk, before)
    disk.sync()
    _write(disk, lost)
    disk.crash(Random(seed))
    left = disk.snapshot()
    _write(disk, after)
    disk.sync()
    disk.crash(Random(seed + 1))
    other = _disk()
    other.restore(left)
    _write(other, after)
    assert _content(disk) == _content(other)


STEPS = st.lists(
    st.tuples(st.sampled_from(["append", "append", "sync", "wait", "crash"]), st.integers(0, 50)),
    max_size=25,
)


@settings(max_examples=150)
@given(STEPS)
def test_finished_syncs_survive_whatever_the_timing(steps: list[tuple[str, int]]) -> None:
    # The model: numbers in order of writing, and for each sync when it is done and what it covers.
    scheduler = Scheduler(1)
    disk = Disk(scheduler, scheduler.rng("disk"))
    written: list[int] = []
    syncs: list[tuple[int, int]] = []
    for step, number in steps:
        match step:
            case "append":
                disk.append("log", len(written))
                written.append(len(written))
            case "sync":
                disk.sync_us = number
                syncs.append((scheduler.now_us + disk.sync(), len(written)))
            case "wait":
                scheduler.run_until(scheduler.now_us + number)
            case _:
                done = [count for done_us, count in syncs if done_us <= scheduler.now_us]
                rng = Random(number)
                disk.crash(rng)
                kept = disk.records("log")
                assert kept == written[: len(kept)]
                assert len(kept) >= max(done, default=0)
                written = kept
                syncs = [(0, len(kept))]


def test_what_a_crash_left_of_a_sync_does_not_cover_the_next_life() -> None:
    kept = set()
    for seed in range(20):
        scheduler = Scheduler(1)
        disk = Disk(scheduler, scheduler.rng("disk"), sync_us=1000)
        disk.append("log", 1)
        disk.sync()
        disk.wipe()
        disk.append("log", 2)
        scheduler.run_until(2000)
        disk.crash(Random(seed))
        kept.add(len(disk.records("log")))
    assert kept == {0, 1}


def test_each_of_two_syncs_covers_only_what_was_written_before_it() -> None:
    kept = set()
    for seed in range(30):
        scheduler = Scheduler(1)
        disk = Disk(scheduler, scheduler.rng("disk"), sync_us=1000)
        disk.append("log", 1)
        disk.sync()
        scheduler.run_until(500)
        disk.append("log", 2)
        disk.sync()
        scheduler.run_until(1000)
        disk.sync()
        disk.append("log", 3)
        scheduler.run_until(1500)
        disk.crash(Random(seed))
        kept.add(len(disk.records("log")))
    assert kept == {2, 3}


def test_torn_record_is_not_there_and_the_next_one_takes_its_place() -> None:
    torn_count = 0
    for seed in range(50):
        disk = _disk()
        disk.append("log", b"first")
        disk.sync()
        disk.append("log", b"second")
        disk.crash(Random(seed))
        torn_count += len(disk.snapshot().logs["log"]) > len(disk.records("log"))
        records = disk.records("log")
        disk.append("log", b"third")
        assert disk.records("log") == [*records, b"third"]
    assert torn_count > 5


def test_sync_is_durable_only_when_it_has_finished() -> None:
    scheduler = Scheduler(1)
    kept: dict[int, set[int]] = {}
    for crash_after_us in (0, 999, 1000):
        for seed in range(20):
            disk = Disk(scheduler, scheduler.rng("disk"), sync_us=1000)
            disk.append("log", 1)
            assert disk.sync() == 1000
            scheduler.run_until(scheduler.now_us + crash_after_us)
            disk.crash(Random(seed))
            kept.setdefault(crash_after_us, set()).add(len(disk.records("log")))
    assert kept == {0: {0, 1}, 999: {0, 1}, 1000: {1}}


def test_what_is_written_during_a_sync_needs_the_next_one() -> None:
    lost = False
    for seed in range(20):
        scheduler = Scheduler(1)
        disk = Disk(scheduler, scheduler.rng("disk"), sync_us=1000)
        disk.append("log", 1)
        disk.sync()
        disk.append("log", 2)
        scheduler.run_until(1000)
        disk.crash(Random(seed))
        assert disk.records("log")[0] == 1
        lost |= len(disk.records("log")) == 1
    assert lost


def test_syncs_finish_in_the_order_they_were_started() -> None:
    disk = _disk(sync_us=1000)
    assert disk.sync() == 1000
    disk.sync_us = 10
    assert disk.sync() == 1000


def test_sick_disk_is_slow_on_average_by_its_mean() -> None:
    scheduler = Scheduler(1)
    disk = Disk(scheduler, scheduler.rng("disk"), sync_us=100)
    disk.slow_us_mean = 50_000
    total_us = 0
    for _ in range(5000):
        latency_us = disk.sync()
        total_us += latency_us
        scheduler.run_until(scheduler.now_us + latency_us)
    assert 45_000 < total_us / 5000 < 55_000
    disk.heal()
    assert disk.sync() == 100


def test_failed_sync_raises_once_and_makes_nothing_durable() -> None:
    disk = _disk()
    disk.append("log", 1)
    disk.fail_next_sync()
    with pytest.raises(DiskFailureError):
        disk.sync()
    assert issubclass(DiskFailureError, StorageError)
    assert disk.snapshot().logs == {"log": []}
    assert disk.sync() == 0


def test_wiped_disk_is_empty() -> None:
    disk = _disk()
    _write(disk, [("append", 0, 1), ("put", 1, 2)])
    disk.sync()
    disk.wipe()
    assert _content(disk) == ([], [])


@settings(max_examples=60)
@given(WRITES, WRITES, WRITES)
def test_restored_backup_is_what_was_durable_when_it_was_made(
    synced: list[Write], unsynced: list[Write], later: list[Write]
) -> None:
    disk = _disk()
    _write(disk, synced)
    disk.sync()
    _write(disk, unsynced)
    backup = disk.snapshot()
    _write(disk, later)
    disk.sync()
    disk.restore(backup)
    assert _content(disk) == _content_after(synced)
    _write(disk, later)
    other = _disk()
    other.restore(backup)
    assert _content(other) == _content_after(synced)


def test_table_tells_none_from_absent_and_lists_in_key_order() -> None:
    disk = _disk()
    disk.put("table", 2, None)
    disk.put("table", 1, "one")
    assert disk.get("table", 2) is None
    assert disk.get("table", 3) is None
    assert disk.get("nothing", 3) is None
    assert disk.items("table") == [(1, "one"), (2, None)]
    disk.delete("table", 2)
    disk.delete("nothing", 2)
    assert disk.items("table") == [(1, "one")]
