"""The bound of the queue before a busy machine."""

import pytest

from devnet.simulator.kernel import input_queue
from devnet.simulator.kernel.input_queue import InputQueue


def _drained(queue: InputQueue[str]) -> list[str]:
    return [queue.take() for _ in range(len(queue))]


def test_inputs_leave_in_order() -> None:
    queue: InputQueue[str] = InputQueue()
    queue.put_network("a")
    queue.put_local("b")
    queue.put_network("c")
    queue.put_back("z")
    assert _drained(queue) == ["z", "a", "b", "c"]


def test_full_queue_loses_its_oldest_network_input_and_no_local_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(input_queue, "INPUTS_QUEUED_MAX", 2)
    queue: InputQueue[str] = InputQueue()
    queue.put_local("timer")
    assert [queue.put_network(name) for name in "abc"] == [0, 0, 1]
    queue.put_local("late timer")
    assert _drained(queue) == ["timer", "b", "c", "late timer"]
    assert [queue.put_network(name) for name in "def"] == [0, 0, 1]
    queue.clear()
    assert len(queue) == 0
    assert queue.put_network("g") == 0
