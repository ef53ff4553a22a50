import pytest

from node.ledger.errors import PossessionError
from node.ledger.possession import check_possession, prove_possession
from primitives.ids import Address, ChainId
from tests.ledger.builders import CHAIN, address_of, key_of

KEY = key_of(9)
PROOF = prove_possession(KEY, chain_id=CHAIN, validator=address_of(1))


def test_the_holder_of_a_key_can_register_it() -> None:
    check_possession(KEY.public.raw, PROOF, chain_id=CHAIN, validator=address_of(1))


@pytest.mark.parametrize(
    ("key", "chain_id", "validator"),
    [
        pytest.param(KEY.public.raw, CHAIN, address_of(2), id="for another account"),
        pytest.param(KEY.public.raw, ChainId(bytes(32)), address_of(1), id="on another chain"),
        pytest.param(key_of(8).public.raw, CHAIN, address_of(1), id="for another key"),
        pytest.param(bytes(32), CHAIN, address_of(1), id="for a key of small order"),
    ],
)
def test_a_proof_is_worth_nothing_elsewhere(
    key: bytes, chain_id: ChainId, validator: Address
) -> None:
    with pytest.raises(PossessionError):
        check_possession(key, PROOF, chain_id=chain_id, validator=validator)
