import msgspec
import pytest

from node.ledger.errors import InsufficientBalanceError
from node.ledger.staking.errors import (
    DelegationSizeError,
    EntryLimitError,
    ImmatureRedelegationError,
    InsufficientStakeError,
    NothingToWithdrawError,
    PoolClosedError,
    SameValidatorError,
    TargetLimitError,
    UnknownValidatorError,
)
from node.ledger.staking.queries import Holding
from node.ledger.staking.records import ExitClaim, Offence
from node.ledger.staking.tables import Table, read_delegation
from primitives.ids import Epoch, Grain
from tests.ledger.staking.town import PURSE, SMALL, Town, person


@pytest.fixture(name="town")
def _town() -> Town:
    return Town({"A": 400, "B": 300, "C": 200, "D": 100}, people="xyz")


def test_a_deposit_becomes_stake_at_the_end_of_the_epoch(town: Town) -> None:
    town.delegate("x", "A", 100)
    assert town.purse("x") == PURSE - 100
    assert town.holding("x", "A") == Holding(Grain(0), Grain(100), Grain(0), Grain(0))
    assert town.pool("A").tokens == 400
    town.end_epoch()
    assert town.holding("x", "A") == Holding(Grain(100), Grain(0), Grain(0), Grain(0))
    assert town.pool("A").tokens == 500


def test_a_deposit_earns_nothing_from_the_epoch_it_was_made_in(town: Town) -> None:
    town.delegate("x", "A", 100)
    town.tip(400)
    town.attend()
    town.end_epoch()
    # The pool grew from 400 to 500 before the 100 entered: a share costs 1.25, 80 are worth 100.
    assert (town.pool("A").tokens, town.pool("A").shares) == (600, 480)
    assert town.holding("x", "A").free == 100


def test_deposits_of_one_epoch_add_up(town: Town) -> None:
    town.delegate("x", "A", 10)
    town.delegate("x", "A", 20)
    town.delegate("y", "A", 30)
    town.end_epoch()
    town.delegate("x", "A", 40)
    assert town.holding("x", "A") == Holding(Grain(30), Grain(40), Grain(0), Grain(0))
    assert town.holding("y", "A").free == 30


def test_the_last_claim_on_a_deposit_takes_the_rest(town: Town) -> None:
    town.tip(400)
    town.attend()
    for name in "xyz":
        town.delegate(name, "A", 11)
    town.end_epoch()
    # 33 grains bought 33 * 400 // 500 = 26 shares for three.
    for name in "xyz":
        town.withdraw(name, "A")
    shares = [
        msgspec.msgpack.decode(town.entries()[Table.DELEGATION + person("A") + person(name)])[0]
        for name in "xyz"
    ]
    assert shares == [8, 9, 9]
    assert not [key for key in town.entries() if key.startswith(Table.DEPOSITS)]


def test_unbonding_takes_the_unbonding_period(town: Town) -> None:
    town.undelegate("A", "A", 150)
    assert town.pool("A").tokens == 400
    assert town.holding("A", "A").leaving == 150
    town.end_epoch()
    assert town.pool("A").tokens == 250
    town.end_epoch(2)
    with pytest.raises(NothingToWithdrawError):
        town.withdraw("A", "A")
    town.end_epoch()
    assert town.withdraw("A", "A") == 150
    with pytest.raises(NothingToWithdrawError):
        town.withdraw("A", "A")


def test_stake_that_leaves_still_earns_until_the_end_of_the_epoch(town: Town) -> None:
    town.undelegate("A", "A", 200)
    town.tip(400)
    town.attend()
    town.end_epoch(4)
    assert town.withdraw("A", "A") == 250


def test_stake_that_left_earns_nothing_more(town: Town) -> None:
    town.undelegate("A", "A", 200)
    town.end_epoch()
    town.tip(400)
    town.attend()
    town.end_epoch(3)
    assert town.withdraw("A", "A") == 200


def test_exits_of_one_epoch_are_one_entry(town: Town) -> None:
    for _ in range(5):
        town.undelegate("A", "A", 20)
    town.end_epoch(4)
    assert town.withdraw("A", "A") == 100


def test_any_action_on_a_delegation_pays_out_what_is_mature(town: Town) -> None:
    town.undelegate("A", "A", 100)
    town.end_epoch(4)
    before = town.purse("A")
    town.undelegate("A", "A", 10)
    assert town.purse("A") == before + 100


def test_two_owners_share_an_exit_by_their_shares(town: Town) -> None:
    town.delegate("x", "A", 101)
    town.end_epoch()
    town.undelegate("x", "A", 101)
    town.undelegate("A", "A", 300)
    town.tip(40)
    town.attend()
    town.end_epoch(4)
    # 10 of the pot raise the pool from 501 to 511; 401 of its 501 shares leave with 409 grains.
    # x has 101 of 401: 103.01.
    assert town.withdraw("x", "A") == 103
    assert town.withdraw("A", "A") == 306


def test_what_would_be_too_little_leaves_with_the_rest(town: Town) -> None:
    town.delegate("x", "A", 50)
    town.end_epoch()
    assert town.undelegate("x", "A", 41) == 50
    town.delegate("y", "A", 50)
    town.end_epoch()
    assert town.undelegate("y", "A", 40) == 40


def test_an_exit_of_an_exact_amount_is_worth_at_least_that(town: Town) -> None:
    town.tip(28)
    town.attend()
    town.end_epoch()
    # 407 grains in 400 shares: 33 shares would be worth 33.58, too little for 34.
    assert town.undelegate("A", "A", 34) == 34


def test_redelegated_stake_has_no_day_off(town: Town) -> None:
    town.redelegate("A", "A", "B", 120)
    assert (town.pool("A").tokens, town.pool("B").tokens) == (400, 300)
    assert town.holding("A", "B").arrived == 120
    town.end_epoch()
    assert (town.pool("A").tokens, town.pool("B").tokens) == (280, 420)
    assert town.holding("A", "B").arrived == 120
    town.end_epoch(3)
    town.withdraw("A", "B")
    assert town.holding("A", "B") == Holding(Grain(120), Grain(0), Grain(0), Grain(0))


def test_redelegated_stake_moves_at_the_rates_of_both_pools(town: Town) -> None:
    town.tip(400)
    town.attend(missing="B")
    town.end_epoch()
    # A has 500 for 400 shares, B has 300 for 300.
    town.redelegate("A", "A", "B", 100)
    town.end_epoch(4)
    town.withdraw("A", "B")
    assert (town.pool("A").tokens, town.pool("A").shares) == (400, 320)
    assert (town.pool("B").tokens, town.pool("B").shares) == (400, 400)


def test_moves_of_one_epoch_to_one_validator_are_one_entry(town: Town) -> None:
    for _ in range(4):
        town.redelegate("A", "A", "B", 20)
    town.redelegate("A", "A", "C", 20)
    town.end_epoch()
    assert town.holding("A", "B").arrived == 80
    assert town.holding("A", "C").arrived == 20


def test_stake_cannot_hop_on_before_the_redelegation_is_mature(town: Town) -> None:
    town.redelegate("A", "A", "B", 100)
    for _ in range(4):
        with pytest.raises(ImmatureRedelegationError) as refused:
            town.redelegate("A", "B", "C", 100)
        assert refused.value.matures == 4
        town.end_epoch()
    town.redelegate("A", "B", "C", 100)


def test_stake_cannot_leave_before_the_redelegation_is_mature(town: Town) -> None:
    town.redelegate("A", "A", "B", 100)
    town.end_epoch(3)
    with pytest.raises(ImmatureRedelegationError):
        town.undelegate("A", "B", 100)
    town.end_epoch()
    town.undelegate("A", "B", 100)


def test_stake_that_did_not_move_is_free_beside_stake_that_did(town: Town) -> None:
    town.delegate("A", "B", 50)
    town.redelegate("A", "A", "B", 100)
    town.end_epoch()
    assert town.undelegate("A", "B", 50) == 50


def test_a_move_to_a_pool_that_was_closed_meanwhile_waits_like_an_exit(town: Town) -> None:
    town.redelegate("A", "A", "B", 100)
    town.punish("B")
    town.end_epoch()
    assert town.pool("A").tokens == 300
    assert town.holding("A", "B") == Holding(Grain(0), Grain(0), Grain(0), Grain(100))
    town.end_epoch(3)
    assert town.withdraw("A", "B") == 100


def test_moves_that_mature_in_a_closed_pool_are_one_exit_of_its_closing(town: Town) -> None:
    for _ in range(2):
        town.redelegate("A", "A", "B", 100)
        town.end_epoch()
    town.punish("B", epoch=0)
    town.end_epoch(2)
    for _ in range(2):
        town.withdraw("A", "B")
        town.end_epoch()
    exits = read_delegation(town.overlay, person("B"), person("A")).exits
    # B's own stake paid, and the 200 shares of A are worth what they were.
    assert exits == (ExitClaim(Epoch(2), 200),)
    assert town.withdraw("A", "B") == 200


def test_a_deposit_into_a_pool_that_was_closed_meanwhile_comes_back(town: Town) -> None:
    town.delegate("x", "B", 100)
    town.delegate("y", "B", 50)
    town.punish("B", Offence.CONFLICTING_VOTES)
    town.end_epoch()
    assert town.holding("x", "B").leaving == 100
    assert town.withdraw("y", "B") == 50
    assert town.withdraw("x", "B") == 100


@pytest.mark.parametrize(
    ("amount", "error"), [(9, DelegationSizeError), (PURSE + 1, InsufficientBalanceError)]
)
def test_a_deposit_is_refused(town: Town, amount: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        town.delegate("x", "A", amount)
    assert town.purse("x") == PURSE


def test_a_deposit_buys_at_least_one_share(town: Town) -> None:
    town.tip(40_000)
    town.attend()
    town.end_epoch()
    # 10,400 grains in 400 shares: 26 each.
    for deposit in (
        town.delegate,
        lambda name, validator, amount: town.redelegate(name, name, validator, amount),
    ):
        with pytest.raises(DelegationSizeError) as refused:
            deposit("B", "A", 25)
        assert refused.value.least == 26
    town.delegate("B", "A", 26)
    town.delegate("B", "A", 10)


def test_nobody_delegates_to_an_account_without_a_validator(town: Town) -> None:
    with pytest.raises(UnknownValidatorError):
        town.delegate("x", "y", 10)


def test_nobody_delegates_to_the_tombstoned(town: Town) -> None:
    town.punish("A")
    with pytest.raises(PoolClosedError):
        town.delegate("x", "A", 10)
    with pytest.raises(PoolClosedError):
        town.redelegate("B", "B", "A", 10)


@pytest.mark.parametrize(
    ("amount", "error"), [(0, DelegationSizeError), (401, InsufficientStakeError)]
)
def test_an_exit_is_refused(town: Town, amount: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        town.undelegate("A", "A", amount)


def test_nobody_takes_out_what_only_enters_at_the_end_of_the_epoch(town: Town) -> None:
    town.delegate("x", "A", 100)
    with pytest.raises(InsufficientStakeError):
        town.undelegate("x", "A", 100)


def test_a_delegation_that_is_worth_nothing_can_be_cleared_away(town: Town) -> None:
    town.delegate("x", "A", 100)
    town.end_epoch()
    town.punish("A", Offence.CONFLICTING_VOTES)
    town.withdraw("x", "A")
    assert town.undelegate("x", "A", 1) == 0
    assert town.pool("A").outgoing == 100
    town.end_epoch(4)
    assert town.withdraw("x", "A") == 0
    assert not [key for key in town.entries() if key.startswith(Table.DELEGATION + person("A"))]


def test_nobody_takes_out_what_is_anothers(town: Town) -> None:
    with pytest.raises(InsufficientStakeError):
        town.undelegate("x", "A", 10)


@pytest.mark.parametrize(
    ("amount", "error"), [(9, DelegationSizeError), (401, InsufficientStakeError)]
)
def test_a_move_is_refused(town: Town, amount: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        town.redelegate("A", "A", "B", amount)


def test_a_move_leads_elsewhere(town: Town) -> None:
    with pytest.raises(SameValidatorError):
        town.redelegate("A", "A", "A", 100)


def test_exits_that_wait_are_limited(town: Town) -> None:
    for _ in range(SMALL.unbonding_entries_max):
        town.undelegate("A", "A", 10)
        town.end_epoch()
    with pytest.raises(EntryLimitError):
        town.undelegate("A", "A", 10)
    town.end_epoch()
    town.undelegate("A", "A", 10)


def test_moves_that_wait_are_limited(town: Town) -> None:
    for _ in range(SMALL.unbonding_entries_max):
        town.redelegate("A", "A", "B", 10)
        town.end_epoch()
    with pytest.raises(EntryLimitError):
        town.redelegate("A", "A", "B", 10)
    town.redelegate("A", "A", "C", 10)


def test_a_validator_loses_stake_to_a_limited_number_of_others_per_epoch(town: Town) -> None:
    town.redelegate("A", "A", "B", 10)
    town.redelegate("A", "A", "C", 20)
    with pytest.raises(TargetLimitError):
        town.redelegate("A", "A", "D", 100)
    town.redelegate("A", "A", "C", 10)
    town.end_epoch()
    town.redelegate("A", "A", "D", 10)


def test_small_moves_do_not_take_the_last_destinations_from_large_ones(town: Town) -> None:
    town.redelegate("A", "A", "B", 10)
    with pytest.raises(DelegationSizeError) as refused:
        town.redelegate("A", "A", "C", 19)
    assert refused.value.least == 20
    town.redelegate("A", "A", "C", 20)


def test_nothing_is_due_where_nothing_was_put(town: Town) -> None:
    with pytest.raises(NothingToWithdrawError):
        town.withdraw("x", "A")
    with pytest.raises(NothingToWithdrawError):
        town.withdraw("x", "y")
