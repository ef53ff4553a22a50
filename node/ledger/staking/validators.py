"""Who validates: registration, keys, and the way out of jail.

A consensus key is registered once and for ever, also when it was rotated away or its validator is
gone: a key with two owners would let evidence against the one name the other. Its holder proves
that it has it. A node key proves nothing and convicts nobody, so any number of validators may name
the same one: who names another's key first takes nothing from its owner. An account registers once
too: the shares of its old pool must not count in a new one. What is asked for here takes effect at
the end of the epoch.
"""

import msgspec

from node.ledger.overlay import Overlay, StateReader
from node.ledger.staking.delegations import delegate
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
    UnusableKeyError,
    ValidatorExistsError,
)
from node.ledger.staking.parameters import StakingParameters
from node.ledger.staking.records import Keys, Standing, Validator
from node.ledger.staking.tables import (
    Table,
    find_validator,
    read_roster,
    read_validator,
    write_roster,
    write_validator,
)
from node.ledger.staking.term import Term
from primitives.errors import InvalidKeyError
from primitives.ids import Address, Grain
from primitives.keys import PublicKey


def bond(
    overlay: Overlay,
    *,
    term: Term,
    operator: Address,
    keys: Keys,
    commission_bp: int,
    amount: Grain,
) -> None:
    """Register the account as a validator with a first stake of its own.

    It adds to that later as any delegator does, and takes back with `undelegate`. The caller has
    checked that the holder of the consensus key agreed. On an error the caller rolls back.

    Raises:
        StakingError: the account, the keys, the commission or the amount is refused.
        InsufficientBalanceError: the account does not hold the amount.
    """
    least = term.parameters.stake_pool_min
    if amount < least:
        raise DelegationSizeError(actual=amount, least=least)
    register(
        overlay,
        parameters=term.parameters,
        operator=operator,
        keys=keys,
        commission_bp=commission_bp,
    )
    delegate(overlay, term=term, delegator=operator, validator=operator, amount=amount)


def register(
    overlay: Overlay,
    *,
    parameters: StakingParameters,
    operator: Address,
    keys: Keys,
    commission_bp: int,
) -> None:
    """Write the record of a new validator with an empty pool.

    Raises:
        StakingError: the account, the keys or the commission is refused.
    """
    if find_validator(overlay, operator) is not None:
        raise ValidatorExistsError(validator=operator)
    least, limit = parameters.commission_min_bp, parameters.commission_max_bp
    if not least <= commission_bp <= limit:
        raise CommissionError(actual=commission_bp, least=least, limit=limit)
    roster = read_roster(overlay)
    if len(roster) >= parameters.validators_max:
        raise RosterFullError(limit=parameters.validators_max)
    _take_keys(overlay, operator, keys)
    write_roster(overlay, (*roster, operator))
    write_validator(overlay, Validator(operator=operator, keys=keys, commission_bp=commission_bp))


def rotate_keys(overlay: Overlay, *, operator: Address, keys: Keys) -> None:
    """Give the validator other keys from the next epoch on.

    The consensus key must be new. The old ones still judge what was signed in old epochs, since
    each committee is kept with its keys. A jailed validator may rotate: perhaps it was jailed for a
    stolen key.

    Raises:
        StakingError: no such validator, it is tombstoned, rotates already, or a key is refused.
    """
    validator = read_validator(overlay, operator)
    _check_open(validator)
    if validator.next_keys is not None:
        raise RotationPendingError(validator=operator)
    _take_keys(overlay, operator, keys)
    write_validator(overlay, msgspec.structs.replace(validator, next_keys=keys))


def unjail(overlay: Overlay, *, term: Term, operator: Address) -> None:
    """Make a jailed validator a candidate again, once its sentence is over.

    Raises:
        StakingError: no such validator, it is not jailed, not yet free, or tombstoned.
    """
    validator = read_validator(overlay, operator)
    _check_open(validator)
    if validator.standing is not Standing.JAILED:
        raise NotJailedError(validator=operator)
    if term.epoch < validator.release_epoch:
        raise SentenceError(epoch=term.epoch, release=validator.release_epoch)
    write_validator(overlay, msgspec.structs.replace(validator, standing=Standing.GOOD))


def find_operator(state: StateReader, consensus_key: bytes) -> Address | None:
    """Return the account that ever registered the consensus key, None if nobody did."""
    raw = state.get(Table.CONSENSUS_KEY + consensus_key)
    return None if raw is None else Address(raw)


def _check_open(validator: Validator) -> None:
    if validator.standing is Standing.TOMBSTONED:
        raise TombstonedError(validator=validator.operator)
    if validator.closed_epoch is not None:
        raise PoolClosedError(validator=validator.operator)


def _take_keys(overlay: Overlay, operator: Address, keys: Keys) -> None:
    for key in (keys.consensus_key, keys.node_key):
        try:
            PublicKey.from_raw(key)
        except InvalidKeyError as error:
            raise UnusableKeyError(key=key) from error
    place = Table.CONSENSUS_KEY + keys.consensus_key
    if overlay.get(place) is not None:
        raise KeyTakenError(key=keys.consensus_key)
    overlay.put(place, operator)
