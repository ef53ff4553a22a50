"""The money of staking: what moves into stake, out of it, to the pot and to nowhere.

Guards: every grain that a staking record holds is in the account `STAKE`, and no other. The records
and the account change together, so supply is conserved whatever happens to the pools.
"""

from node.ledger.account import SystemAccount, balance_of, transfer
from node.ledger.overlay import Overlay, StateReader
from node.ledger.supply import burn, mint
from primitives.ids import Address, Grain

_STAKE = SystemAccount.STAKE.address
_POT = SystemAccount.EPOCH_POT.address
_TREASURY = SystemAccount.TREASURY.address


def stake_total_in_system(state: StateReader) -> Grain:
    """Return all money that is bonded, waits to be, or is not paid out yet."""
    return balance_of(state, _STAKE)


def lock(overlay: Overlay, *, owner: Address, amount: Grain) -> None:
    """Take money from an account into stake.

    Raises:
        InsufficientBalanceError: the account does not hold as much; nothing is written.
    """
    transfer(overlay, sender=owner, recipient=_STAKE, amount=amount)


def release(overlay: Overlay, *, owner: Address, amount: Grain) -> None:
    """Pay out stake to an account."""
    transfer(overlay, sender=_STAKE, recipient=owner, amount=amount)


def burn_stake(overlay: Overlay, amount: Grain) -> None:
    """Destroy stake that was slashed."""
    burn(overlay, owner=_STAKE, amount=amount)


def fill_pot(overlay: Overlay, emission: Grain) -> Grain:
    """Mint the emission of an epoch into its pot; return what is in the pot then, tips included."""
    mint(overlay, recipient=_POT, amount=emission)
    return balance_of(overlay, _POT)


def pay_reward(overlay: Overlay, *, operator: Address, commission: Grain, stake: Grain) -> None:
    """Pay from the pot: the commission to the operator, the rest into its pool."""
    transfer(overlay, sender=_POT, recipient=operator, amount=commission)
    transfer(overlay, sender=_POT, recipient=_STAKE, amount=stake)


def empty_pot(overlay: Overlay) -> Grain:
    """Give to the treasury what nobody earned; return how much that was."""
    remainder = balance_of(overlay, _POT)
    transfer(overlay, sender=_POT, recipient=_TREASURY, amount=remainder)
    return remainder
