"""Many are inside, or one is alone; who is inside never waits for who waits for them."""

import threading

from node.storage.gate import Gate


def test_one_is_alone_only_once_everybody_has_left() -> None:
    gate = Gate()
    ticket = gate.enter()
    with gate.alone(timeout_seconds=0) as is_alone:
        assert not is_alone
    gate.leave(ticket)
    with gate.alone(timeout_seconds=0) as is_alone:
        assert is_alone
        assert gate.is_shut
    assert not gate.is_shut


def test_thread_inside_comes_in_again_while_another_waits_to_be_alone() -> None:
    gate = Gate()
    first = gate.enter()
    found: list[bool] = []

    def wait() -> None:
        with gate.alone(timeout_seconds=10) as is_alone:
            found.append(is_alone)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not gate.is_shut:
        pass
    second = gate.enter()
    assert gate.open_count == 2
    gate.leave(first)
    gate.leave(second)
    waiting.join()
    assert found == [True]


def test_thread_outside_waits_while_another_is_alone() -> None:
    gate = Gate()
    entered = threading.Event()

    def enter() -> None:
        gate.leave(gate.enter())
        entered.set()

    with gate.alone(timeout_seconds=0):
        outside = threading.Thread(target=enter)
        outside.start()
        assert not entered.wait(0.05)
    assert entered.wait(10)
    outside.join()


def test_another_thread_may_give_the_ticket_back() -> None:
    gate = Gate()
    ticket = gate.enter()
    other = threading.Thread(target=gate.leave, args=(ticket,))
    other.start()
    other.join()
    assert gate.open_count == 0
