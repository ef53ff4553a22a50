import msgspec
import pytest

from node.ledger.staking import errors
from node.ledger.staking.parameters import StakingParameters, check_staking_parameters
from primitives.errors import (
    ConfigurationError,
    HanseError,
    InvalidEvidenceError,
    InvalidTransactionError,
)
from tests.ledger.staking.town import SMALL


@pytest.mark.parametrize("parameters", [StakingParameters(), SMALL])
def test_parameters_that_a_chain_can_live_with(parameters: StakingParameters) -> None:
    check_staking_parameters(parameters)


def test_the_penalties_are_those_of_the_design() -> None:
    parameters = StakingParameters()
    assert parameters.slash_equivocation_bp == 500
    assert parameters.slash_conflict_bp == 10_000
    assert parameters.slash_downtime_bp == 10


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"committee_size_max": 0}, "committee_size_max"),
        ({"committee_size_max": 1_001, "validators_max": 1_001}, "committee_size_max"),
        ({"validators_max": 99}, "validators_max"),
        ({"validators_max": 1_001}, "validators_max"),
        ({"delegation_min": 0}, "must ascend"),
        ({"stake_pool_min": 1}, "must ascend"),
        ({"stake_drop_min": 2**62}, "must ascend"),
        ({"stake_leave_min": 2**62}, "must ascend"),
        ({"unbonding_epochs": 1, "evidence_window_epochs": 0}, "unbonding_epochs"),
        ({"unbonding_epochs": 10_001}, "unbonding_epochs"),
        ({"evidence_window_epochs": 504}, "evidence_window_epochs"),
        ({"evidence_window_epochs": 0}, "evidence_window_epochs"),
        ({"rounds_judged_min": 0}, "rounds_judged_min"),
        ({"unbonding_entries_max": 0}, "unbonding_entries_max"),
        ({"unbonding_entries_max": 65}, "unbonding_entries_max"),
        ({"redelegation_targets_max": 0}, "redelegation_targets_max"),
        ({"redelegation_targets_max": 65}, "redelegation_targets_max"),
        ({"slash_conflict_bp": 499}, "slash_equivocation_bp"),
        ({"slash_conflict_bp": 10_001}, "slash_conflict_bp"),
        ({"slash_downtime_bp": 10_000}, "slash_downtime_bp"),
        ({"reporter_share_bp": 5_001}, "reporter_share_bp"),
        ({"commission_min_bp": 5_001}, "commission_min_bp"),
        ({"commission_max_bp": 10_001}, "commission_max_bp"),
        ({"attendance_min_bp": 10_001}, "attendance_min_bp"),
        ({"power_cap": 0}, "power_cap"),
        ({"power_cap": 10_001}, "power_cap"),
        ({"power_change_max": 3_334}, "power_change_max"),
    ],
)
def test_a_parameter_is_refused(change: dict[str, int], complaint: str) -> None:
    parameters = msgspec.structs.replace(StakingParameters(), **change)
    with pytest.raises(ConfigurationError, match=complaint):
        check_staking_parameters(parameters)


def _rules() -> list[type[HanseError]]:
    return [
        error
        for error in vars(errors).values()
        if isinstance(error, type)
        and issubclass(error, errors.StakingError | errors.StakingEvidenceError)
    ]


def test_every_rule_has_a_code_of_its_own() -> None:
    codes = [error.code for error in _rules()]
    assert len(set(codes)) == len(codes) == 26


def test_every_rule_belongs_to_its_family() -> None:
    for error in _rules():
        evidence = issubclass(error, InvalidEvidenceError)
        assert evidence != issubclass(error, InvalidTransactionError)
        assert error.code.startswith("evidence-" if evidence else "stake")


def test_every_rule_is_listed() -> None:
    listed = errors.__doc__ or ""
    assert [error.__name__ for error in _rules() if error.__name__ not in listed] == []
