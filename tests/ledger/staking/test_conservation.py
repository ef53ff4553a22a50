"""No sequence of actions, by anyone, in any order, makes, loses or strands a grain.

After every step `Town` adds up all money (balances, stake, pot, treasury, against genesis, minted
and burned) and finds the owner of every share. At the end everybody leaves, and all is paid out.
"""

import contextlib
from collections.abc import Callable
from itertools import product

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from node.ledger.account import SystemAccount, balance_of
from node.ledger.errors import InsufficientBalanceError
from node.ledger.staking.errors import StakingError, StakingEvidenceError
from node.ledger.staking.evidence import Charge
from node.ledger.staking.records import Keys, Offence, Standing
from node.ledger.staking.tables import Table, read_roster
from node.ledger.staking.vault import stake_total_in_system
from primitives.ids import AuthorityIndex, Epoch, Grain
from tests.ledger.staking.town import PURSE, SMALL, Town, person

FOUNDERS = "ABCD"
NEWCOMERS = "EFG"
DELEGATORS = "xyz"
VALIDATORS = st.sampled_from(3 * FOUNDERS + NEWCOMERS)
ANYBODY = st.sampled_from(FOUNDERS + NEWCOMERS + DELEGATORS)
AMOUNTS = st.one_of(st.integers(0, 60), st.integers(0, 3_000), st.just(PURSE + 1))
RULES = msgspec.structs.replace(
    SMALL,
    slash_downtime_bp=30,
    commission_max_bp=10_000,
    emission_per_epoch=Grain(37),
)


class Market(RuleBasedStateMachine):
    """Everybody does anything, and bad actions fail without a trace."""

    @initialize(
        stakes=st.lists(st.integers(100, 5_000), min_size=4, max_size=4),
        commission_bp=st.integers(0, 10_000),
    )
    def open(self, stakes: list[int], commission_bp: int) -> None:
        founders = dict(zip(FOUNDERS, stakes, strict=True))
        self.town = Town(
            founders,
            people=NEWCOMERS + DELEGATORS,
            parameters=RULES,
            commission_bp=commission_bp,
        )
        self.keys_made = 0

    @rule(name=st.sampled_from(NEWCOMERS), amount=AMOUNTS, commission_bp=st.integers(0, 10_000))
    def bond(self, name: str, amount: int, commission_bp: int) -> None:
        self.attempt(lambda: self.town.bond(name, amount, commission_bp=commission_bp))

    @rule(delegator=ANYBODY, validator=VALIDATORS, amount=AMOUNTS)
    def delegate(self, delegator: str, validator: str, amount: int) -> None:
        self.attempt(lambda: self.town.delegate(delegator, validator, amount))

    @rule(delegator=ANYBODY, validator=VALIDATORS, amount=AMOUNTS)
    def undelegate(self, delegator: str, validator: str, amount: int) -> None:
        self.attempt(lambda: self.town.undelegate(delegator, validator, amount))

    @rule(delegator=ANYBODY, validator=VALIDATORS)
    def undelegate_all(self, delegator: str, validator: str) -> None:
        self.attempt(lambda: self.leave(delegator, validator))

    @rule(delegator=ANYBODY, source=VALIDATORS, destination=VALIDATORS, amount=AMOUNTS)
    def redelegate(self, delegator: str, source: str, destination: str, amount: int) -> None:
        self.attempt(lambda: self.town.redelegate(delegator, source, destination, amount))

    @rule(name=VALIDATORS, destination=VALIDATORS, part=st.integers(1, 4))
    def move_own_stake(self, name: str, destination: str, part: int) -> None:
        def move() -> None:
            free = self.town.holding(name, name).free
            self.town.redelegate(name, name, destination, free // part)

        self.attempt(move)

    @rule(delegator=ANYBODY, validator=VALIDATORS)
    def withdraw(self, delegator: str, validator: str) -> None:
        self.attempt(lambda: self.town.withdraw(delegator, validator))

    @rule(name=VALIDATORS)
    def unjail(self, name: str) -> None:
        self.attempt(lambda: self.town.unjail(name))

    @rule(name=VALIDATORS)
    def rotate(self, name: str) -> None:
        self.keys_made += 1
        keys = Keys(person(f"consensus {self.keys_made}"), person(f"node {self.keys_made}"))
        self.attempt(lambda: self.town.rotate(name, keys))

    @rule(
        age=st.integers(0, 4) | st.integers(-1, 4),
        author=st.integers(0, 3) | st.integers(0, 5),
        offence=st.sampled_from(Offence),
        reporter=st.none() | ANYBODY,
    )
    def punish(self, age: int, author: int, offence: Offence, reporter: str | None) -> None:
        epoch = Epoch(max(0, self.town.epoch - age))
        charge = Charge(epoch, AuthorityIndex(author), offence)
        before = self.worth()
        self.attempt(lambda: self.town.charge(charge, reporter=reporter))
        assert self.worth() <= before

    @rule(amount=st.integers(0, 10_000))
    def tip(self, amount: int) -> None:
        self.town.tip(amount)

    @rule(rounds=st.integers(0, 12), missing=st.sets(VALIDATORS, max_size=2))
    def attend(self, rounds: int, missing: set[str]) -> None:
        self.town.attend(rounds, missing="".join(missing))

    @rule(missing=st.sampled_from(FOUNDERS), rounds=st.integers(10, 12))
    def miss_two_epochs(self, missing: str, rounds: int) -> None:
        for _ in range(2):
            self.town.attend(rounds, missing=missing)
            self.town.end_epoch()

    @rule(name=st.sampled_from(FOUNDERS))
    def serve_a_sentence(self, name: str) -> None:
        if self.town.pool(name).standing is Standing.JAILED:
            self.town.end_epoch(RULES.jail_epochs)
            self.unjail(name)

    @rule(count=st.integers(1, 3))
    def end_epoch(self, count: int) -> None:
        payout = self.town.end_epoch(count).payout
        assert sum(payout.rewards) + payout.treasury == payout.pot

    @invariant()
    def committee_is_sound(self) -> None:
        members = self.town.members
        powers = [member.power for member in members]
        assert sum(powers) == 10_000
        assert powers == sorted(powers, reverse=True)
        assert min(powers) >= 1
        assert len({member.keys.consensus_key for member in members}) == len(members)

    @invariant()
    def pools_have_owners(self) -> None:
        for name in FOUNDERS + NEWCOMERS:
            if person(name) not in read_roster(self.town.overlay):
                continue
            pool = self.town.pool(name)
            assert pool.shares > 0 or pool.tokens == 0
            if pool.closed_epoch is not None:
                assert (pool.shares, pool.tokens, pool.incoming) == (0, 0, 0)

    @invariant()
    def nobody_sits_who_was_tombstoned_before_unless_all_were(self) -> None:
        standings = {
            member.operator: self.town.pool(self.town.name_of(member.operator))
            for member in self.town.members
        }
        closed = [pool for pool in standings.values() if pool.closed_epoch is not None]
        tombstoned = [pool for pool in closed if pool.standing is Standing.TOMBSTONED]
        assert len(tombstoned) in {0, len(standings)}

    def worth(self) -> int:
        """Return all money that people have, staked or not."""
        purses = sum(self.town.purse(name) for name in self.town.people)
        return purses + stake_total_in_system(self.town.overlay)

    def attempt(self, action: Callable[[], object]) -> None:
        with contextlib.suppress(StakingError, StakingEvidenceError, InsufficientBalanceError):
            action()

    def leave(self, delegator: str, validator: str) -> None:
        free = self.town.holding(delegator, validator).free
        self.town.undelegate(delegator, validator, max(1, free))

    def leave_everywhere(self) -> None:
        for delegator, validator in product(self.town.people, FOUNDERS + NEWCOMERS):
            self.withdraw(delegator, validator)
            self.undelegate_all(delegator, validator)

    @override
    def teardown(self) -> None:
        """Let everybody leave; two unbonding periods later nothing is staked and nobody has claims.

        Stake that was moved on the last day has to wait for its redelegation first.
        """
        if not hasattr(self, "town"):
            return
        town = self.town
        for _ in range(2 * RULES.unbonding_epochs + 3):
            self.leave_everywhere()
            town.end_epoch()
        assert stake_total_in_system(town.overlay) == 0
        purses = sum(town.purse(name) for name in town.people)
        treasury = balance_of(town.overlay, SystemAccount.TREASURY.address)
        assert purses + treasury == town.supply.circulating
        claims = (Table.DELEGATION, Table.DEPOSITS, Table.EXITS, Table.MOVES)
        assert not [key for key in town.entries() if key[:2] in claims]


@pytest.mark.slow
def test_no_sequence_of_actions_makes_loses_or_strands_money() -> None:
    run_state_machine_as_test(
        Market,
        settings=settings(
            max_examples=60,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
