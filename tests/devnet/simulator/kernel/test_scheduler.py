"""Order, dice, alarms and the trace of the scheduler."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devnet.simulator.kernel.scheduler import (
    TRACE_BUFFER_BYTES_MAX,
    Priority,
    Scheduler,
    TieOrder,
)


def _names_in_order(scheduler: Scheduler, names: str) -> str:
    ran: list[str] = []
    for name in names:
        scheduler.at(10, ran.append, name)
    scheduler.run_until(10)
    return "".join(ran)


@given(st.lists(st.integers(0, 50)))
def test_events_run_in_order_of_time(times_us: list[int]) -> None:
    scheduler = Scheduler(1)
    ran: list[int] = []
    for time_us in times_us:
        scheduler.at(time_us, lambda: ran.append(scheduler.now_us))
    scheduler.run_until(50)
    assert ran == sorted(times_us)
    assert scheduler.executed_count == len(times_us)


def test_faults_come_before_messages_and_messages_before_timers() -> None:
    for tie_order in TieOrder:
        scheduler = Scheduler(1, tie_order=tie_order)
        ran: list[str] = []
        scheduler.at(5, ran.append, "timer", priority=Priority.TIMER)
        scheduler.at(5, ran.append, "message")
        scheduler.at(5, ran.append, "fault", priority=Priority.FAULT)
        scheduler.run_until(5)
        assert ran == ["fault", "message", "timer"]


def test_ties_run_in_order_of_scheduling() -> None:
    assert _names_in_order(Scheduler(1), "abcdefgh") == "abcdefgh"


def test_shuffled_ties_are_an_order_of_the_seed() -> None:
    orders = {
        seed: _names_in_order(Scheduler(seed, tie_order=TieOrder.SHUFFLED), "abcdefgh")
        for seed in range(20)
    }
    assert len(set(orders.values())) > 10
    again = _names_in_order(Scheduler(3, tie_order=TieOrder.SHUFFLED), "abcdefgh")
    assert again == orders[3]


def test_events_after_the_limit_wait() -> None:
    scheduler = Scheduler(1)
    ran: list[int] = []
    scheduler.at(11, ran.append, 11)
    scheduler.run_until(10)
    assert (ran, scheduler.now_us, scheduler.next_us) == ([], 10, 11)
    scheduler.run_until(11)
    assert (ran, scheduler.next_us) == ([11], None)


def test_event_may_schedule_another_at_the_same_instant() -> None:
    scheduler = Scheduler(1)
    ran: list[str] = []
    scheduler.at(5, scheduler.after, 0, ran.append, "second")
    scheduler.run_until(5)
    assert ran == ["second"]


def test_past_is_closed() -> None:
    scheduler = Scheduler(1)
    scheduler.run_until(10)
    with pytest.raises(AssertionError, match="past"):
        scheduler.at(9, lambda: None)


def test_step_runs_one_event() -> None:
    scheduler = Scheduler(1)
    ran: list[str] = []
    scheduler.at(1, ran.append, "a")
    scheduler.at(2, ran.append, "b")
    assert scheduler.step()
    assert (ran, scheduler.now_us) == (["a"], 1)
    assert scheduler.step()
    assert not scheduler.step()


def test_count_and_time_are_right_after_an_event_raised() -> None:
    scheduler = Scheduler(1)
    scheduler.at(7, [].pop)
    with pytest.raises(IndexError):
        scheduler.run_until(10)
    assert (scheduler.now_us, scheduler.executed_count) == (7, 1)


def test_cancelled_alarm_does_not_ring() -> None:
    scheduler = Scheduler(1)
    ran: list[str] = []
    kept = scheduler.alarm(5, ran.append, "kept")
    cancelled = scheduler.alarm(5, ran.append, "cancelled")
    cancelled.cancel()
    assert (kept.is_pending, cancelled.is_pending) == (True, False)
    scheduler.run_until(5)
    assert ran == ["kept"]
    assert not kept.is_pending
    kept.cancel()


def test_same_label_gives_the_same_dice_and_another_label_others() -> None:
    scheduler = Scheduler(1)
    assert scheduler.rng("loss") is scheduler.rng("loss")
    assert scheduler.rng("loss").random() != scheduler.rng("delay").random()


def test_dice_of_one_label_do_not_shift_those_of_another() -> None:
    alone = Scheduler(1).rng("delay").random()
    scheduler = Scheduler(1)
    scheduler.rng("loss").random()
    assert scheduler.rng("delay").random() == alone


def test_dice_are_pinned() -> None:
    # A changed derivation would silently change what every recorded seed means.
    assert Scheduler(7).rng("network.latency").getrandbits(32) == 0x57C2650E


def test_trace_hash_is_pinned() -> None:
    scheduler = Scheduler(7)
    scheduler.trace("deliver", 1, b"abc")
    scheduler.at(5, scheduler.trace, "timer", -1)
    scheduler.run_until(5)
    assert (
        scheduler.trace_hash() == "0e9254f8f0281dcbad9ce5bfeb08ec143471ee78f35f292e299531ba99cda167"
    )


@pytest.mark.parametrize(
    ("kind", "node", "detail"), [("b", 1, b"x"), ("a", 2, b"x"), ("a", 1, b"y"), ("a", 1, b"")]
)
def test_trace_hash_depends_on_everything_traced(kind: str, node: int, detail: bytes) -> None:
    first, second = Scheduler(1), Scheduler(1)
    first.trace("a", 1, b"x")
    second.trace(kind, node, detail)
    assert first.trace_hash() != second.trace_hash()


def test_trace_hash_remembers_what_left_the_buffer() -> None:
    first, second = Scheduler(1), Scheduler(1)
    first.trace("a", 1)
    second.trace("a", 2)
    for scheduler in (first, second):
        scheduler.trace("a", 1, bytes(TRACE_BUFFER_BYTES_MAX))
    assert first.trace_hash() != second.trace_hash()


def test_trace_hash_does_not_depend_on_when_it_is_asked_for() -> None:
    asked, silent = Scheduler(1), Scheduler(1)
    detail = Random(1).randbytes(1000)
    for _ in range(2 * TRACE_BUFFER_BYTES_MAX // len(detail)):
        for scheduler in (asked, silent):
            scheduler.trace("a", 1, detail)
        asked.trace_hash()
    assert asked.trace_hash() == silent.trace_hash()
