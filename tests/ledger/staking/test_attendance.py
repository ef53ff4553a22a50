import msgspec
import pytest

from node.ledger.staking.attendance import is_absent, record_commit
from node.ledger.staking.boundary import EpochOutcome
from node.ledger.staking.records import Standing
from node.ledger.staking.tables import read_rounds
from primitives.ids import AuthorityIndex
from tests.ledger.staking.town import SMALL, Town, person

FOUR = {"A": 400, "B": 300, "C": 200, "D": 100}


@pytest.fixture(name="town")
def _town() -> Town:
    return Town(FOUR)


def miss_two_epochs(town: Town, missing: str) -> EpochOutcome:
    town.attend(missing=missing)
    town.end_epoch()
    town.attend(missing=missing)
    return town.end_epoch()


@pytest.mark.parametrize(
    ("count", "rounds", "absent"),
    [
        pytest.param(10, (10, 10), False, id="always there"),
        pytest.param(5, (10, 5), False, id="half is enough"),
        pytest.param(4, (10, 4), True, id="less than half"),
        pytest.param(0, (10, 0), True, id="never"),
        pytest.param(0, (9, 0), False, id="too short an epoch to tell"),
        pytest.param(0, (0, 0), False, id="nobody had a block"),
    ],
)
def test_absence(count: int, rounds: tuple[int, ...], absent: bool) -> None:
    assert is_absent(count, rounds=rounds, parameters=SMALL) is absent


def test_rounds_are_counted_per_seat(town: Town) -> None:
    record_commit(town.overlay, [AuthorityIndex(0), AuthorityIndex(2), AuthorityIndex(0)])
    record_commit(town.overlay, [AuthorityIndex(2)])
    assert read_rounds(town.overlay) == (2, 0, 2, 0)


def test_rounds_are_counted_anew_in_each_epoch(town: Town) -> None:
    town.attend()
    town.end_epoch()
    assert read_rounds(town.overlay) == (0, 0, 0, 0)


def test_one_epoch_of_absence_is_forgiven(town: Town) -> None:
    town.attend(missing="B")
    assert town.end_epoch().jailed == ()
    assert town.pool("B").absences == 1
    town.attend()
    town.end_epoch()
    assert town.pool("B").absences == 0
    assert town.pool("B").tokens == 300


def test_who_stays_absent_is_jailed_and_loses_a_little_but_is_not_tombstoned() -> None:
    town = Town(FOUR, parameters=msgspec.structs.replace(SMALL, slash_downtime_bp=100))
    outcome = miss_two_epochs(town, "B")
    assert outcome.jailed == (person("B"),)
    assert town.pool("B").standing is Standing.JAILED
    assert town.pool("B").tokens == 297
    assert town.supply.burned == 3
    assert "B" not in town.powers


def test_absence_counts_in_a_row(town: Town) -> None:
    for missing in ("B", "", "B", ""):
        town.attend(missing=missing)
        assert town.end_epoch().jailed == ()


def test_no_more_than_a_third_of_the_power_is_jailed_at_once(town: Town) -> None:
    outcome = miss_two_epochs(town, "BCD")
    # Two of four would be half of the power.
    assert len(outcome.jailed) == 1
    assert len(town.powers) == 3


def test_the_most_absent_is_jailed_first(town: Town) -> None:
    town.attend(missing="BCD")
    town.end_epoch()
    town.attend(4, present="AB")
    town.attend(3, present="AC")
    town.attend(13, present="A")
    assert town.end_epoch().jailed == (person("D"),)


def test_a_committee_of_three_jails_nobody_with_a_third_of_the_power() -> None:
    town = Town({"A": 300, "B": 200, "C": 100})
    for _ in range(5):
        town.attend(missing="A")
        assert town.end_epoch().jailed == ()


def test_a_validator_that_is_slashed_for_absence_loses_its_own_shares(town: Town) -> None:
    miss_two_epochs(town, "A")
    assert (town.pool("A").tokens, town.pool("A").shares) == (399, 399)
