"""Where contracts stand in the state, and how they get their addresses.

An address is a digest, so nobody holds a key for it, and it is known before the contract exists.
"""

from typing import Annotated, Final

import msgspec

from node.ledger.account import Account, read_account, write_account
from node.ledger.keyspace import KEY_SIZE_BYTES_MAX, Room
from node.ledger.overlay import Overlay, StateReader
from node.ledger.wire import INT63_MAX, AddressField, Counter, DigestField, HeightField
from primitives.codec import Codec
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Address, Digest

CONTRACT_NONCE: Final = INT63_MAX
"""What the account of a contract has for a nonce: it sends no transactions."""

CONTRACT_NAME_LENGTH_MAX: Final = 64
SLOT_BYTES_MAX: Final = KEY_SIZE_BYTES_MAX - 33
ContractName = Annotated[str, msgspec.Meta(min_length=1, max_length=CONTRACT_NAME_LENGTH_MAX)]


class ContractRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Which code runs at an address, who put it there, and after how many commits."""

    code_digest: DigestField
    deployer: AddressField
    height: HeightField


class _Deployed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    sender: AddressField
    nonce: Counter


class _Founded(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    # One field where `_Deployed` has two, so no founded contract has the address of another.
    name: ContractName


CONTRACT_CODEC: Codec[ContractRecord] = Codec(ContractRecord, size_bytes_max=128)
_DEPLOYED_CODEC: Codec[_Deployed] = Codec(_Deployed, size_bytes_max=64)
_FOUNDED_CODEC: Codec[_Founded] = Codec(_Founded, size_bytes_max=512)
_CONTRACT: Final = bytes(Room.CONTRACT)
_CODE: Final = bytes(Room.CODE)
_STORAGE: Final = bytes(Room.STORAGE)


def contract_address(sender: Address, *, nonce: int) -> Address:
    """Return the address of what the transaction with this nonce deploys."""
    raw = _DEPLOYED_CODEC.encode(_Deployed(sender, nonce))
    return Address(tagged_hash(Domain.CONTRACT_ADDRESS, raw))


def genesis_contract_address(name: str) -> Address:
    """Return the address of a contract that genesis founds; it has no deployer."""
    return Address(tagged_hash(Domain.CONTRACT_ADDRESS, _FOUNDED_CODEC.encode(_Founded(name))))


def code_digest(code: bytes) -> Digest:
    """Return the name under which the code is stored, once for all contracts that run it."""
    return tagged_hash(Domain.CONTRACT_CODE, code)


def storage_key(contract: Address, slot: bytes) -> bytes:
    """Return where a slot of a contract stands in the state."""
    assert len(slot) <= SLOT_BYTES_MAX, "the engine hashes longer slots"
    return _STORAGE + contract + slot


def contract_key(address: Address) -> bytes:
    """Return where the record of a contract stands in the state."""
    return _CONTRACT + address


def read_contract(state: StateReader, address: Address) -> ContractRecord | None:
    """Return the record of the contract at the address, None if there is none."""
    raw = state.get(_CONTRACT + address)
    return None if raw is None else CONTRACT_CODEC.decode_own(raw)


def is_founded(state: StateReader, address: Address) -> bool:
    """Tell whether genesis put the contract at the address there; it has no other deployer."""
    record = read_contract(state, address)
    return record is not None and record.deployer == address


def is_contract(state: StateReader, address: Address) -> bool:
    """Tell whether there is a contract at the address.

    The account says so, which whoever asks reads anyway to move money.
    """
    return read_account(state, address).nonce == CONTRACT_NONCE


def read_code(state: StateReader, digest: Digest) -> bytes:
    """Return the code that a contract record names."""
    code = state.get(_CODE + digest)
    assert code is not None, "code is stored before the record that names it and never removed"
    return code


def write_contract(
    overlay: Overlay, address: Address, record: ContractRecord, *, code: bytes
) -> None:
    """Store a contract and its code."""
    assert record.code_digest == code_digest(code), "a record of other code"
    overlay.put(_CODE + record.code_digest, code)
    overlay.put(_CONTRACT + address, CONTRACT_CODEC.encode(record))
    account = read_account(overlay, address)
    write_account(overlay, address, Account(nonce=CONTRACT_NONCE, balance=account.balance))
