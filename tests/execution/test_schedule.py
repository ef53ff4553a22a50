from hypothesis import given
from hypothesis import strategies as st

from node.execution.schedule import ScheduledCall, add_call, drop_first, due_call, waiting_count
from node.ledger.overlay import EmptyState, Overlay
from primitives.ids import Address, Gas, TimestampMs

CONTRACT = Address(bytes(32))


def call_at(at_ms: int, *, function: int = 0) -> ScheduledCall:
    return ScheduledCall(
        at_ms=TimestampMs(at_ms),
        contract=CONTRACT,
        function=function,
        arguments=b"",
        gas=Gas(20_000),
    )


def take_due(overlay: Overlay, now_ms: int) -> list[ScheduledCall]:
    taken = []
    while (call := due_call(overlay, now_ms=TimestampMs(now_ms))) is not None:
        drop_first(overlay)
        taken.append(call)
    return taken


def test_a_call_is_due_at_its_time_and_not_before() -> None:
    overlay = Overlay(EmptyState())
    add_call(overlay, call_at(1_000))
    assert due_call(overlay, now_ms=TimestampMs(999)) is None
    assert due_call(overlay, now_ms=TimestampMs(1_000)) == call_at(1_000)


def test_calls_of_one_time_come_in_the_order_of_asking() -> None:
    overlay = Overlay(EmptyState())
    for function in range(5):
        add_call(overlay, call_at(7, function=function))
    assert [call.function for call in take_due(overlay, 7)] == [0, 1, 2, 3, 4]


def test_an_emptied_schedule_leaves_only_its_count_in_the_state() -> None:
    overlay = Overlay(EmptyState())
    for at_ms in (3, 1, 2):
        add_call(overlay, call_at(at_ms))
    take_due(overlay, 3)
    assert waiting_count(overlay) == 0
    assert len(overlay.changes()) == 1


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=40))
def test_calls_come_by_time_however_they_were_added_and_taken(
    steps: list[tuple[bool, int]],
) -> None:
    overlay = Overlay(EmptyState())
    waiting: list[tuple[int, int]] = []
    for number, (adds, at_ms) in enumerate(steps):
        if adds:
            add_call(overlay, call_at(at_ms, function=number))
            waiting.append((at_ms, number))
        else:
            due = sorted(entry for entry in waiting if entry[0] <= at_ms)
            assert [(call.at_ms, call.function) for call in take_due(overlay, at_ms)] == due
            waiting = [entry for entry in waiting if entry[0] > at_ms]
    assert waiting_count(overlay) == len(waiting)
