"""Accounts: who holds how much, and how many transactions each has sent.

Guards: money moves or it stays; `transfer` writes both sides or none. An account that holds nothing
and never sent anything is not stored, so that a visitor leaves no trace in the state for ever.

The accounts of the chain itself have addresses that are digests: nobody knows a key for them.
"""

import enum
from typing import Final

import msgspec

from node.ledger.errors import BalanceLimitError, InsufficientBalanceError
from node.ledger.keyspace import Room
from node.ledger.overlay import Overlay, StateReader
from node.ledger.wire import INT63_MAX, AmountField, Counter
from primitives.codec import Codec
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Address, Grain

_ACCOUNT_BYTES_MAX: Final = 32


class Account(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True, gc=False
):
    """What one address holds.

    Args:
        nonce: the number that its next transaction must carry.
    """

    nonce: Counter = 0
    balance: AmountField = Grain(0)


ACCOUNT_CODEC: Codec[Account] = Codec(Account, size_bytes_max=_ACCOUNT_BYTES_MAX)
EMPTY_ACCOUNT: Final = Account()
_ROOM: Final = bytes(Room.ACCOUNT)


@enum.unique
class SystemAccount(enum.Enum):
    """The closed list of accounts that belong to the chain."""

    EPOCH_POT = "epoch-pot"
    """Tips of the running epoch, until the epoch ends and they are paid out."""

    TREASURY = "treasury"
    """What of the pot nobody earned, and the remainders of its divisions."""

    STAKE = "stake"
    """Every grain that is bonded, delegated or unbonding; the staking records say whose."""

    BURNED = "burned"
    """Where contracts send money that nobody shall have; every commit ends with it empty."""

    @property
    def address(self) -> Address:
        """The address of the account."""
        return _SYSTEM_ADDRESSES[self]


_SYSTEM_ADDRESSES: Final = {
    account: Address(tagged_hash(Domain.SYSTEM_ACCOUNT, account.value.encode("ascii")))
    for account in SystemAccount
}


def account_key(address: Address) -> bytes:
    """Return where the account stands in the state."""
    return _ROOM + address


def read_account(state: StateReader, address: Address) -> Account:
    """Return the account; an address that nobody used has an empty one."""
    raw = state.get(_ROOM + address)
    return EMPTY_ACCOUNT if raw is None else ACCOUNT_CODEC.decode_own(raw)


def write_account(overlay: Overlay, address: Address, account: Account) -> None:
    """Store the account; an empty one leaves the state."""
    if account.nonce or account.balance:
        overlay.put(_ROOM + address, ACCOUNT_CODEC.encode(account))
    else:
        overlay.delete(_ROOM + address)


def balance_of(state: StateReader, address: Address) -> Grain:
    """Return what the address holds."""
    return read_account(state, address).balance


def credit(overlay: Overlay, address: Address, amount: Grain) -> None:
    """Add to a balance.

    Raises:
        BalanceLimitError: the balance would no longer fit 63 bits; nothing is written.
    """
    account = read_account(overlay, address)
    balance = account.balance + amount
    if balance > INT63_MAX:
        raise BalanceLimitError(address=address, balance=account.balance, amount=amount)
    write_account(overlay, address, Account(nonce=account.nonce, balance=Grain(balance)))


def debit(overlay: Overlay, address: Address, amount: Grain) -> None:
    """Take from a balance.

    Raises:
        InsufficientBalanceError: there is not as much; nothing is written.
    """
    account = read_account(overlay, address)
    if account.balance < amount:
        raise InsufficientBalanceError(address=address, balance=account.balance, needed=amount)
    balance = Grain(account.balance - amount)
    write_account(overlay, address, Account(nonce=account.nonce, balance=balance))


def transfer(overlay: Overlay, *, sender: Address, recipient: Address, amount: Grain) -> None:
    """Move money from one address to another, or write nothing.

    Raises:
        InsufficientBalanceError: the sender does not hold as much.
        BalanceLimitError: the recipient could not hold as much.
    """
    source = read_account(overlay, sender)
    if source.balance < amount:
        raise InsufficientBalanceError(address=sender, balance=source.balance, needed=amount)
    if sender == recipient or amount == 0:
        return
    credit(overlay, recipient, amount)
    left = Grain(source.balance - amount)
    write_account(overlay, sender, Account(nonce=source.nonce, balance=left))


def advance_nonce(overlay: Overlay, address: Address) -> None:
    """Count one more transaction of the account, so that none enters twice."""
    account = read_account(overlay, address)
    write_account(overlay, address, Account(nonce=account.nonce + 1, balance=account.balance))
