"""The entry rules: which transactions may enter a mempool or a block, and execute.

Pure, and one place: the RPC, the mempool and the executor ask the same function, so a sender sees
the same code from all three. Cheap rules come first; the signature, which costs as much as all
others together, is a step of its own, since it is checked once and remembered by the shell.

A transaction that breaks a rule when it executes is refused and pays nothing: it need not be from
its sender at all, and an expired or replayed one could be sent again by anybody.
"""

import enum
from dataclasses import dataclass
from typing import Final, assert_never

from node.ledger.account import Account
from node.ledger.errors import (
    AmountRangeError,
    ExpiredError,
    FeeTooLowError,
    GasLimitError,
    IntrinsicGasError,
    NonceGapError,
    NonceWindowError,
    ReplayedNonceError,
    SenderKeyError,
    TipAboveFeeError,
    TransactionSignatureError,
    TransactionSizeError,
    UnaffordableError,
    ValidityHorizonError,
    WrongChainError,
)
from node.ledger.parameters import EVIDENCE_GAS, LimitParameters
from node.ledger.transaction import (
    COMMISSION_WHOLE,
    SIGNED_TRANSACTION_CODEC,
    TRANSACTION_CODEC,
    Action,
    Bond,
    Call,
    Delegate,
    Deploy,
    Evidence,
    Redelegate,
    RotateKeys,
    SignedTransaction,
    Transaction,
    Transfer,
    Unbond,
    Undelegate,
    Unjail,
    Withdraw,
    value_moved,
)
from node.ledger.wire_fault import transaction_fault
from primitives.errors import BadSignatureError, InvalidKeyError, MalformedBytesError
from primitives.hashing import Domain
from primitives.ids import ChainId, Gas, Grain, TimestampMs
from primitives.keys import PublicKey

NONCE_WINDOW: Final = 64
"""How many transactions of one sender a mempool keeps."""

# A gas is about 20 ns. One signature check is 3,000, decoding, nonce and fees 1,000, and the two
# accounts that every transaction changes 1,000 each in the tree and on the disk.
TRANSACTION_GAS: Final = 6_000
BYTE_GAS: Final = 16
TRANSFER_GAS: Final = 0
CALL_GAS: Final = 1_000
DEPLOY_GAS: Final = 20_000
# Verifying a module takes up to 6 us for a byte of it.
DEPLOY_BYTE_GAS: Final = 400
STAKING_GAS: Final = 20_000
POSSESSION_GAS: Final = 6_000


class NonceRule(enum.Enum):
    """Which nonces may enter."""

    NEXT = "next"
    """Only the next one: the transaction executes now."""

    WINDOW = "window"
    """The next and some after it: the transaction waits in a mempool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryContext:
    """What the entry rules compare a transaction with.

    Args:
        now_ms: the time of the commit, or of the last commit for one that waits.
        base_fee: of the commit, or of the next commit for one that waits.
    """

    chain_id: ChainId
    now_ms: TimestampMs
    base_fee: Grain
    limits: LimitParameters
    nonce_rule: NonceRule


def read_transaction(raw: bytes, *, limits: LimitParameters) -> SignedTransaction:
    """Decode a transaction from outside.

    Raises:
        EntryError: too long, or not the one encoding of a transaction; the class says which.
    """
    if len(raw) > limits.transaction_bytes_max:
        raise TransactionSizeError(actual=len(raw), limit=limits.transaction_bytes_max)
    try:
        return SIGNED_TRANSACTION_CODEC.decode(raw)
    except MalformedBytesError as error:
        raise transaction_fault(raw) from error


def check_entry(
    transaction: Transaction, *, size_bytes: int, account: Account, context: EntryContext
) -> Gas:
    """Check every entry rule but the signature; return the intrinsic gas.

    The size is that of the signed transaction, the account that of the sender.

    Raises:
        EntryError: the class names the first rule that is broken.
    """
    if transaction.chain_id != context.chain_id:
        raise WrongChainError
    _check_time(transaction, context)
    intrinsic = _check_gas(transaction, size_bytes, context)
    _check_action(transaction.action)
    _check_nonce(transaction.nonce, next_nonce=account.nonce, rule=context.nonce_rule)
    cost = greatest_cost(transaction)
    if account.balance < cost:
        raise UnaffordableError(actual=account.balance, limit=cost)
    return intrinsic


def check_signature(signed: SignedTransaction, *, account: Account) -> None:
    """Check that the sender signed.

    Whether an address is a usable key costs as much as a signature, so an account that has sent a
    transaction before is not asked again.

    Raises:
        SenderKeyError: nobody can sign for this address.
        TransactionSignatureError: the signature is not the sender's.
    """
    transaction = signed.transaction
    key = PublicKey(transaction.sender)
    if account.nonce == 0:
        try:
            key = PublicKey.from_raw(transaction.sender)
        except InvalidKeyError as error:
            raise SenderKeyError from error
    message = TRANSACTION_CODEC.encode(transaction)
    try:
        key.verify(Domain.TRANSACTION, message, signed.signature)
    except BadSignatureError as error:
        raise TransactionSignatureError from error


def greatest_cost(transaction: Transaction) -> int:
    """Return the most that the transaction can take from its sender; it may exceed 63 bits."""
    return transaction.gas_limit * transaction.fee_per_gas_max + value_moved(transaction.action)


def intrinsic_gas(action: Action, *, size_bytes: int) -> Gas:
    """Return the gas of a transaction before its action does anything.

    The size is that of the signed transaction, since every validator stores and forwards it.
    """
    return Gas(TRANSACTION_GAS + BYTE_GAS * size_bytes + _action_gas(action))


def _action_gas(action: Action) -> int:
    match action:
        case Transfer():
            return TRANSFER_GAS
        case Call():
            return CALL_GAS
        case Deploy(code=code):
            return DEPLOY_GAS + DEPLOY_BYTE_GAS * len(code)
        case Bond() | RotateKeys():
            return STAKING_GAS + POSSESSION_GAS
        case Unbond() | Delegate() | Undelegate() | Redelegate() | Unjail() | Withdraw():
            return STAKING_GAS
        case Evidence():
            return EVIDENCE_GAS
        case _:
            assert_never(action)


def _check_time(transaction: Transaction, context: EntryContext) -> None:
    if transaction.valid_until < context.now_ms:
        raise ExpiredError(actual=transaction.valid_until, limit=context.now_ms)
    horizon_ms = context.now_ms + context.limits.validity_max_ms
    if transaction.valid_until > horizon_ms:
        raise ValidityHorizonError(actual=transaction.valid_until, limit=horizon_ms)


def _check_gas(transaction: Transaction, size_bytes: int, context: EntryContext) -> Gas:
    gas_limit, gas_max = transaction.gas_limit, context.limits.transaction_gas_max
    if gas_limit > gas_max:
        raise GasLimitError(actual=gas_limit, limit=gas_max)
    gas_min = intrinsic_gas(transaction.action, size_bytes=size_bytes)
    if gas_limit < gas_min:
        raise IntrinsicGasError(actual=gas_limit, limit=gas_min)
    if transaction.fee_per_gas_max < context.base_fee:
        raise FeeTooLowError(actual=transaction.fee_per_gas_max, limit=context.base_fee)
    if transaction.tip_per_gas > transaction.fee_per_gas_max:
        raise TipAboveFeeError(actual=transaction.tip_per_gas, limit=transaction.fee_per_gas_max)
    return gas_min


def _check_action(action: Action) -> None:
    match action:
        case Transfer(amount=amount) | Delegate(amount=amount) if amount:
            return
        case Call() | Deploy() | Unjail() | RotateKeys() | Evidence() | Withdraw():
            return
        case Bond(commission_bp=share) if share > COMMISSION_WHOLE:
            raise AmountRangeError(actual=share, limit=COMMISSION_WHOLE)
        case _ if action.amount == 0:
            raise AmountRangeError(actual=0, limit=1)
        case _:
            return


def _check_nonce(nonce: int, *, next_nonce: int, rule: NonceRule) -> None:
    if nonce == next_nonce:
        return
    if nonce < next_nonce:
        raise ReplayedNonceError(actual=nonce, limit=next_nonce)
    if rule is NonceRule.NEXT:
        raise NonceGapError(actual=nonce, limit=next_nonce)
    if nonce >= next_nonce + NONCE_WINDOW:
        raise NonceWindowError(actual=nonce, limit=next_nonce + NONCE_WINDOW)
