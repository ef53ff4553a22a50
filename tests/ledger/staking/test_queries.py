import pytest

from node.ledger.committee import check_seats, quorum_of
from node.ledger.staking.errors import UnknownValidatorError
from node.ledger.staking.queries import Holding, power_of, seats_of, stake_of
from node.ledger.staking.records import Offence
from primitives.ids import Epoch, Grain
from tests.ledger.staking.town import Town, keys_of, person


@pytest.fixture(name="town")
def _town() -> Town:
    return Town({"A": 400, "B": 300, "C": 200, "D": 100}, people="xy")


def holding(*, free: int = 0, entering: int = 0, arrived: int = 0, leaving: int = 0) -> Holding:
    return Holding(Grain(free), Grain(entering), Grain(arrived), Grain(leaving))


def test_the_stake_of_an_account_is_what_is_in_its_pool(town: Town) -> None:
    town.delegate("x", "A", 50)
    assert stake_of(town.overlay, person("A")) == 400
    town.end_epoch()
    assert stake_of(town.overlay, person("A")) == 450
    assert stake_of(town.overlay, person("x")) == 0


def test_the_power_of_an_account_is_that_of_its_seat_in_the_epoch(town: Town) -> None:
    town.bond("x", 100)
    town.end_epoch()
    assert power_of(town.overlay, epoch=Epoch(0), operator=person("x")) == 0
    assert power_of(town.overlay, epoch=Epoch(0), operator=person("A")) == 2_500
    assert power_of(town.overlay, epoch=Epoch(1), operator=person("x")) == 2_000


def test_light_clients_see_powers_and_consensus_keys(town: Town) -> None:
    seats = seats_of(town.members)
    check_seats(seats)
    assert quorum_of(seats) == 6_667
    assert [seat.consensus_key for seat in seats] == [
        keys_of(name).consensus_key for name in "ABCD"
    ]


def test_a_holding_follows_a_deposit_through_its_life(town: Town) -> None:
    assert town.holding("x", "A") == holding()
    town.delegate("x", "A", 100)
    assert town.holding("x", "A") == holding(entering=100)
    town.end_epoch()
    town.undelegate("x", "A", 40)
    assert town.holding("x", "A") == holding(free=60, leaving=40)
    town.end_epoch()
    assert town.holding("x", "A") == holding(free=60, leaving=40)
    town.redelegate("x", "A", "B", 60)
    assert town.holding("x", "A") == holding(leaving=40)
    assert town.holding("x", "B") == holding(arrived=60)
    town.end_epoch()
    assert town.holding("x", "B") == holding(arrived=60)


def test_a_holding_shows_what_a_slash_left(town: Town) -> None:
    town.delegate("x", "A", 100)
    town.end_epoch()
    town.undelegate("x", "A", 50)
    town.punish("A", Offence.CONFLICTING_VOTES, epoch=0)
    assert town.holding("x", "A") == holding(free=50, leaving=50)


def test_a_holding_in_a_closed_pool_is_what_is_left_of_it(town: Town) -> None:
    town.delegate("x", "A", 100)
    town.end_epoch()
    town.punish("A")
    town.end_epoch()
    assert town.holding("x", "A") == holding(free=100)
    town.end_epoch(4)
    assert town.withdraw("x", "A") + town.withdraw("A", "A") == 475
    assert town.holding("x", "A") == holding()


def test_a_move_from_a_pool_that_was_closed_afterwards_is_where_it_went(town: Town) -> None:
    town.redelegate("A", "A", "B", 100)
    town.end_epoch()
    town.punish("B")
    town.end_epoch()
    assert town.holding("A", "B") == holding(arrived=100)
    town.end_epoch(5)
    town.withdraw("B", "B")
    assert town.holding("A", "B") == holding(arrived=100)
    assert town.withdraw("A", "B") == 100


def test_who_is_no_validator_holds_nothing_for_anybody(town: Town) -> None:
    with pytest.raises(UnknownValidatorError):
        town.holding("x", "y")
