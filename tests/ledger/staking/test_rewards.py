import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.ledger.account import SystemAccount, balance_of
from node.ledger.staking.parameters import POWER_TOTAL
from node.ledger.staking.power import powers_of
from node.ledger.staking.rewards import reward_of
from primitives.ids import Grain
from tests.ledger.staking.town import PURSE, SMALL, Town, person

TREASURY = SystemAccount.TREASURY.address
POT = SystemAccount.EPOCH_POT.address
FOUR = {"A": 400, "B": 300, "C": 200, "D": 100}


@pytest.mark.parametrize(
    ("pot", "power", "rounds", "most", "reward"),
    [
        pytest.param(1_000, 2_500, 10, 10, 250, id="a quarter"),
        pytest.param(1_000, 2_500, 5, 10, 125, id="half of the rounds, half of the reward"),
        pytest.param(1_003, 2_500, 10, 10, 250, id="the fraction is not paid"),
        pytest.param(1_000, 2_500, 0, 10, 0, id="never there"),
        pytest.param(1_000, 2_500, 0, 0, 0, id="an epoch without a commit"),
        pytest.param(2**62, 10_000, 7, 7, 2**62, id="alone"),
    ],
)
def test_rewards_worked_out_by_hand(
    pot: int, power: int, rounds: int, most: int, reward: int
) -> None:
    assert reward_of(Grain(pot), power=power, rounds=rounds, rounds_most=most) == reward


def test_the_pot_goes_to_the_pools_by_power() -> None:
    town = Town(FOUR)
    town.tip(1_003)
    town.attend()
    payout = town.end_epoch().payout
    assert (payout.pot, payout.rewards, payout.treasury) == (1_003, (250,) * 4, 3)
    assert [town.pool(name).tokens for name in "ABCD"] == [650, 550, 450, 350]
    assert balance_of(town.overlay, TREASURY) == 3
    assert balance_of(town.overlay, POT) == 0


def test_what_one_misses_goes_to_the_treasury_not_to_the_others() -> None:
    town = Town(FOUR)
    town.tip(1_000)
    town.attend(8)
    town.attend(2, missing="B")
    payout = town.end_epoch().payout
    assert payout.rewards == (250, 200, 250, 250)
    assert payout.treasury == 50


def test_the_absent_earn_nothing() -> None:
    town = Town(FOUR)
    town.tip(1_000)
    town.attend(4)
    town.attend(6, missing="B")
    assert town.end_epoch().payout.rewards == (250, 0, 250, 250)


def test_the_equivocator_earns_nothing() -> None:
    town = Town(FOUR)
    town.tip(1_000)
    town.attend()
    town.punish("B")
    payout = town.end_epoch().payout
    assert payout.rewards == (250, 0, 250, 250)
    assert payout.treasury == 250


def test_the_jailed_earn_nothing() -> None:
    town = Town(FOUR)
    town.attend(missing="B")
    town.end_epoch()
    town.tip(1_000)
    town.attend(missing="B")
    outcome = town.end_epoch()
    assert outcome.jailed == (person("B"),)
    assert outcome.payout.rewards == (250, 0, 250, 250)


def test_a_seat_without_stake_earns_nothing() -> None:
    town = Town({"A": 400})
    town.undelegate("A", "A", 400)
    town.end_epoch()
    town.tip(1_000)
    town.attend()
    payout = town.end_epoch().payout
    assert (payout.rewards, payout.treasury) == ((0,), 1_000)


def test_an_epoch_without_commits_gives_all_to_the_treasury() -> None:
    town = Town(FOUR)
    town.tip(1_000)
    assert town.end_epoch().payout.treasury == 1_000


def test_the_emission_is_minted_into_the_pot() -> None:
    town = Town(FOUR, parameters=msgspec.structs.replace(SMALL, emission_per_epoch=Grain(400)))
    town.tip(600)
    town.attend()
    assert town.end_epoch().payout.pot == 1_000
    assert town.supply.minted == 400


def test_the_commission_is_paid_out_and_the_rest_is_shared() -> None:
    town = Town(FOUR, people="x", commission_bp=1_000)
    town.delegate("x", "A", 100)
    town.end_epoch()
    town.tip(1_000)
    town.attend()
    town.end_epoch()
    # Of 250, 25 are commission; 225 go to 500 shares, of which x has 100.
    assert town.purse("A") == PURSE - 400 + 25
    assert town.holding("x", "A").free == 145
    assert town.holding("A", "A").free == 580


def test_the_commission_is_rounded_in_favour_of_the_pool() -> None:
    town = Town({"A": 400}, commission_bp=1_000)
    town.tip(19)
    town.attend()
    town.end_epoch()
    assert town.purse("A") == PURSE - 400 + 1
    assert town.pool("A").tokens == 418


@given(
    st.integers(0, 2**62),
    st.lists(st.tuples(st.integers(1, 2**40), st.integers(0, 500)), min_size=1, max_size=40),
)
def test_what_is_paid_is_never_more_than_the_pot(pot: int, seats: list[tuple[int, int]]) -> None:
    powers = powers_of(sorted((stake for stake, _ in seats), reverse=True), power_cap=1_000)
    most = max(rounds for _, rounds in seats)
    paid = sum(
        reward_of(Grain(pot), power=power, rounds=rounds, rounds_most=most)
        for power, (_, rounds) in zip(powers, seats, strict=True)
    )
    assert paid <= pot
    if all(rounds == most > 0 for _, rounds in seats):
        assert pot - paid < len(seats)


@given(st.integers(0, 10**12), st.lists(st.integers(0, 30), min_size=4, max_size=4))
def test_paid_and_treasury_are_the_pot(pot: int, rounds: list[int]) -> None:
    town = Town(FOUR, commission_bp=777)
    town.tip(pot)
    for name, count in zip("ABCD", rounds, strict=True):
        town.attend(count, present=name)
    payout = town.end_epoch().payout
    assert payout.pot == pot
    assert sum(payout.rewards) + payout.treasury == pot


def test_the_shares_of_power_are_out_of_the_total() -> None:
    assert POWER_TOTAL == 10_000
