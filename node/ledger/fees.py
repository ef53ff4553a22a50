"""What a transaction pays: a base fee per gas that is burned, and a tip for the validators.

The base fee follows the load of one commit after the other: above the target it rises, below it
falls, by at most one part in `change_denominator` each time, and always by at least one grain, or
a small fee would only ever go up. A sender names the most it pays; what the base fee leaves of
that, up to the tip it offers, goes to the epoch's pot.

Money that is paid for gas in advance is in nobody's account until `settle`: at the end of a commit
all of it is refunded, burned or in the pot. Source: EIP-1559, in integers.
"""

import msgspec

from node.ledger.account import Account, SystemAccount, credit, write_account
from node.ledger.errors import UnaffordableError
from node.ledger.overlay import Overlay
from node.ledger.parameters import FeeParameters
from node.ledger.transaction import Transaction
from node.ledger.wire import INT63_MAX
from primitives.ids import Gas, Grain


class GasPrice(msgspec.Struct, frozen=True, gc=False):
    """What one gas of one transaction costs in one commit."""

    burned_per_gas: Grain
    tip_per_gas: Grain

    @property
    def per_gas(self) -> Grain:
        """What the sender pays for a gas."""
        return Grain(self.burned_per_gas + self.tip_per_gas)


class FeePaid(msgspec.Struct, frozen=True, gc=False):
    """Where the fee of one transaction went."""

    burned: Grain
    tip: Grain

    @property
    def total(self) -> Grain:
        """What the sender paid."""
        return Grain(self.burned + self.tip)


def next_fee(base_fee: Grain, *, gas_used: Gas, parameters: FeeParameters) -> Grain:
    """Return the base fee of the commit after one with this base fee and use of gas.

    More than twice the target counts as twice.
    """
    target = parameters.gas_target
    distance = min(gas_used, 2 * target) - target
    if distance == 0:
        return base_fee
    step = max(base_fee * abs(distance) // target // parameters.change_denominator, 1)
    if distance < 0:
        return Grain(max(base_fee - step, parameters.fee_min))
    return Grain(min(base_fee + step, INT63_MAX))


def price_of(transaction: Transaction, *, base_fee: Grain) -> GasPrice:
    """Return the price for a transaction whose greatest fee covers the base fee."""
    left = Grain(transaction.fee_per_gas_max - base_fee)
    assert left >= 0, "the entry rules refuse a fee below the base fee"
    return GasPrice(base_fee, min(transaction.tip_per_gas, left))


def prepay(
    overlay: Overlay, transaction: Transaction, *, account: Account, gas: Gas, price: GasPrice
) -> None:
    """Take the fee for the gas, all that the transaction may use, and count the nonce: one write.

    The account is that of the sender.

    Raises:
        UnaffordableError: the sender does not hold as much; nothing is written.
    """
    cost = gas * price.per_gas
    if account.balance < cost:
        raise UnaffordableError(actual=account.balance, limit=cost)
    left = Account(nonce=account.nonce + 1, balance=Grain(account.balance - cost))
    write_account(overlay, transaction.sender, left)


def settle(
    overlay: Overlay, transaction: Transaction, *, price: GasPrice, gas_used: Gas
) -> FeePaid:
    """Give back what a whole gas limit cost and was not used; return what is to be collected."""
    assert 0 <= gas_used <= transaction.gas_limit, "execution stops at the gas limit"
    refund = Grain((transaction.gas_limit - gas_used) * price.per_gas)
    if refund:
        credit(overlay, transaction.sender, refund)
    return fee_of(gas_used, price=price)


def fee_of(gas_used: Gas, *, price: GasPrice) -> FeePaid:
    """Return the fee for gas that was used."""
    return FeePaid(Grain(gas_used * price.burned_per_gas), Grain(gas_used * price.tip_per_gas))


def collect_tips(overlay: Overlay, tips: Grain) -> None:
    """Put the tips of a commit into the epoch's pot, once for all its transactions."""
    if tips:
        credit(overlay, SystemAccount.EPOCH_POT.address, tips)
