import msgspec
import pytest

from node.ledger.staking.founding import Founder, found
from node.ledger.staking.parameters import StakingParameters
from node.ledger.staking.tables import read_committee
from primitives.errors import ConfigurationError
from primitives.ids import Epoch, Grain
from tests.ledger.builders import fresh_overlay
from tests.ledger.staking.town import PURSE, SMALL, Town, keys_of, person


def test_founders_rule_from_the_first_epoch_on() -> None:
    town = Town({"A": 400, "B": 300})
    assert town.powers == {"A": 5_000, "B": 5_000}
    assert read_committee(town.overlay, Epoch(0)) == town.members
    assert town.purse("A") == PURSE - 400
    assert town.holding("A", "A").free == 400


def test_more_founders_than_seats_are_candidates() -> None:
    town = Town({name: 100 + index for index, name in enumerate("ABCDEFG")})
    assert set(town.powers) == set("CDEFG")
    assert town.pool("A").tokens == 100


@pytest.mark.parametrize(
    ("founder", "complaint"),
    [
        pytest.param(Founder(person("A"), keys_of("A"), 0, Grain(99)), "stake of 99", id="stake"),
        pytest.param(Founder(person("A"), keys_of("A"), 0, Grain(100)), "holds 0", id="balance"),
        pytest.param(
            Founder(person("A"), keys_of("A"), 9_999, Grain(100)), "commission", id="commission"
        ),
    ],
)
def test_a_founder_is_refused(founder: Founder, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        found(fresh_overlay(), parameters=SMALL, founders=[founder])


def test_a_chain_has_a_founder() -> None:
    with pytest.raises(ConfigurationError, match="no validator"):
        found(fresh_overlay(), parameters=SMALL, founders=[])


def test_the_default_parameters_let_four_found_a_chain() -> None:
    parameters = msgspec.structs.replace(StakingParameters(), stake_join_min=Grain(100))
    assert Town(dict.fromkeys("ABCD", 100), parameters=parameters).powers["A"] == 2_500
