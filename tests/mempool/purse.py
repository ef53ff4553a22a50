"""Somebody with money who signs transactions."""

from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    Action,
    Call,
    SignedTransaction,
    Transaction,
    Transfer,
    sign_transaction,
)
from primitives.ids import Address, ChainId, Gas, Grain, TimestampMs
from primitives.keys import PrivateKey

CHAIN_ID = ChainId(bytes(range(32)))
NOW_MS = TimestampMs(1_000_000_000)
BASE_FEE = Grain(1_000)
GAS_LIMIT = Gas(20_000)
RECIPIENT = Address(bytes(31) + b"\x07")


class Purse:
    """An account and its key; another one for another number."""

    def __init__(self, number: int) -> None:
        self.key = PrivateKey.from_seed(number.to_bytes(32, "big"))
        self.address = Address(self.key.public.raw)

    def transfer(
        self,
        nonce: int = 0,
        *,
        tip: int = 0,
        fee_max: int = 2 * BASE_FEE,
        amount: int = 1,
        valid_for_ms: int = 60_000,
        sender: Address | None = None,
        memo_bytes: int = 0,
    ) -> SignedTransaction:
        """Sign a transfer; one with a memo is a call."""
        action: Action = Transfer(recipient=RECIPIENT, amount=Grain(amount))
        if memo_bytes:
            action = Call(
                contract=RECIPIENT,
                method="take",
                arguments=bytes(memo_bytes),
                value=Grain(amount),
            )
        transaction = Transaction(
            chain_id=CHAIN_ID,
            sender=self.address if sender is None else sender,
            nonce=nonce,
            gas_limit=GAS_LIMIT,
            fee_per_gas_max=Grain(fee_max),
            tip_per_gas=Grain(tip),
            valid_until=TimestampMs(NOW_MS + valid_for_ms),
            action=action,
        )
        return sign_transaction(transaction, self.key)

    def raw(self, nonce: int = 0, *, tip: int = 0, fee_max: int = 2 * BASE_FEE) -> bytes:
        """Return the bytes of a signed transfer."""
        return SIGNED_TRANSACTION_CODEC.encode(self.transfer(nonce, tip=tip, fee_max=fee_max))
