"""Check a whole state: what the staking records hold is what the account of stake holds.

The chain cannot scan its own state, but whoever has the database can, and so can a test.
"""

from collections.abc import Iterable

from node.ledger.account import ACCOUNT_CODEC, SystemAccount, account_key
from node.ledger.errors import SupplyError
from node.ledger.staking.records import (
    DEPOSITS_CODEC,
    EXITS_CODEC,
    MOVES_CODEC,
    VALIDATOR_CODEC,
)
from node.ledger.staking.tables import Table
from primitives.ids import Grain


def grains_held(key: bytes, value: bytes) -> Grain:
    """Return the money that one entry of the state says is staked; 0 for every other entry.

    Deposits are in their pool already, unless they were refused, and moves in their new one.
    """
    match key[:2]:
        case Table.VALIDATOR:
            validator = VALIDATOR_CODEC.decode(value)
            return Grain(validator.tokens + validator.incoming)
        case Table.DEPOSITS:
            return DEPOSITS_CODEC.decode(value).refund
        case Table.EXITS:
            return EXITS_CODEC.decode(value).tokens
        case Table.MOVES:
            return MOVES_CODEC.decode(value).tokens
        case _:
            return Grain(0)


def check_stakes(entries: Iterable[tuple[bytes, bytes]]) -> Grain:
    """Check every key and value of a state; return all staked money.

    Raises:
        SupplyError: the records and the account disagree.
    """
    stake_key = account_key(SystemAccount.STAKE.address)
    balance, held = 0, 0
    for key, value in entries:
        held += grains_held(key, value)
        if key == stake_key:
            balance = ACCOUNT_CODEC.decode(value).balance
    if held != balance:
        raise SupplyError(expected=balance, actual=held)
    return Grain(held)
