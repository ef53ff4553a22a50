"""Money comes into being and goes here only, and is counted when it does.

Guards: the balances of all accounts add up to what genesis gave, plus what was minted, minus what
was burned. Stakes are in the account of `SystemAccount.STAKE` and escrow in those of contracts, so
the sum over accounts is the sum over everything.
"""

from collections.abc import Iterable

import msgspec

from node.ledger.account import ACCOUNT_CODEC, credit, debit
from node.ledger.chain import CHAIN_CODEC, CHAIN_KEY, Supply, read_chain, write_chain
from node.ledger.errors import SupplyError
from node.ledger.keyspace import Room
from node.ledger.overlay import Overlay
from node.ledger.wire import INT63_MAX
from primitives.ids import Address, Grain


def mint(overlay: Overlay, *, recipient: Address, amount: Grain) -> Grain:
    """Create money and return how much: less than asked once no balance could hold it all."""
    supply = read_chain(overlay).supply
    created = Grain(min(amount, INT63_MAX - supply.genesis - supply.minted))
    credit(overlay, recipient, created)
    minted = Grain(supply.minted + created)
    _write(overlay, msgspec.structs.replace(supply, minted=minted))
    return created


def burn(overlay: Overlay, *, owner: Address, amount: Grain) -> None:
    """Destroy money that an account holds.

    Raises:
        InsufficientBalanceError: it does not hold as much; nothing is written.
    """
    debit(overlay, owner, amount)
    count_burned(overlay, amount)


def count_burned(overlay: Overlay, amount: Grain) -> None:
    """Count money that already left its account, as base fees do, once for a whole commit."""
    supply = read_chain(overlay).supply
    burned = Grain(supply.burned + amount)
    _write(overlay, msgspec.structs.replace(supply, burned=burned))


def check_supply(entries: Iterable[tuple[bytes, bytes]]) -> Supply:
    """Check every key and value of a state at a commit boundary; return the counters.

    Raises:
        SupplyError: the balances do not add up to the counters.
    """
    held = 0
    supply = Supply(Grain(0))
    for key, value in entries:
        if key == CHAIN_KEY:
            supply = CHAIN_CODEC.decode(value).supply
        elif key.startswith(Room.ACCOUNT):
            held += ACCOUNT_CODEC.decode(value).balance
    if held != supply.circulating:
        raise SupplyError(expected=supply.circulating, actual=held)
    return supply


def _write(overlay: Overlay, supply: Supply) -> None:
    write_chain(overlay, msgspec.structs.replace(read_chain(overlay), supply=supply))
