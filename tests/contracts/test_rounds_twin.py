"""No sequence of calls, in any order and from anyone, tells the contract from its reference."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from typing_extensions import override

from fl.rules.effects import Anomaly, Effect, Reason, SlashRequest, UpdateCommitted
from fl.rules.errors import Rule
from fl.rules.phase import Phase
from fl.rules.reputation import Fault
from tests.contracts.rounds_machine import TwinMachine
from tests.fl.cast import OK_REPORT, Opinion
from tests.fl.machine import (
    ABSURD,
    OFFERS,
    OPINIONS,
    SPONSOR,
    TASKS_MAX,
    TRAINERS,
    VALIDATORS,
    Mishap,
)
from tests.fl.system import Refused

SCORES = [
    [OPINIONS[0]] * len(TRAINERS),
    [OPINIONS[2]] * len(TRAINERS),
    OPINIONS[:5],
    OPINIONS[4:],
    [OPINIONS[9], *[OPINIONS[2]] * 4],
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
    for opinion in (ABSURD, OPINIONS[3]):
        machine.play_round(1, [opinion] * len(TRAINERS), Mishap.NONE, 1)
        machine.systems_show_the_same()
    machine.teardown()
    reasons = {one.reason for one in machine.seen if isinstance(one, Anomaly)}
    assert reasons == set(Reason) - {Reason.DISPLACED}
    faults = {one.fault for one in machine.seen if isinstance(one, SlashRequest)}
    assert faults == set(Fault) - {Fault.WITHHELD_UPDATE, Fault.MALFORMED}


@pytest.mark.parametrize("lie", [-(2**31), -50, 25, 30, 2**31 - 1])
def test_judge_that_lies_about_one_update_earns_the_same_under_both(lie: int) -> None:
    machine = TwinMachine()
    machine.offers = OFFERS[:TASKS_MAX]
    for offer in machine.offers:
        machine.call("create_task", *offer.args, by=SPONSOR, value=2 * offer.reward)
    machine.open_round(1)
    machine.commit_updates(1, TRAINERS, 1)
    machine.wait_for(1, Phase.REVEAL)
    machine.reveal_updates(1, TRAINERS)
    machine.attest(1, VALIDATORS, 31)
    honest = [OPINIONS[0]] * len(TRAINERS)
    # Who lies about everything has no trust left, and earns nothing in either.
    machine.commit_scores(1, VALIDATORS, honest, [Opinion(alone=lie), *honest[1:]])
    machine.reveal_scores(1, VALIDATORS)
    machine.wait_for(1, Phase.AGGREGATE)
    machine.vote(1, VALIDATORS, [], 1)
    machine.report(1, VALIDATORS, OK_REPORT)
    assert machine.view(1).version == 1
    machine.teardown()


def test_contract_and_reference_begin_to_reveal_with_the_same_update() -> None:
    machine = RememberingMachine()
    machine.offers = [next(offer for offer in OFFERS if offer.ready)]
    (offer,) = machine.offers
    for short in (replace(offer, ready=-1), replace(offer, ready=offer.slots + 1)):
        assert machine.call("create_task", *short.args, by=SPONSOR) == Refused(Rule.BAD_TERMS.value)
    machine.call("create_task", *offer.args, by=SPONSOR, value=2 * offer.reward)
    # The commits are one by one, then all at one height.
    for number, height in enumerate((1, 0)):
        machine.play_round(0, [OPINIONS[0]] * len(TRAINERS), Mishap.NONE, height)
        machine.systems_show_the_same()
        machine.the_same_wake_ups_are_waiting()
        assert machine.view(0).version == number + 1
        while machine.view(0).running is not None:
            machine.wait_for_scheduler()
    committed = [one for one in machine.seen if isinstance(one, UpdateCommitted)]
    assert [one.index for one in committed] == [0, 1] * 2
    machine.teardown()


@pytest.mark.slow
def test_contract_and_reference_do_the_same_whatever_anybody_calls() -> None:
    run_state_machine_as_test(
        TwinMachine, settings=settings(max_examples=10, stateful_step_count=40, deadline=None)
    )
