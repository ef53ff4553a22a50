"""What an offence takes, and from whom."""

import msgspec
import pytest

from node.ledger.account import credit
from node.ledger.chain import read_chain, write_chain
from node.ledger.staking.parameters import WHOLE_BP
from node.ledger.staking.records import Offence, Standing
from primitives.ids import Grain
from tests.ledger.staking.town import PURSE, SMALL, Town, person

CONFLICT = Offence.CONFLICTING_VOTES
# Other parts than 5 %, so that the numbers stay round.
HEAVY = msgspec.structs.replace(SMALL, slash_equivocation_bp=7_500)
TENTH = msgspec.structs.replace(SMALL, slash_equivocation_bp=1_000)


@pytest.fixture(name="town")
def _town() -> Town:
    return Town({"A": 400, "B": 300, "C": 200, "D": 100}, people="xyz", parameters=TENTH)


@pytest.fixture(name="heavy")
def _heavy() -> Town:
    """Three quarters are due; of the 400 that back A, 300 are of x."""
    town = Town({"A": 100, "B": 300, "C": 200, "D": 100}, people="xyz", parameters=HEAVY)
    town.delegate("x", "A", 300)
    town.end_epoch()
    return town


def test_a_slash_takes_the_fraction_and_burns_it(town: Town) -> None:
    sentence = town.punish("A")
    assert (sentence.burned, sentence.rewarded) == (40, 0)
    assert town.pool("A").tokens == 360
    assert town.supply.burned == 40


def test_the_own_stake_of_a_validator_pays_first(town: Town) -> None:
    town.delegate("x", "A", 100)
    town.end_epoch()
    assert town.punish("A").burned == 50
    assert town.holding("A", "A").free == 350
    assert town.holding("x", "A").free == 100


def test_what_its_own_stake_does_not_cover_all_pay_alike() -> None:
    town = Town({"A": 100, "B": 300, "C": 200, "D": 100}, people="xyz", parameters=HEAVY)
    town.delegate("x", "A", 100)
    town.delegate("y", "A", 200)
    town.end_epoch()
    # 300 of 400 are due: 100 from A, and two thirds of what x and y have.
    assert town.punish("A").burned == 300
    assert (town.holding("x", "A").free, town.holding("y", "A").free) == (33, 66)


def test_stake_that_came_after_the_offence_loses_nothing_in_the_pool(heavy: Town) -> None:
    heavy.delegate("y", "A", 600)
    heavy.end_epoch()
    assert heavy.punish("A", epoch=1).burned == 300
    assert heavy.holding("x", "A").free == 100
    # The price is a third now; rounding costs less than a grain for each of two exchanges.
    assert 599 <= heavy.holding("y", "A").free <= 600


def test_stake_that_came_after_the_offence_loses_nothing_in_a_pool_that_was_closed(
    heavy: Town,
) -> None:
    heavy.delegate("y", "A", 600)
    heavy.end_epoch()
    heavy.punish("A", epoch=1)
    heavy.end_epoch()
    assert heavy.pool("A").closed_epoch == 2
    assert heavy.punish("A", CONFLICT, epoch=1).burned == 100
    assert heavy.holding("x", "A").free == 0
    assert heavy.holding("y", "A").free + heavy.holding("y", "A").leaving in {599, 600}


@pytest.mark.parametrize("way", ["added", "moved in"])
def test_later_stake_that_has_no_age_any_more_pays_its_part_and_no_more(
    heavy: Town, way: str
) -> None:
    heavy.delegate("y", "A" if way == "added" else "B", 600)
    heavy.end_epoch()
    if way == "added":
        heavy.delegate("y", "A", 10)
    else:
        heavy.redelegate("y", "B", "A", 600)
    heavy.end_epoch()
    # 300 are due: 100 from A, and the rest from x with 300 and y with 600.
    assert heavy.punish("A", epoch=1).burned == 300
    held = heavy.holding("y", "A")
    assert held.free + held.arrived + held.leaving in range(466, 478)
    assert heavy.holding("x", "A").free in {233, 234}


def test_later_stake_without_age_pays_nothing_that_the_own_stake_covers(town: Town) -> None:
    town.delegate("x", "A", 100)
    town.delegate("y", "B", 600)
    town.end_epoch()
    town.delegate("x", "A", 100)
    town.redelegate("y", "B", "A", 600)
    town.end_epoch()
    assert town.punish("A", epoch=1).burned == 50
    assert town.holding("x", "A").free == 200
    assert town.holding("y", "A").arrived == 600


def test_who_came_after_the_offence_and_left_again_loses_nothing_to_it(town: Town) -> None:
    town.end_epoch()
    town.delegate("x", "A", 100_000)
    town.end_epoch()
    town.undelegate("x", "A", 100_000)
    town.end_epoch()
    sentence = town.punish("A", CONFLICT, epoch=1, reporter="y")
    assert (sentence.burned, sentence.rewarded) == (380, 20)
    town.end_epoch(3)
    assert town.withdraw("x", "A") == 100_000


def test_a_slash_never_takes_more_than_the_fraction_of_the_stake_at_the_offence(
    heavy: Town,
) -> None:
    for leaver in "yz":
        heavy.delegate(leaver, "A", 100_000)
    heavy.end_epoch()
    heavy.undelegate("y", "A", 100_000)
    heavy.redelegate("z", "A", "B", 100_000)
    heavy.end_epoch()
    assert heavy.punish("A", CONFLICT, epoch=1).burned == 400


def test_the_reporter_is_paid_from_what_the_offender_itself_lost(heavy: Town) -> None:
    sentence = heavy.punish("A", CONFLICT, reporter="y")
    assert (sentence.burned, sentence.rewarded) == (395, 5)


@pytest.mark.parametrize("way", ["stays", "leaves", "left", "moves", "moved"])
def test_own_stake_pays_first_wherever_it_went_since_the_offence(town: Town, way: str) -> None:
    town.delegate("x", "A", 100)
    town.end_epoch()
    if way in {"leaves", "left"}:
        town.undelegate("A", "A", 400)
    if way in {"moves", "moved"}:
        town.redelegate("A", "A", "B", 400)
    if way in {"left", "moved"}:
        town.end_epoch()
    assert town.punish("A", epoch=1).burned == 50
    assert town.holding("x", "A").free == 100
    whole = town.holding("A", "A")
    assert whole.free + whole.leaving + town.holding("A", "B").arrived == 350
    assert town.punish("A", CONFLICT, epoch=1).burned == 450
    assert town.holding("x", "A").free == 0
    town.end_epoch(5)
    assert town.pool("B").tokens == 300


def test_an_exit_after_a_penalty_fits_its_record_however_the_pool_grew() -> None:
    rules = msgspec.structs.replace(SMALL, slash_conflict_bp=9_999)
    town = Town({"A": 400, "B": 300, "C": 200, "D": 100}, people="x", parameters=rules)
    credit(town.overlay, person("x"), Grain(2**61))
    record = read_chain(town.overlay)
    minted = msgspec.structs.replace(record.supply, genesis=record.supply.genesis + 2**61)
    write_chain(town.overlay, msgspec.structs.replace(record, supply=minted))
    town.delegate("x", "A", 2**61)
    town.end_epoch()
    town.punish("A", CONFLICT, epoch=0)
    town.end_epoch()
    assert town.pool("A").closed_epoch == 1
    town.end_epoch(4)
    assert town.withdraw("x", "A") >= 2**61 - 1


def test_those_who_stay_pay_only_their_part_beside_exits_that_were_slashed_before() -> None:
    town = Town({"A": 300, "B": 300, "C": 200, "D": 100}, people="x", parameters=HEAVY)
    town.redelegate("A", "A", "B", 200)
    town.delegate("x", "B", 300)
    town.end_epoch()
    town.punish("B", epoch=0)
    town.end_epoch()
    town.punish("A", CONFLICT, epoch=0)
    before = town.holding("x", "B").free
    assert town.punish("B", CONFLICT, epoch=0).burned == 75
    assert before - town.holding("x", "B").free <= 1


def test_a_slash_is_of_the_stake_at_the_time_of_the_offence(town: Town) -> None:
    town.delegate("A", "A", 600)
    town.end_epoch()
    assert town.pool("A").tokens == 1_000
    assert town.punish("A", epoch=0).burned == 40


def test_a_slash_takes_no_more_than_the_pool_has(town: Town) -> None:
    town.punish("A")
    assert town.punish("A", CONFLICT).burned == 360
    assert town.pool("A").tokens == 0


def test_a_deposit_that_waits_is_not_slashed(town: Town) -> None:
    town.delegate("x", "A", 100)
    town.punish("A", CONFLICT)
    town.end_epoch()
    assert town.withdraw("x", "A") == 100


def test_stake_that_asked_to_leave_in_this_epoch_is_slashed_with_the_pool(town: Town) -> None:
    town.undelegate("A", "A", 200)
    town.punish("A")
    town.end_epoch(4)
    assert town.withdraw("A", "A") == 360


def test_unbonding_stake_that_backed_the_offence_is_slashed(heavy: Town) -> None:
    heavy.undelegate("x", "A", 150)
    heavy.end_epoch(2)
    # Of the 300 due A pays 100; the other 200 come from the 150 that left and the 150 that stayed.
    assert heavy.punish("A", epoch=1).burned == 300
    assert heavy.pool("A").tokens == 50
    heavy.end_epoch(2)
    assert heavy.withdraw("x", "A") == 50


def test_stake_that_left_before_the_offence_is_spared(town: Town) -> None:
    town.undelegate("A", "A", 300)
    town.end_epoch()
    assert town.punish("A", epoch=1).burned == 10
    assert town.pool("A").tokens == 90
    town.end_epoch(3)
    assert town.withdraw("A", "A") == 300


@pytest.mark.parametrize(("offended", "left"), [(0, 0), (1, 0), (2, 100)])
def test_an_exit_at_the_end_of_epoch_one_answers_for_epochs_until_then(
    town: Town, offended: int, left: int
) -> None:
    town.end_epoch()
    town.undelegate("A", "A", 100)
    town.end_epoch(2)
    town.punish("A", CONFLICT, epoch=offended)
    assert town.holding("A", "A").leaving == left


def test_all_exits_within_the_window_are_slashed(town: Town) -> None:
    for _ in range(3):
        town.undelegate("A", "A", 100)
        town.end_epoch()
    assert town.punish("A", epoch=0).burned == 40
    assert town.pool("A").tokens == 60
    town.end_epoch(4)
    # The tombstoned pool was closed in the meantime, so its 60 are free too.
    assert town.withdraw("A", "A") == 300 + 60


def test_mature_stake_is_out_of_reach(town: Town) -> None:
    town.undelegate("A", "A", 300)
    town.end_epoch(4)
    assert town.punish("A", epoch=1).burned == 10
    assert town.withdraw("A", "A") == 300


def test_redelegated_stake_follows_the_offender(heavy: Town) -> None:
    heavy.redelegate("x", "A", "B", 150)
    heavy.end_epoch(2)
    assert heavy.punish("A", epoch=1).burned == 300
    assert heavy.holding("x", "B").arrived == 50
    assert (heavy.pool("A").tokens, heavy.pool("B").tokens) == (50, 350)


def test_the_others_in_the_new_pool_lose_nothing(town: Town) -> None:
    town.delegate("x", "B", 100)
    town.redelegate("A", "A", "B", 300)
    town.end_epoch()
    town.punish("A", epoch=0)
    assert town.holding("B", "B").free == 300
    assert town.holding("x", "B").free == 100


def test_redelegated_stake_that_left_before_the_offence_is_spared(town: Town) -> None:
    town.redelegate("A", "A", "B", 300)
    town.end_epoch()
    assert town.punish("A", epoch=1).burned == 10
    assert town.holding("A", "B").arrived == 300


def test_redelegated_stake_shares_the_fate_of_its_new_pool(heavy: Town) -> None:
    heavy.redelegate("x", "A", "B", 300)
    heavy.end_epoch()
    # Three quarters of 600, of which B pays 300.
    assert heavy.punish("B").burned == 450
    assert heavy.holding("x", "B").arrived == 150


def test_redelegated_stake_can_be_slashed_for_both(heavy: Town) -> None:
    heavy.redelegate("x", "A", "B", 150)
    heavy.end_epoch()
    heavy.punish("B")
    assert heavy.holding("x", "B").arrived == 112
    # 200 are missing from 150 and 112: 85 from the latter, of which 84 are whole shares.
    assert heavy.punish("A", epoch=1).burned == 300
    assert heavy.holding("x", "B").arrived == 28
    assert (heavy.pool("A").tokens, heavy.pool("B").tokens) == (34, 28)


def test_a_slash_reaches_redelegated_stake_in_a_pool_that_was_closed_since(heavy: Town) -> None:
    heavy.redelegate("x", "A", "B", 150)
    heavy.end_epoch()
    heavy.punish("B")
    heavy.end_epoch()
    assert heavy.pool("B").closed_epoch == 2
    assert heavy.punish("A", epoch=1).burned == 300
    assert heavy.holding("x", "B").arrived == 28
    heavy.end_epoch(3)
    assert heavy.withdraw("x", "B") == 28


def test_a_slash_reaches_redelegated_stake_that_found_no_pool(heavy: Town) -> None:
    heavy.redelegate("x", "A", "B", 150)
    heavy.punish("B")
    heavy.end_epoch()
    heavy.punish("A", epoch=1)
    heavy.end_epoch(3)
    assert heavy.withdraw("x", "B") == 50


def test_a_slash_finds_nothing_in_a_new_pool_that_lost_everything(town: Town) -> None:
    town.redelegate("A", "A", "B", 300)
    town.end_epoch()
    town.punish("B", CONFLICT)
    assert town.pool("B").tokens == 0
    # Nothing of the 300 is left, so the pool of A answers for all of it.
    assert town.punish("A", epoch=0).burned == 40
    assert town.pool("A").tokens == 60


def test_a_slash_finds_nothing_in_a_closed_pool_that_lost_everything(town: Town) -> None:
    town.redelegate("A", "A", "B", 300)
    town.end_epoch()
    town.punish("B", CONFLICT)
    town.end_epoch()
    assert town.punish("A", epoch=0).burned == 40
    assert town.pool("A").tokens == 60


def test_the_tombstoned_get_the_rest_of_their_stake_back_after_unbonding(town: Town) -> None:
    town.delegate("x", "A", 100)
    town.end_epoch()
    town.punish("A")
    town.end_epoch()
    assert town.pool("A").closed_epoch == 1
    assert town.holding("x", "A").free == 100
    town.end_epoch(3)
    assert town.withdraw("x", "A") == 100
    assert town.withdraw("A", "A") == 350
    assert town.purse("x") == PURSE


def test_the_maximal_penalty_takes_everything_that_backed_the_offence(town: Town) -> None:
    town.undelegate("A", "A", 100)
    town.redelegate("A", "A", "B", 100)
    town.end_epoch()
    assert town.punish("A", CONFLICT, epoch=0).burned == 400
    town.end_epoch(4)
    assert town.purse("A") == PURSE - 400
    assert town.pool("B").tokens == 300


def test_a_graver_offence_costs_the_difference(town: Town) -> None:
    town.undelegate("A", "A", 200)
    town.end_epoch()
    assert town.punish("A", epoch=0).burned == 40
    assert town.punish("A", CONFLICT, epoch=0).burned == 360


def test_a_graver_offence_takes_everything_that_the_closing_set_free(town: Town) -> None:
    town.punish("A")
    town.end_epoch()
    assert town.punish("A", CONFLICT, epoch=0).burned == 360
    town.end_epoch(3)
    assert town.purse("A") == PURSE - 400


def test_half_a_grain_is_rounded_up() -> None:
    town = Town({"A": 401, "B": 300, "C": 200, "D": 111}, parameters=SMALL)
    assert town.punish("A").burned == 21
    assert town.punish("D").burned == 6


@pytest.mark.parametrize(
    ("offence", "burned", "rewarded"),
    [
        pytest.param(Offence.EQUIVOCATION, 38, 2, id="40, of which 5 % reward"),
        pytest.param(Offence.CONFLICTING_VOTES, 380, 20, id="400, of which 5 % reward"),
    ],
)
def test_the_reporter_gets_its_share_and_the_rest_is_burned(
    town: Town, offence: Offence, burned: int, rewarded: int
) -> None:
    sentence = town.punish("A", offence, reporter="x")
    assert (sentence.burned, sentence.rewarded) == (burned, rewarded)
    assert town.purse("x") == PURSE + rewarded
    assert town.supply.burned == burned


def test_a_penalty_of_nothing_still_tombstones() -> None:
    lenient = msgspec.structs.replace(SMALL, slash_equivocation_bp=0)
    town = Town({"A": 400, "B": 300, "C": 200, "D": 100}, parameters=lenient)
    assert town.punish("A").burned == 0
    assert town.pool("A").standing is Standing.TOMBSTONED


def test_reports_of_oneself_cost_more_than_they_bring() -> None:
    generous = msgspec.structs.replace(SMALL, reporter_share_bp=WHOLE_BP // 2)
    town = Town({"A": 400, "B": 300, "C": 200, "D": 100}, parameters=generous)
    before = town.purse("A") + town.pool("A").tokens
    town.punish("A", reporter="A")
    assert town.purse("A") + town.pool("A").tokens == before - Grain(10)
