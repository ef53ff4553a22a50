"""The chain for tests starts like any other: from a genesis file that was checked."""

import msgspec
import pytest

from node.execution.local_chain import LocalChain
from node.ledger.errors import GenesisError
from node.ledger.genesis import read_genesis
from node.ledger.parameters import LedgerParameters
from primitives.ids import DurationMs


def test_a_chain_for_tests_does_not_start_with_parameters_that_a_chain_refuses() -> None:
    endless = msgspec.structs.replace(LedgerParameters(), epoch_duration_ms=DurationMs(0))
    with pytest.raises(GenesisError, match="epoch_duration_ms must be at least 1"):
        LocalChain(parameters=endless)


@pytest.mark.parametrize("validators", [0, 101])
def test_a_chain_for_tests_has_a_committee_that_a_chain_may_have(validators: int) -> None:
    if validators:
        assert read_genesis(LocalChain(validators=validators).genesis_file).validators
    else:
        with pytest.raises(GenesisError):
            LocalChain(validators=validators)
