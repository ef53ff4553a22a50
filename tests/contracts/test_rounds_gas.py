"""What the calls of `rounds` cost where a round is as large as it may be: 100 updates, 64 seats.

A call that does not fit into a transaction could never be made, and money would be stuck; so each
is made here at its largest, and so is each step that the chain itself takes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest
from typing_extensions import override

from fl.rules.limits import MEASURES_MAX, SEATS_MAX, STEPS_MAX, UPDATES_MAX
from fl.rules.phase import Phase
from node.ledger.parameters import LimitParameters
from primitives.ids import Gas
from tests.contracts.rounds_stage import Stage
from tests.fl import cast
from tests.fl.cast import OK_REPORT, SALT, Offer, Opinion, address

TRANSACTION_GAS_MAX: Final = LimitParameters().transaction_gas_max
WAKE_GAS: Final = 3_000_000
"""What a call that ends a phase pays for the call that ends the next one."""
OFFER: Final = Offer(guard_bounds=(0,) * MEASURES_MAX, reward=10**12)


class Crowd(Stage):
    """A round of the greatest size, played by everybody, with the gas of every call."""

    def __init__(self) -> None:
        self.gas: dict[str, int] = {}
        super().__init__(trainers=UPDATES_MAX, validators=SEATS_MAX, offer=OFFER)

    @override
    def must(self, method: str, *args: object, by: str, value: int = 0) -> None:
        waiting = len(self.system.waiting())
        super().must(method, *args, by=by, value=value)
        used = self.system.rounds.gas_used
        if len(self.system.waiting()) > waiting:
            used = Gas(used - WAKE_GAS)
        name = f"advance by {args[1]}" if method == "advance" else method
        self.gas[name] = max(used, self.gas.get(name, 0))

    @override
    def wait(self, ms: int) -> None:
        known = len(self.system.chain.receipts)
        super().wait(ms)
        for receipt in self.system.chain.receipts[known:]:
            self.gas["wake"] = max(receipt.gas_used, self.gas.get("wake", 0))

    def until(self, phase: Phase | None, *, steps: int) -> None:
        """Take so many steps at once until a phase begins, or the round is over."""
        while self.phase != (phase.value if phase else None):
            self.must("advance", 0, steps, by="anyone")

    def disagree(self, opinions: Sequence[Opinion]) -> None:
        """Have every validator score in its own way."""
        cards = {
            name: cast.card([replace(one, alone=one.alone + number) for one in opinions])
            for number, name in enumerate(self.validators)
        }
        for name, card in cards.items():
            commitment = cast.score_commitment(self.place(name), scores=card)
            self.must("commit_scores", 0, commitment, by=name)
        for name, card in cards.items():
            self.must("reveal_scores", 0, card, SALT, by=name)

    def play(self, opinions: Sequence[Opinion], *, trainers: Sequence[str], steps: int) -> None:
        self.must("open_round", 0, by="anyone")
        self.commit(trainers)
        self.close()
        # The last of more than a round has room for displaces the least of those before.
        self.reveal(trainers[-UPDATES_MAX:])
        self.attest((1 << UPDATES_MAX) - 1)
        self.disagree(opinions)
        self.wait(2)
        self.until(Phase.AGGREGATE, steps=steps)
        self.vote()
        self.report((OK_REPORT[0],) * MEASURES_MAX)
        self.until(None, steps=steps)


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    """Return a crowd that has played two rounds, by single steps and by the most at once.

    The first trainer is of no use in the first round, so that a newcomer may take its place in the
    second; all others share slots in pairs, which is the most work to weigh.
    """
    crowd = Crowd()
    opinions = [Opinion(100 + i, cluster=i // 2 * 2) for i in range(UPDATES_MAX)]
    crowd.play([Opinion(-1_000), *opinions[1:]], trainers=crowd.trainers, steps=1)
    crowd.play(opinions, trainers=[*crowd.trainers, "newcomer"], steps=STEPS_MAX)
    crowd.must("top_up", 0, by="anyone", value=1)
    crowd.must("close_task", 0, by="sponsor")
    crowd.wait(10**9)
    who = address("trainer1")
    crowd.must("claim", 0, who, crowd.system.registered_at(who), by="anyone")
    return crowd


@pytest.mark.slow
def test_every_call_of_the_largest_round_fits_into_a_transaction_with_room(crowd: Crowd) -> None:
    assert crowd.system.view_task(0).version == 2
    for name, used in crowd.gas.items():
        assert (used + WAKE_GAS) * 2 <= TRANSACTION_GAS_MAX, f"{name} takes {used} gas"


@pytest.mark.slow
def test_the_largest_step_takes_no_more_than_the_contract_keeps_for_one(crowd: Crowd) -> None:
    assert crowd.gas["advance by 1"] <= 100_000 + 8_000 * SEATS_MAX + 14_000 * UPDATES_MAX


@pytest.mark.slow
def test_a_woken_call_of_the_largest_round_takes_no_more_than_was_paid_for_it(
    crowd: Crowd,
) -> None:
    assert 0 < crowd.gas["wake"] <= WAKE_GAS
