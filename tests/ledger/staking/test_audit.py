import msgspec
import pytest

from node.ledger.account import SystemAccount, credit
from node.ledger.errors import SupplyError
from node.ledger.staking.audit import check_stakes, grains_held
from node.ledger.staking.tables import read_validator, write_validator
from node.ledger.staking.vault import stake_total_in_system
from primitives.ids import Grain
from tests.ledger.staking.town import Town, person


@pytest.fixture(name="town")
def _town() -> Town:
    town = Town({"A": 400, "B": 300, "C": 200, "D": 100}, people="xyz")
    town.delegate("x", "A", 50)
    town.end_epoch()
    town.delegate("y", "B", 70)
    town.undelegate("x", "A", 50)
    town.redelegate("A", "A", "B", 100)
    town.punish("B")
    town.end_epoch()
    town.delegate("z", "C", 30)
    return town


def test_the_records_hold_what_the_account_of_stake_holds(town: Town) -> None:
    # 1,000 of founders and 50, 70, 30 of the others, less 5 % of 300.
    assert check_stakes(town.entries().items()) == 1_000 + 150 - 15
    assert stake_total_in_system(town.overlay) == 1_135


def test_each_record_says_what_it_holds(town: Town) -> None:
    held = sorted(
        grains for key, value in town.entries().items() if (grains := grains_held(key, value))
    )
    # The deposit of z, the pools D, A and C, the refused deposit of y, what x and B took out, and
    # what A moved to the pool of B, which was closed by then.
    assert held == sorted([30 + 200, 100, 300, 70, 50, 285, 100])


def test_other_entries_hold_no_stake() -> None:
    assert grains_held(b"\x02somebody", b"anything") == 0


def test_money_that_no_record_knows_is_found(town: Town) -> None:
    credit(town.overlay, SystemAccount.STAKE.address, Grain(1))
    with pytest.raises(SupplyError) as found:
        check_stakes(town.entries().items())
    assert (found.value.expected, found.value.actual) == (1_136, 1_135)


def test_a_record_of_money_that_is_not_there_is_found(town: Town) -> None:
    pool = read_validator(town.overlay, person("D"))
    write_validator(town.overlay, msgspec.structs.replace(pool, tokens=Grain(101)))
    with pytest.raises(SupplyError):
        check_stakes(town.entries().items())
