"""No sequence of calls, in any order and from anyone, creates, destroys or strands money."""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fl.machine import RoundsMachine


def test_no_sequence_of_calls_creates_destroys_or_strands_money() -> None:
    run_state_machine_as_test(
        RoundsMachine, settings=settings(max_examples=40, stateful_step_count=40, deadline=None)
    )
