"""Why the ledger refuses: one class and one stable code per rule.

InvalidTransactionError (primitives.errors)
  EntryError: the transaction is refused, pays nothing and changes nothing
    TransactionSizeError, TransactionFormatError, TrailingBytesError, NotCanonicalError,
    IntegerRangeError, UnknownActionError, WrongChainError, ExpiredError, ValidityHorizonError,
    GasLimitError, IntrinsicGasError, FeeTooLowError, TipAboveFeeError, AmountRangeError,
    ReplayedNonceError, NonceGapError, NonceWindowError, UnaffordableError, SenderKeyError,
    TransactionSignatureError
  InsufficientBalanceError, BalanceLimitError, PossessionError: it entered, pays and fails
InvalidCheckpointError (primitives.errors)
  CheckpointFormatError, CheckpointChainError, CheckpointOrderError, CheckpointCommitteeError,
  CertificateSignerError, CertificatePowerError, CertificateSignatureError, TrustExpiredError
InvalidEvidenceError (primitives.errors)
  ConflictFormatError, ConflictSlotError, ConflictSignatureError
InvalidProofError (primitives.errors)
  ReceiptProofError, StateProofError
ConfigurationError (primitives.errors)
  GenesisError
HanseError (primitives.errors)
  SupplyError
"""

from typing import ClassVar

from primitives.errors import (
    ConfigurationError,
    HanseError,
    InvalidCheckpointError,
    InvalidEvidenceError,
    InvalidProofError,
    InvalidTransactionError,
)
from primitives.ids import Address, Grain


class EntryError(InvalidTransactionError):
    """A transaction that may not enter: whoever relays it, its sender pays nothing.

    Args:
        actual: what the transaction has.
        limit: what the rule asks for.
    """

    code = "transaction-entry"
    wording: ClassVar[str] = "refused: {actual}, limit {limit}"

    def __init__(self, *, actual: int = 0, limit: int = 0) -> None:
        super().__init__(self.wording.format(actual=actual, limit=limit))
        self.actual = actual
        self.limit = limit


class TransactionSizeError(EntryError):
    """The encoding is longer than the chain takes."""

    code = "transaction-size"
    wording = "{actual} bytes > limit {limit}"


class TransactionFormatError(EntryError):
    """The bytes are no transaction: broken msgpack, a map, a missing field, a wrong length."""

    code = "transaction-format"
    wording = "the bytes are not a transaction"


class TrailingBytesError(EntryError):
    """Something follows the transaction."""

    code = "transaction-trailing-bytes"
    wording = "{actual} bytes, but the value ends after {limit}"


class NotCanonicalError(EntryError):
    """The value has a shorter encoding than this one; two encodings would be two identities."""

    code = "transaction-not-canonical"
    wording = "not the shortest encoding at byte {actual}"


class IntegerRangeError(EntryError):
    """An integer is negative or above 63 bits."""

    code = "transaction-integer-range"
    wording = "the integer {actual} is outside 0 to {limit}"


class UnknownActionError(EntryError):
    """No action has this number."""

    code = "transaction-unknown-action"
    wording = "unknown action {actual}"


class WrongChainError(EntryError):
    """The transaction was signed for another chain."""

    code = "transaction-chain"
    wording = "signed for another chain"


class ExpiredError(EntryError):
    """The chain's time is past `valid_until`."""

    code = "transaction-expired"
    wording = "valid until {actual} ms, the time is {limit} ms"


class ValidityHorizonError(EntryError):
    """The transaction would stay valid for longer than the chain lets it wait."""

    code = "transaction-validity-horizon"
    wording = "valid until {actual} ms, at most {limit} ms"


class GasLimitError(EntryError):
    """The gas limit is above what one transaction may use."""

    code = "transaction-gas-limit"
    wording = "gas limit {actual} > {limit}"


class IntrinsicGasError(EntryError):
    """The gas limit does not even pay for checking and storing the transaction."""

    code = "transaction-gas-intrinsic"
    wording = "gas limit {actual} < intrinsic gas {limit}"


class FeeTooLowError(EntryError):
    """The most that the sender pays per gas is less than the base fee."""

    code = "transaction-fee-too-low"
    wording = "fee per gas of at most {actual} < base fee {limit}"


class TipAboveFeeError(EntryError):
    """The tip alone is more than the sender pays at most."""

    code = "transaction-tip-above-fee"
    wording = "tip per gas {actual} > fee per gas of at most {limit}"


class AmountRangeError(EntryError):
    """A field of the action is zero where something must move, or more than a whole."""

    code = "transaction-amount-range"
    wording = "the amount {actual} is outside what the action takes, limit {limit}"


class ReplayedNonceError(EntryError):
    """The account has already used this nonce."""

    code = "transaction-nonce-replayed"
    wording = "nonce {actual} was used, the next is {limit}"


class NonceGapError(EntryError):
    """An earlier transaction of the account is still missing."""

    code = "transaction-nonce-gap"
    wording = "nonce {actual}, but {limit} is next"


class NonceWindowError(EntryError):
    """The nonce is further ahead than the mempool keeps."""

    code = "transaction-nonce-window"
    wording = "nonce {actual} is ahead of the window, which ends before {limit}"


class UnaffordableError(EntryError):
    """The balance does not cover the gas limit at the greatest fee, and what the action moves."""

    code = "transaction-unaffordable"
    wording = "balance {actual} < greatest cost {limit}"


class SenderKeyError(EntryError):
    """The sender's address is no usable Ed25519 key, so nobody can have signed."""

    code = "transaction-sender-key"
    wording = "the sender is not a usable public key"


class TransactionSignatureError(EntryError):
    """The signature is not the sender's over this transaction."""

    code = "transaction-signature"
    wording = "not signed by the sender"


class InsufficientBalanceError(InvalidTransactionError):
    """An address would have to pay more than it holds."""

    code = "insufficient-balance"

    def __init__(self, *, address: Address, balance: Grain, needed: Grain) -> None:
        super().__init__(f"{address.hex()} holds {balance}, needs {needed}")
        self.address = address
        self.balance = balance
        self.needed = needed


class BalanceLimitError(InvalidTransactionError):
    """A balance would no longer fit 63 bits."""

    code = "balance-limit"

    def __init__(self, *, address: Address, balance: Grain, amount: Grain) -> None:
        super().__init__(f"{address.hex()} holds {balance} and cannot take {amount} more")
        self.address = address
        self.balance = balance
        self.amount = amount


class PossessionError(InvalidTransactionError):
    """The holder of a consensus key did not agree to lend it to this account."""

    code = "key-possession"


class CheckpointFormatError(InvalidCheckpointError):
    """The bytes are not one canonical checkpoint, vote or certificate."""

    code = "checkpoint-format"


class CheckpointChainError(InvalidCheckpointError):
    """It names another chain, or another predecessor than the one that is trusted."""

    code = "checkpoint-chain"


class CheckpointOrderError(InvalidCheckpointError):
    """Its epoch, height, commit index or time does not follow the one before."""

    code = "checkpoint-order"


class CheckpointCommitteeError(InvalidCheckpointError):
    """The committee it names for the next epoch could not rule."""

    code = "checkpoint-committee"


class CertificateSignerError(InvalidCheckpointError):
    """The bitmap names nobody, somebody outside the committee, or has another length."""

    code = "certificate-signers"


class CertificatePowerError(InvalidCheckpointError):
    """The signers hold less than a quorum of the epoch's power."""

    code = "certificate-power"


class CertificateSignatureError(InvalidCheckpointError):
    """One of the signatures is not its signer's."""

    code = "certificate-signature"


class TrustExpiredError(InvalidCheckpointError):
    """What is trusted is so old that its committee may have withdrawn its stake."""

    code = "trust-expired"


class ConflictFormatError(InvalidEvidenceError):
    """The bytes are not two distinct checkpoints in ascending order."""

    code = "conflict-format"


class ConflictSlotError(InvalidEvidenceError):
    """The two checkpoints are not of one chain, epoch and commit index."""

    code = "conflict-slot"


class ConflictSignatureError(InvalidEvidenceError):
    """One of the two signatures is not the named validator's."""

    code = "conflict-signature"


class ReceiptProofError(InvalidProofError):
    """The bytes are not a proof of this receipt, or it leads to another root."""

    code = "receipt-proof"


class StateProofError(InvalidProofError):
    """The bytes are not a proof about the key, or it leads to another root."""

    code = "state-proof"


class GenesisError(ConfigurationError):
    """The genesis file does not describe a chain that could start."""

    code = "genesis"


class SupplyError(HanseError):
    """Money was created or destroyed outside the rules: a bug, and a reason to stop."""

    code = "supply"

    def __init__(self, *, expected: int, actual: int) -> None:
        super().__init__(f"the state holds {actual} grains, the records say {expected}")
        self.expected = expected
        self.actual = actual
