"""The door of the mempool: the entry rules, and who is to blame for what breaks them."""

from dataclasses import dataclass
from typing import Final

from node.ledger.account import Account
from node.ledger.admission import check_entry, check_signature, read_transaction
from node.ledger.errors import (
    AmountRangeError,
    EntryError,
    GasLimitError,
    IntegerRangeError,
    IntrinsicGasError,
    NotCanonicalError,
    SenderKeyError,
    TipAboveFeeError,
    TrailingBytesError,
    TransactionFormatError,
    TransactionSignatureError,
    TransactionSizeError,
    UnknownActionError,
    WrongChainError,
)
from node.ledger.transaction import SignedTransaction, encoded_transaction_id
from node.mempool.ledger_view import LedgerView
from node.signatures.claims import SignatureClaim
from primitives.ids import Digest

_LIES: Final = (
    TransactionSizeError,
    TransactionFormatError,
    TrailingBytesError,
    NotCanonicalError,
    IntegerRangeError,
    UnknownActionError,
    WrongChainError,
    GasLimitError,
    IntrinsicGasError,
    TipAboveFeeError,
    AmountRangeError,
    SenderKeyError,
    TransactionSignatureError,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transaction that broke no rule so far; its signature is a step of its own."""

    raw: bytes
    name: Digest
    signed: SignedTransaction

    @property
    def claim(self) -> SignatureClaim:
        """What is to be checked about the signature."""
        return SignatureClaim(self.signed.transaction.sender, self.name, self.signed.signature)


def is_lie(error: EntryError) -> bool:
    """Tell whether whoever passed the transaction on could see that, whatever its state was.

    All else depends on how far a node has followed the chain, so nobody is blamed for it.
    """
    return isinstance(error, _LIES)


def read_candidate(raw: bytes, ledger: LedgerView) -> Candidate:
    """Decode a transaction from outside.

    Raises:
        EntryError: it is none.
    """
    signed = read_transaction(raw, limits=ledger.parameters.limits)
    return Candidate(raw, encoded_transaction_id(raw), signed)


def check_candidate(candidate: Candidate, ledger: LedgerView) -> Account:
    """Check every entry rule but the signature at the newest state; return the sender's account.

    Raises:
        EntryError: the class names the rule that is broken.
    """
    transaction = candidate.signed.transaction
    account = ledger.account(transaction.sender)
    check_entry(
        transaction,
        size_bytes=len(candidate.raw),
        account=account,
        context=ledger.entry_context(),
    )
    return account


def refuse_signature(candidate: Candidate, account: Account) -> EntryError:
    """Return the error of a transaction whose signature was found wrong."""
    try:
        check_signature(candidate.signed, account=account)
    except EntryError as error:
        return error
    return SenderKeyError()
