import pytest

from node.ledger.errors import InsufficientBalanceError
from node.ledger.staking.errors import (
    CommissionError,
    DelegationSizeError,
    KeyTakenError,
    NotJailedError,
    PoolClosedError,
    RosterFullError,
    RotationPendingError,
    SentenceError,
    TombstonedError,
    UnknownValidatorError,
    UnusableKeyError,
    ValidatorExistsError,
)
from node.ledger.staking.records import Keys, Standing
from node.ledger.staking.tables import read_roster
from node.ledger.staking.validators import bond, find_operator, rotate_keys
from primitives.ids import Grain
from tests.ledger.staking.town import PURSE, SMALL, Town, keys_of, person

NEW = Keys(person("new consensus"), person("new node"))


@pytest.fixture(name="town")
def _town() -> Town:
    return Town({"A": 400, "B": 300, "C": 200, "D": 100}, people="EFGHIJxyz")


def jail(town: Town, name: str) -> None:
    for _ in range(2):
        town.attend(missing=name)
        town.end_epoch()
    assert town.pool(name).standing is Standing.JAILED


def test_a_newcomer_has_a_seat_from_the_next_epoch_on(town: Town) -> None:
    town.bond("E", 150)
    assert "E" not in town.powers
    town.end_epoch()
    assert town.powers == dict.fromkeys("ABCED", 2_000)


def test_a_newcomer_below_the_least_stake_waits_for_delegators(town: Town) -> None:
    town.bond("E", 60)
    town.end_epoch()
    assert "E" not in town.powers
    town.delegate("x", "E", 40)
    town.end_epoch()
    assert "E" in town.powers


def test_an_account_registers_once(town: Town) -> None:
    with pytest.raises(ValidatorExistsError):
        town.bond("A", 100)


def test_a_closed_validator_does_not_register_again(town: Town) -> None:
    town.bond("E", 20)
    town.end_epoch()
    town.undelegate("E", "E", 20)
    town.end_epoch()
    assert town.pool("E").closed_epoch == 1
    with pytest.raises(ValidatorExistsError):
        town.bond("E", 100)
    town.end_epoch(10)
    with pytest.raises(ValidatorExistsError):
        town.bond("E", 100)


@pytest.mark.parametrize("commission_bp", [5_001, -1])
def test_a_commission_has_bounds(town: Town, commission_bp: int) -> None:
    with pytest.raises(CommissionError):
        town.bond("E", 100, commission_bp=commission_bp)


@pytest.mark.parametrize(
    ("amount", "error"), [(19, DelegationSizeError), (PURSE + 1, InsufficientBalanceError)]
)
def test_a_first_stake_is_refused(town: Town, amount: int, error: type[Exception]) -> None:
    before = town.entries()
    with pytest.raises(error):
        town.bond("E", amount)
    assert town.entries() == before


def test_validators_are_limited_and_a_place_is_free_when_no_evidence_counts(town: Town) -> None:
    for name in "EFGH":
        town.bond(name, 20)
    with pytest.raises(RosterFullError):
        town.bond("I", 20)
    town.end_epoch()
    town.undelegate("E", "E", 20)
    town.end_epoch()
    assert town.pool("E").closed_epoch == 1
    for _ in range(SMALL.evidence_window_epochs):
        with pytest.raises(RosterFullError):
            town.bond("I", 20)
        town.end_epoch()
    town.bond("I", 20)
    assert person("E") not in read_roster(town.overlay)


def test_a_consensus_key_has_one_owner(town: Town) -> None:
    keys = Keys(keys_of("A").consensus_key, person("?"))
    with pytest.raises(KeyTakenError):
        town.rotate("B", keys)
    with pytest.raises(KeyTakenError):
        town.rotate("A", keys)


def test_who_names_a_node_key_first_does_not_take_it_from_its_owner(town: Town) -> None:
    town.rotate("B", Keys(person("?"), keys_of("E").node_key))
    town.bond("E", 150)
    town.end_epoch()
    assert town.pool("B").keys.node_key == town.pool("E").keys.node_key
    assert find_operator(town.overlay, keys_of("E").consensus_key) == person("E")


def test_a_validator_rotates_its_consensus_key_alone(town: Town) -> None:
    town.rotate("A", Keys(NEW.consensus_key, keys_of("A").node_key))
    town.end_epoch()
    assert town.pool("A").keys == Keys(NEW.consensus_key, keys_of("A").node_key)


def test_a_key_that_was_rotated_away_stays_taken(town: Town) -> None:
    town.rotate("A", NEW)
    town.end_epoch()
    for name in "AB":
        with pytest.raises(KeyTakenError):
            town.rotate(name, keys_of("A"))
    assert find_operator(town.overlay, keys_of("A").consensus_key) == person("A")
    assert find_operator(town.overlay, NEW.consensus_key) == person("A")
    assert find_operator(town.overlay, person("?")) is None


@pytest.mark.parametrize("keys", [Keys(b"\x00" * 32, person("?")), Keys(person("?"), b"\xff" * 32)])
def test_a_key_must_be_usable(town: Town, keys: Keys) -> None:
    with pytest.raises(UnusableKeyError):
        bond(
            town.overlay,
            term=town.term,
            operator=person("E"),
            keys=keys,
            commission_bp=0,
            amount=Grain(100),
        )


def test_keys_turn_at_the_end_of_the_epoch(town: Town) -> None:
    town.rotate("A", NEW)
    assert town.members[town.seat_of("A")].keys == keys_of("A")
    town.end_epoch()
    assert town.members[town.seat_of("A")].keys == NEW
    assert town.pool("A").next_keys is None


def test_keys_turn_once_per_epoch(town: Town) -> None:
    town.rotate("A", NEW)
    with pytest.raises(RotationPendingError):
        town.rotate("A", Keys(person("?"), person("??")))
    town.end_epoch()
    town.rotate("A", Keys(person("?"), person("??")))


def test_the_jailed_may_rotate_their_keys(town: Town) -> None:
    jail(town, "A")
    town.rotate("A", NEW)
    town.end_epoch()
    assert town.pool("A").keys == NEW


def test_the_tombstoned_neither_rotate_nor_come_back(town: Town) -> None:
    town.punish("A")
    with pytest.raises(TombstonedError):
        town.rotate("A", NEW)
    with pytest.raises(TombstonedError):
        town.unjail("A")


def test_the_closed_neither_rotate_nor_come_back(town: Town) -> None:
    town.undelegate("D", "D", 100)
    town.end_epoch()
    with pytest.raises(PoolClosedError):
        town.rotate("D", NEW)
    with pytest.raises(PoolClosedError):
        town.unjail("D")


def test_who_is_no_validator_has_no_keys_and_no_jail(town: Town) -> None:
    with pytest.raises(UnknownValidatorError):
        rotate_keys(town.overlay, operator=person("x"), keys=NEW)
    with pytest.raises(UnknownValidatorError):
        town.unjail("x")


def test_only_the_jailed_are_released(town: Town) -> None:
    with pytest.raises(NotJailedError):
        town.unjail("A")


def test_a_sentence_is_served_before_the_release(town: Town) -> None:
    jail(town, "A")
    assert "A" not in town.powers
    for _ in range(SMALL.jail_epochs):
        with pytest.raises(SentenceError) as refused:
            town.unjail("A")
        assert refused.value.release == 4
        town.end_epoch()
    town.unjail("A")
    assert town.pool("A").standing is Standing.GOOD
    town.end_epoch()
    assert "A" in town.powers


def test_a_jailed_validator_does_not_come_back_by_itself(town: Town) -> None:
    jail(town, "A")
    town.end_epoch(10)
    assert "A" not in town.powers
