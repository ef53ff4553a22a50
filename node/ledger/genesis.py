"""The genesis file: everything that a chain starts from, in one canonical encoding.

The chain id is the digest of the file's bytes, and every signature covers the chain id; so whoever
changes a byte of the file has the genesis of another chain.
"""

import itertools
from typing import Annotated, Final

import msgspec

from node.ledger.account import SystemAccount, credit
from node.ledger.chain import ChainRecord, Supply, write_chain
from node.ledger.committee import Seats
from node.ledger.contract import ContractName
from node.ledger.errors import GenesisError
from node.ledger.overlay import EmptyState, Overlay
from node.ledger.parameters import LedgerParameters, check_parameters, write_parameters
from node.ledger.staking.founding import Founder, found
from node.ledger.staking.queries import seats_of
from node.ledger.staking.records import Keys
from node.ledger.transaction import ArgumentBytes, CodeBytes
from node.ledger.wire import INT63_MAX, AddressField, AmountField, Counter, KeyField, TimeField
from primitives.codec import Codec
from primitives.errors import ConfigurationError, InvalidKeyError, MalformedBytesError
from primitives.hashing import Domain, tagged_hash
from primitives.ids import ChainId, Grain
from primitives.keys import PublicKey

GENESIS_BYTES_MAX: Final = 16_777_216
CHAIN_NAME_LENGTH_MAX: Final = 64
ACCOUNTS_MAX: Final = 200_000
VALIDATORS_MAX: Final = 1_000
CONTRACTS_MAX: Final = 64


class GenesisAccount(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Money that an address holds from the start."""

    address: AddressField
    balance: AmountField


class GenesisValidator(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """A validator of the first epoch.

    There is no proof of possession, which would have to name the chain id, and so itself: whoever
    starts the chain vouches for its validators.

    Args:
        commission_bp: in ten thousandths.
        stake: bonded from the start, beside what `accounts` gives the operator.
    """

    operator: AddressField
    consensus_key: KeyField
    node_key: KeyField
    commission_bp: Counter
    stake: AmountField


class GenesisContract(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A contract that is there from the start, at `genesis_contract_address(name)`.

    Args:
        arguments: of its `init`, which runs before the first commit, in the order of the file.
    """

    name: ContractName
    code: CodeBytes
    arguments: ArgumentBytes


class Genesis(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """How a chain starts.

    Args:
        name: for people; two chains may share it.
        time_ms: no commit is earlier.
        accounts: by ascending address.
        validators: those of equal stake rank by address, not by their place here.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=CHAIN_NAME_LENGTH_MAX)]
    time_ms: TimeField
    parameters: LedgerParameters
    accounts: Annotated[tuple[GenesisAccount, ...], msgspec.Meta(max_length=ACCOUNTS_MAX)]
    validators: Annotated[
        tuple[GenesisValidator, ...], msgspec.Meta(min_length=1, max_length=VALIDATORS_MAX)
    ]
    contracts: Annotated[tuple[GenesisContract, ...], msgspec.Meta(max_length=CONTRACTS_MAX)]


GENESIS_CODEC: Codec[Genesis] = Codec(Genesis, size_bytes_max=GENESIS_BYTES_MAX)


def chain_id_of(raw: bytes) -> ChainId:
    """Return the id of the chain that starts from the file with these bytes."""
    return ChainId(tagged_hash(Domain.GENESIS, raw))


def read_genesis(raw: bytes) -> Genesis:
    """Decode a genesis file and check that a chain could start from it.

    Raises:
        GenesisError: it could not; the message says what to correct.
    """
    try:
        genesis = GENESIS_CODEC.decode(raw)
    except MalformedBytesError as error:
        raise GenesisError(f"not a genesis file: {error}") from error
    check_genesis(genesis)
    return genesis


def check_genesis(genesis: Genesis) -> None:
    """Check that a chain could start from this.

    Raises:
        GenesisError: it could not; the message says what to correct.
    """
    try:
        check_parameters(genesis.parameters)
    except ConfigurationError as error:
        raise GenesisError(f"parameters: {error}") from error
    _check_accounts(genesis)
    names = [contract.name for contract in genesis.contracts]
    if len(set(names)) != len(names):
        raise GenesisError("contracts: a name appears twice")
    if supply_of(genesis) > INT63_MAX:
        raise GenesisError(f"balances and stakes add up to more than {INT63_MAX} grains")
    try:
        first_committee(genesis)
    except ConfigurationError as error:
        raise GenesisError(f"validators: {error}") from error


def supply_of(genesis: Genesis) -> int:
    """Return all the money that there is at the start."""
    held = sum(account.balance for account in genesis.accounts)
    return held + sum(validator.stake for validator in genesis.validators)


def first_committee(genesis: Genesis) -> Seats:
    """Return the committee of epoch 0.

    Raises:
        ConfigurationError: one of the validators could not be one.
    """
    return _found(Overlay(EmptyState()), genesis)


def write_genesis(overlay: Overlay, genesis: Genesis, *, chain_id: ChainId) -> None:
    """Write the state before the first commit, but for the contracts, whose `init` must run."""
    write_parameters(overlay, genesis.parameters)
    write_chain(
        overlay,
        ChainRecord(
            chain_id=chain_id,
            time_ms=genesis.time_ms,
            epoch_started_ms=genesis.time_ms,
            base_fee=genesis.parameters.fees.fee_initial,
            supply=Supply(Grain(supply_of(genesis))),
        ),
    )
    for account in genesis.accounts:
        credit(overlay, account.address, account.balance)
    _found(overlay, genesis)


def _check_accounts(genesis: Genesis) -> None:
    addresses = [account.address for account in genesis.accounts]
    for earlier, later in itertools.pairwise(addresses):
        if earlier >= later:
            raise GenesisError(f"accounts: {later.hex()} is not in ascending order")
    if SystemAccount.STAKE.address in addresses:
        raise GenesisError("accounts: money in the stake account would be nobody's stake")
    if any(account.balance == 0 for account in genesis.accounts):
        raise GenesisError("accounts: an account that holds nothing")
    for validator in genesis.validators:
        try:
            PublicKey.from_raw(validator.operator)
        except InvalidKeyError as error:
            raise GenesisError(
                f"validators: operator {validator.operator.hex()}: {error}"
            ) from error


def _found(overlay: Overlay, genesis: Genesis) -> Seats:
    """Bond the validators with money that is theirs for this moment; seat the first committee."""
    for validator in genesis.validators:
        credit(overlay, validator.operator, validator.stake)
    founders = [
        Founder(
            operator=validator.operator,
            keys=Keys(validator.consensus_key, validator.node_key),
            commission_bp=validator.commission_bp,
            stake=validator.stake,
        )
        for validator in genesis.validators
    ]
    return seats_of(found(overlay, parameters=genesis.parameters.staking, founders=founders))
