import msgspec
import pytest

from node.ledger.staking.records import Keys, Offence, Standing
from node.ledger.staking.tables import Table, read_committee, read_roster
from node.ledger.staking.vault import stake_total_in_system
from primitives.ids import Epoch, Grain
from tests.ledger.staking.town import PURSE, SMALL, Town, person

FOUR = {"A": 400, "B": 300, "C": 200, "D": 100}


@pytest.fixture(name="town")
def _town() -> Town:
    return Town(FOUR, people="EFGxyz")


def test_four_equal_validators_have_a_quarter_each() -> None:
    assert Town(dict.fromkeys("ABCD", 100)).powers == dict.fromkeys("ABCD", 2_500)


def test_seats_are_in_the_order_of_stake(town: Town) -> None:
    assert list(town.powers) == ["A", "B", "C", "D"]
    town.delegate("D", "D", 500)
    town.end_epoch()
    assert list(town.powers) == ["D", "A", "B", "C"]


def test_the_committee_stays_as_it_is_within_an_epoch(town: Town) -> None:
    before = town.members
    town.bond("E", 1_000)
    town.rotate("A", Keys(person("?"), person("??")))
    town.undelegate("B", "B", 300)
    town.punish("C")
    assert town.members == before


def test_a_seat_records_the_stake_that_it_puts_at_risk(town: Town) -> None:
    town.delegate("x", "A", 50)
    town.end_epoch()
    assert town.members[town.seat_of("A")].stake == 450


def test_all_steps_of_a_boundary_worked_out_by_hand() -> None:
    parameters = msgspec.structs.replace(SMALL, emission_per_epoch=Grain(100))
    town = Town(FOUR, people="x", parameters=parameters, commission_bp=2_000)
    town.tip(900)
    town.attend(missing="D")
    town.undelegate("A", "A", 100)
    town.redelegate("B", "B", "A", 50)
    town.delegate("x", "A", 60)
    payout = town.end_epoch().payout
    assert payout.rewards == (250, 250, 250, 0)
    assert payout.treasury == 250
    # Rewards: 200 for A, B and C each, 50 commission. A: 600 for 400 shares.
    # Exits: 100 shares take 150 out of A; 50 of 300 shares take 83 of 500 out of B.
    # Deposits: 60 buy 40 shares of A at 450 / 300, then 83 buy 55.
    exits = town.holding("A", "A").leaving
    assert exits == 150
    assert (town.pool("A").tokens, town.pool("A").shares) == (600 - 150 + 60 + 83, 395)
    assert (town.pool("B").tokens, town.pool("B").shares) == (500 - 83, 250)
    assert (town.pool("C").tokens, town.pool("C").shares) == (400, 200)
    assert (town.pool("D").tokens, town.pool("D").shares) == (100, 100)
    assert town.purse("A") == PURSE - 400 + 50
    assert stake_total_in_system(town.overlay) == 1_000 + 60 + 600


def test_a_weak_seat_has_a_time_of_grace(town: Town) -> None:
    town.delegate("B", "B", 100)
    town.undelegate("D", "D", 30)
    for weak_epochs in range(1, SMALL.grace_epochs + 1):
        town.end_epoch()
        assert town.pool("D").weak_epochs == weak_epochs
        assert "D" in town.powers
    town.end_epoch()
    assert "D" not in town.powers


def test_a_weak_seat_that_recovers_stays(town: Town) -> None:
    town.undelegate("D", "D", 30)
    town.end_epoch(2)
    town.delegate("x", "D", 10)
    town.end_epoch(5)
    assert "D" in town.powers
    assert town.pool("D").weak_epochs == 0


def test_who_lost_a_seat_needs_the_full_stake_to_come_back(town: Town) -> None:
    town.undelegate("D", "D", 30)
    town.end_epoch(3)
    town.delegate("x", "D", 29)
    town.end_epoch()
    assert "D" not in town.powers
    town.delegate("x", "D", 10)
    town.end_epoch()
    assert "D" in town.powers


def test_a_seat_with_far_too_little_is_lost_at_once(town: Town) -> None:
    town.undelegate("D", "D", 51)
    town.end_epoch()
    assert "D" not in town.powers


def test_a_pool_without_a_future_is_closed(town: Town) -> None:
    town.delegate("x", "D", 10)
    town.undelegate("D", "D", 100)
    outcome = town.end_epoch()
    assert outcome.closed == (person("D"),)
    # x put 10 into a pool that was closed at the same boundary: it unbonds with the rest.
    assert town.pool("D").tokens == 0
    assert town.holding("x", "D").free == 10
    town.end_epoch(4)
    assert town.withdraw("x", "D") == 10
    assert town.withdraw("D", "D") == 100


def test_an_exit_and_the_closing_at_the_same_boundary_are_one_entry(town: Town) -> None:
    town.undelegate("D", "D", 85)
    town.end_epoch(4)
    assert town.withdraw("D", "D") == 100


def test_a_small_pool_that_has_a_seat_is_not_closed() -> None:
    town = Town({"A": 100})
    town.undelegate("A", "A", 85)
    assert town.end_epoch().closed == ()
    assert town.powers == {"A": 10_000}


def test_if_everybody_leaves_the_ruling_members_go_on(town: Town) -> None:
    for name in "ABCD":
        town.undelegate(name, name, FOUR[name])
    outcome = town.end_epoch()
    assert set(town.powers) == set("ABCD")
    assert outcome.closed == ()
    assert {member.stake for member in outcome.members} == {0}
    town.end_epoch(4)
    assert [town.withdraw(name, name) for name in "ABCD"] == [400, 300, 200, 100]
    assert set(town.powers) == set("ABCD")


def test_somebody_who_bonds_takes_over_from_members_without_stake(town: Town) -> None:
    for name in "ABCD":
        town.undelegate(name, name, FOUR[name])
    town.end_epoch()
    town.bond("E", 100)
    town.end_epoch()
    assert town.powers == {"E": 10_000}


def test_if_all_others_leave_the_tombstoned_do_not_rule(town: Town) -> None:
    town.punish("A")
    for name in "BCD":
        town.undelegate(name, name, FOUR[name])
    town.end_epoch()
    assert set(town.powers) == {"B", "C", "D"}


def test_if_all_are_tombstoned_all_go_on(town: Town) -> None:
    for name in "ABCD":
        town.punish(name)
    town.end_epoch()
    assert set(town.powers) == set("ABCD")
    assert {town.pool(name).standing for name in "ABCD"} == {Standing.TOMBSTONED}
    town.end_epoch(10)
    assert set(town.powers) == set("ABCD")
    town.bond("E", 100)
    town.end_epoch()
    assert town.powers == {"E": 10_000}


def test_members_without_stake_that_stay_absent_rule_on() -> None:
    town = Town(FOUR)
    for name in "ABCD":
        town.undelegate(name, name, FOUR[name])
    town.end_epoch()
    for _ in range(8):
        town.attend(missing="B")
        town.end_epoch()
    assert town.pool("B").standing is Standing.JAILED
    assert set(town.powers) == set("ABCD")


def test_what_only_evidence_needs_is_forgotten(town: Town) -> None:
    town.redelegate("A", "A", "B", 100)
    town.undelegate("D", "D", 100)
    town.end_epoch(SMALL.evidence_window_epochs)
    assert [key for key in town.entries() if key.startswith(Table.TARGETS)]
    assert person("D") in read_roster(town.overlay)
    town.end_epoch()
    assert not [key for key in town.entries() if key.startswith(Table.TARGETS)]
    assert person("D") not in read_roster(town.overlay)


def test_nothing_is_left_of_a_delegation_that_was_paid_out(town: Town) -> None:
    before = town.entries().keys()
    town.delegate("x", "A", 100)
    town.end_epoch()
    town.redelegate("x", "A", "B", 50)
    town.undelegate("x", "A", 50)
    town.end_epoch(4)
    town.withdraw("x", "A")
    town.withdraw("x", "B")
    town.undelegate("x", "B", 50)
    town.end_epoch(4)
    town.withdraw("x", "B")
    assert town.purse("x") == PURSE
    left = {key for key in town.entries() if key not in before}
    assert {key[:1] for key in left} == {b"\x08"}


def test_an_epoch_in_which_nothing_happened_changes_nothing_but_the_committees(
    town: Town,
) -> None:
    town.end_epoch(10)
    before = town.entries()
    town.end_epoch()
    after = town.entries()
    changed = {key[:1] for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert changed == {b"\x08"}
    assert read_committee(town.overlay, Epoch(10)) == read_committee(town.overlay, Epoch(11))


def test_everybody_is_punished_and_paid_out_whatever_the_order() -> None:
    town = Town(FOUR, people="x")
    town.delegate("x", "A", 100)
    town.end_epoch()
    town.redelegate("x", "A", "B", 100)
    town.punish("A", epoch=0)
    town.punish("B", Offence.CONFLICTING_VOTES, epoch=1)
    town.end_epoch(5)
    # 5 % of 400 is 20, from A's own stake; x had 100 that left for B, which was closed.
    assert town.withdraw("x", "B") == 100
    assert town.withdraw("A", "A") == 380
    assert town.holding("B", "B").free == 0
