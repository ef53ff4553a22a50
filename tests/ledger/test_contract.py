import pytest

from node.ledger.contract import (
    SLOT_BYTES_MAX,
    ContractRecord,
    code_digest,
    contract_address,
    genesis_contract_address,
    read_code,
    read_contract,
    storage_key,
    write_contract,
)
from node.ledger.keyspace import KEY_SIZE_BYTES_MAX
from primitives.ids import Height
from tests.ledger.builders import address_of, fresh_overlay
from tests.vectors import Row, cases

CODE = b"module"


def test_a_contract_is_read_as_it_was_written() -> None:
    overlay = fresh_overlay()
    address = contract_address(address_of(1), nonce=0)
    record = ContractRecord(code_digest(CODE), address_of(1), Height(3))
    write_contract(overlay, address, record, code=CODE)
    assert read_contract(overlay, address) == record
    assert read_code(overlay, record.code_digest) == CODE


def test_an_address_without_a_contract_has_no_record() -> None:
    assert read_contract(fresh_overlay(), address_of(1)) is None


def test_two_contracts_with_the_same_code_share_it() -> None:
    overlay = fresh_overlay()
    record = ContractRecord(code_digest(CODE), address_of(1), Height(3))
    for nonce in range(2):
        write_contract(overlay, contract_address(address_of(1), nonce=nonce), record, code=CODE)
    assert sum(value == CODE for value in overlay.changes().values()) == 1


def test_contracts_never_share_an_address() -> None:
    people = (address_of(1), address_of(2))
    deployed = {contract_address(who, nonce=nonce) for who in people for nonce in (0, 1)}
    founded = {genesis_contract_address(name) for name in ("tasks", "rounds")}
    assert len(deployed | founded) == 6


def test_the_slots_of_two_contracts_never_meet() -> None:
    one, other = address_of(1), address_of(2)
    assert storage_key(one, b"slot") != storage_key(other, b"slot")


def test_the_longest_slot_fits_the_longest_key() -> None:
    assert len(storage_key(address_of(1), bytes(SLOT_BYTES_MAX))) == KEY_SIZE_BYTES_MAX


@pytest.mark.parametrize("row", cases("ledger", "addresses"))
def test_addresses_are_the_golden_ones(row: Row) -> None:
    expected = {
        "deployed with nonce 0": contract_address(address_of(1), nonce=0),
        "deployed with nonce 1": contract_address(address_of(1), nonce=1),
        "founded as tasks": genesis_contract_address("tasks"),
    }
    if row["comment"] in expected:
        assert expected[row["comment"]].hex() == row["address"]
