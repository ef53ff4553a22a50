"""No sequence of calls, in any order and from anyone, tells the contract from its reference."""

from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from typing_extensions import override

from fl.rules.effects import Anomaly, Effect, Reason, SlashRequest
from fl.rules.reputation import Fault
from tests.contracts.rounds_machine import TwinMachine
from tests.fl.machine import OFFERS, OPINIONS, SPONSOR, TASKS_MAX, TRAINERS, Mishap

SCORES = [
    [OPINIONS[0]] * len(TRAINERS),
    [OPINIONS[2]] * len(TRAINERS),
    OPINIONS[:5],
    OPINIONS[4:],
]


class RememberingMachine(TwinMachine):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Effect] = []

    @override
    def remember(self, effects: Sequence[Effect]) -> None:
        super().remember(effects)
        self.seen.extend(effects)


@pytest.mark.slow
def test_contract_and_reference_agree_on_rounds_with_every_mishap() -> None:
    machine = RememberingMachine()
    machine.offers = OFFERS[:TASKS_MAX]
    for offer in machine.offers:
        machine.call("create_task", *offer.args, by=SPONSOR, value=2 * offer.reward)
    machine.play_round(1, [OPINIONS[0], OPINIONS[5], *OPINIONS[:3]], Mishap.NONE, 0)
    for mishap in Mishap:
        for scores in SCORES:
            machine.play_round(1, scores, mishap, 1)
            machine.every_grain_has_an_owner()
            machine.systems_show_the_same()
            machine.the_same_wake_ups_are_waiting()
    machine.teardown()
    reasons = {one.reason for one in machine.seen if isinstance(one, Anomaly)}
    assert reasons == set(Reason) - {Reason.DISPLACED}
    faults = {one.fault for one in machine.seen if isinstance(one, SlashRequest)}
    assert faults == set(Fault) - {Fault.WITHHELD_UPDATE, Fault.MALFORMED}


@pytest.mark.slow
def test_contract_and_reference_do_the_same_whatever_anybody_calls() -> None:
    run_state_machine_as_test(
        TwinMachine, settings=settings(max_examples=10, stateful_step_count=40, deadline=None)
    )
