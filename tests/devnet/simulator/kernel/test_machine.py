"""Machines: order of effects, blocking, timers, pauses, and crashes at every boundary."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from devnet.simulator.kernel import input_queue
from devnet.simulator.kernel.clocks import NodeClock
from devnet.simulator.kernel.disk import Disk
from devnet.simulator.kernel.machine import Machine
from devnet.simulator.kernel.program import CrashCause
from devnet.simulator.kernel.scheduler import Scheduler
from primitives.clock import Instant

MS = 1_000


@dataclass
class Script:
    """A program that answers each input by the effects written for it, and records the rest.

    An effect is "note", "sync", "write", "beat after 5 ms", "echo x", "block 7 ms", "crash" or
    "pause"; the input "die" crashes before its effects.
    """

    answers: dict[str, Sequence[str]] = field(default_factory=dict)
    log: list[tuple[int, str]] = field(default_factory=list)
    sync_us: int = 0

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(1)
        disk = Disk(self.scheduler, self.scheduler.rng("disk"), sync_us=self.sync_us)
        clock = NodeClock(self.scheduler.rng("clock"))
        self.machine: Machine[str, str] = Machine(
            0, self.scheduler, lambda _machine: self, disk=disk, clock=clock
        )

    def boot(self, now: Instant) -> Sequence[str]:
        del now
        self.log.append((self.scheduler.now_us, "boot"))
        return self.answers.get("boot", ())

    def handle(self, event: str, now: Instant) -> Sequence[str]:
        assert now == self.machine.now()
        self.log.append((self.scheduler.now_us, event))
        if event == "die":
            self.machine.crash()
        return self.answers.get(event, ())

    def execute(self, effect: str) -> int:
        self.log.append((self.scheduler.now_us, effect))
        match effect.split():
            case ["sync"]:
                return self.machine.disk.sync()
            case ["write"]:
                self.machine.disk.append("log", len(self.log))
            case ["block", wait_ms, "ms"]:
                return int(wait_ms) * MS
            case [key, "after", wait_ms, "ms"]:
                now_ms = self.machine.now().monotonic_ms
                self.machine.set_timer(key, now_ms + int(wait_ms), key)
            case ["echo", event]:
                self.machine.submit(event)
            case ["crash"]:
                self.machine.crash()
            case ["pause"]:
                self.machine.pause()
            case _:
                pass
        return 0

    def started(self) -> "Script":
        """Boot and forget that in the log."""
        self.machine.start()
        self.scheduler.run_until(0)
        self.log.clear()
        return self

    def run(self, until_ms: int) -> None:
        self.scheduler.run_until(until_ms * MS)

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.log]


def test_machine_boots_and_its_first_effects_are_carried_out() -> None:
    script = Script({"boot": ["note"]})
    assert not script.machine.is_up
    script.machine.start()
    script.machine.start()
    assert script.names == ["boot", "note"]
    assert script.machine.counters.boots == 1


def test_boot_that_blocks_delays_the_first_input() -> None:
    script = Script({"boot": ["block 5 ms"]})
    script.machine.start()
    script.machine.receive("a")
    script.run(10)
    assert script.log[-1] == (5 * MS, "a")


def test_inputs_of_an_idle_machine_are_processed_inline() -> None:
    script = Script({"a": ["one", "two"]}).started()
    assert script.machine.receive("a")
    assert script.names == ["a", "one", "two"]
    assert script.scheduler.next_us is None


def test_input_of_its_own_effect_waits_for_the_other_effects() -> None:
    script = Script({"a": ["echo b", "two"], "b": ["three"]}).started()
    script.machine.receive("a")
    assert script.names == ["a", "echo b", "two", "b", "three"]


def test_effect_that_blocks_delays_the_other_effects_and_inputs() -> None:
    script = Script({"a": ["block 5 ms", "two"]}).started()
    script.machine.receive("a")
    script.run(3)
    script.machine.receive("b")
    script.machine.submit("c")
    script.run(10)
    assert script.log == [
        (0, "a"),
        (0, "block 5 ms"),
        (5 * MS, "two"),
        (5 * MS, "b"),
        (5 * MS, "c"),
    ]


def test_slow_processor_takes_its_time_over_each_input() -> None:
    script = Script().started()
    script.machine.processing_us = 2 * MS
    script.machine.receive("a")
    script.machine.receive("b")
    script.run(10)
    assert script.log == [(2 * MS, "a"), (4 * MS, "b")]


def test_queue_of_a_busy_machine_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_queue, "INPUTS_QUEUED_MAX", 2)
    script = Script({"a": ["block 5 ms"]}).started()
    for event in "abcd":
        script.machine.receive(event)
    script.run(10)
    assert script.names == ["a", "block 5 ms", "c", "d"]
    assert script.machine.counters.overflowed == 1


def test_timer_fires_at_its_deadline_and_only_once() -> None:
    script = Script({"a": ["beat after 5 ms"]}).started()
    script.machine.receive("a")
    script.run(100)
    assert script.names == ["a", "beat after 5 ms", "beat"]
    assert 4 * MS < script.log[-1][0] <= 5 * MS
    assert script.machine.counters.timers == 1


def test_timer_of_the_same_key_replaces_the_earlier_one() -> None:
    script = Script({"a": ["beat after 5 ms"], "b": ["beat after 9 ms"]}).started()
    script.machine.receive("a")
    script.machine.receive("b")
    script.run(100)
    assert script.names.count("beat") == 1
    assert script.log[-1][0] > 8 * MS


def test_cancelled_timer_never_fires() -> None:
    script = Script({"a": ["beat after 5 ms"]}).started()
    script.machine.receive("a")
    script.machine.cancel_timer("beat")
    script.machine.cancel_timer("nothing")
    script.run(100)
    assert "beat" not in script.names


def test_overdue_timer_fires_at_once() -> None:
    script = Script().started()
    script.machine.set_timer("beat", 0, "beat")
    script.run(0)
    assert script.log == [(0, "beat")]


@pytest.mark.parametrize(("rate", "due_us"), [(250, 80_000), (-200, 125_000)])
def test_timer_follows_a_change_of_the_clock_rate(rate: int, due_us: int) -> None:
    script = Script({"a": ["beat after 100 ms"]}).started()
    script.machine.receive("a")
    script.machine.set_clock_rate_error(rate)
    script.run(1000)
    assert due_us - 2 * MS < script.log[-1][0] <= due_us


def test_paused_machine_is_late_but_loses_nothing() -> None:
    script = Script({"a": ["beat after 5 ms"]}).started()
    script.machine.receive("a")
    script.machine.pause()
    script.machine.pause()
    assert script.machine.is_paused
    script.run(3)
    assert script.machine.receive("b")
    script.run(20)
    assert "beat" not in script.names
    script.machine.resume()
    script.machine.resume()
    assert script.log[-2:] == [(20 * MS, "b"), (20 * MS, "beat")]
    script.machine.receive("c")
    assert script.names[-1] == "c"


def test_pause_within_a_blocking_effect_holds_the_rest() -> None:
    script = Script({"a": ["block 5 ms", "two"]}).started()
    script.machine.receive("a")
    script.machine.pause()
    script.run(20)
    assert "two" not in script.names
    script.machine.resume()
    assert script.log[-1] == (20 * MS, "two")


def test_pause_that_ends_within_a_blocking_effect_changes_nothing() -> None:
    script = Script({"a": ["block 5 ms", "two"]}).started()
    script.machine.receive("a")
    script.machine.pause()
    script.machine.resume()
    script.run(20)
    assert script.log[-1] == (5 * MS, "two")


def test_pause_while_the_processor_works_keeps_the_input() -> None:
    script = Script().started()
    script.machine.processing_us = 2 * MS
    script.machine.receive("a")
    script.machine.pause()
    script.run(20)
    script.machine.resume()
    script.run(30)
    assert script.log == [(22 * MS, "a")]


@pytest.mark.parametrize("count", range(1, 6))
def test_crash_at_any_effect_boundary_carries_out_exactly_the_effects_before(count: int) -> None:
    effects = ["one", "two", "three"]
    script = Script({"a": effects, "b": ["four"]}).started()
    script.machine.crash_before_effect(count)
    assert script.machine.has_planned_crash
    script.machine.receive("a")
    script.machine.receive("b")
    done = [name for name in script.names if name not in "ab"]
    assert done == [*effects, "four"][: count - 1]
    assert script.machine.is_up == (count == 5)
    assert script.machine.has_planned_crash == (count == 5)
    script.machine.cancel_crash()
    assert not script.machine.has_planned_crash


def test_crashed_machine_forgets_queue_timers_and_remaining_effects() -> None:
    script = Script({"a": ["beat after 5 ms", "block 3 ms", "never"]}).started()
    script.machine.receive("a")
    script.machine.receive("queued")
    script.machine.submit_after(4 * MS, "job")
    script.run(1)
    script.machine.crash()
    script.machine.crash()
    assert not script.machine.receive("unheard")
    script.machine.submit("unheard")
    script.machine.start()
    script.run(100)
    assert script.names == ["a", "beat after 5 ms", "block 3 ms", "boot"]
    assert script.machine.counters.crashes == 1


def test_pause_in_a_new_life_does_not_wake_the_effects_of_the_old_one() -> None:
    script = Script({"a": ["block 3 ms", "never"]}).started()
    script.machine.receive("a")
    script.machine.crash()
    script.machine.start()
    script.machine.pause()
    script.machine.resume()
    assert script.names == ["a", "block 3 ms", "boot"]


def test_processing_of_a_crashed_machine_is_not_finished_by_its_next_life() -> None:
    script = Script().started()
    script.machine.processing_us = 2 * MS
    script.machine.receive("a")
    script.machine.crash()
    script.machine.start()
    script.run(10)
    assert script.names == ["boot"]


def test_finished_job_of_the_same_life_arrives() -> None:
    script = Script().started()
    script.machine.submit_after(4 * MS, "job")
    script.run(10)
    assert script.log == [(4 * MS, "job")]


def test_crash_inside_an_effect_ends_the_input() -> None:
    script = Script({"a": ["crash", "never"]}).started()
    script.machine.receive("a")
    assert script.names == ["a", "crash"]
    assert not script.machine.is_up


def test_effects_of_an_input_that_crashed_the_machine_are_not_carried_out() -> None:
    script = Script({"die": ["never"]}).started()
    script.machine.on_crash = lambda _node, _cause: script.machine.start()
    script.machine.receive("die")
    assert script.names == ["die", "boot"]


def test_machine_restarted_from_its_crash_hook_does_not_finish_the_old_life() -> None:
    script = Script({"a": ["one", "two"], "boot": ["note"]}).started()
    causes: list[CrashCause] = []

    def restart(node: int, cause: CrashCause) -> None:
        assert node == 0
        causes.append(cause)
        script.machine.start()

    script.machine.on_crash = restart
    script.machine.crash_before_effect(2)
    script.machine.receive("a")
    assert script.names == ["a", "one", "boot", "note"]
    assert causes == [CrashCause.AT_EFFECT]
    script.machine.receive("b")
    assert script.names[-1] == "b"


def test_failed_sync_stops_the_machine() -> None:
    script = Script({"a": ["write", "sync", "never"]}).started()
    causes: list[CrashCause] = []
    script.machine.on_crash = lambda _node, cause: causes.append(cause)
    script.machine.disk.fail_next_sync()
    script.machine.receive("a")
    assert script.names == ["a", "write", "sync"]
    assert causes == [CrashCause.DISK_FAILURE]


def test_crash_within_a_sync_may_lose_what_it_covers_and_never_what_came_before() -> None:
    kept = set()
    for seed in range(20):
        script = Script({"a": ["write", "sync", "said"]}, sync_us=5 * MS)
        script.scheduler.rng("machine.0.crash").seed(seed)
        script.started()
        script.machine.receive("a")
        script.run(10)
        script.machine.receive("a")
        script.run(12)
        script.machine.crash()
        assert script.names.count("said") == 1
        kept.add(len(script.machine.disk.records("log")))
    assert kept == {1, 2}


def test_clock_of_a_new_life_has_another_origin() -> None:
    script = Script().started()
    before_ms = script.machine.now().monotonic_ms
    script.machine.crash()
    script.machine.start()
    assert script.machine.now().monotonic_ms != before_ms


def test_effect_that_pauses_the_machine_lets_the_input_finish() -> None:
    script = Script({"a": ["pause", "two"]}).started()
    script.machine.receive("a")
    script.machine.receive("b")
    assert script.names == ["a", "pause", "two"]
    script.machine.resume()
    assert script.names == ["a", "pause", "two", "b"]


def test_crash_ends_a_pause() -> None:
    script = Script().started()
    script.machine.pause()
    script.machine.crash()
    assert not script.machine.is_paused
    script.machine.start()
    script.machine.receive("a")
    assert script.names == ["boot", "a"]
