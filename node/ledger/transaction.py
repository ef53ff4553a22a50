"""Transactions: what an account asks of the chain, signed, with one encoding and so one identity.

The identity is the digest that the signature covers, so it depends on what is asked and not on the
signature: the sender could make many valid signatures of one transaction.

Every integer is between 0 and 2**63 - 1 and every byte string has a greatest length, so decoding
costs in proportion to the input. Action numbers are never used twice; new ones come at the end.
"""

import enum
from typing import Annotated, Final, TypeAlias

import msgspec

from node.ledger.wire import (
    AddressField,
    AmountField,
    ChainIdField,
    Counter,
    GasField,
    KeyField,
    SignatureField,
    TimeField,
)
from primitives.codec import Codec
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Digest, Grain
from primitives.keys import PrivateKey

TRANSACTION_BYTES_MAX: Final = 65_536
CODE_BYTES_MAX: Final = 32_768
ARGUMENTS_BYTES_MAX: Final = 61_440
EVIDENCE_BYTES_MAX: Final = 61_440
METHOD_LENGTH_MAX: Final = 64
_PAIR_SIZE_BYTES: Final = 1
_SIGNATURE_SIZE_BYTES: Final = 66
"""Around the transaction on the wire: the head of a pair, and 64 bytes with their own head."""

COMMISSION_WHOLE: Final = 10_000
"""Commission is in parts of ten thousand."""

CodeBytes = Annotated[bytes, msgspec.Meta(max_length=CODE_BYTES_MAX)]
ArgumentBytes = Annotated[bytes, msgspec.Meta(max_length=ARGUMENTS_BYTES_MAX)]
EvidenceBytes = Annotated[bytes, msgspec.Meta(max_length=EVIDENCE_BYTES_MAX)]
MethodName = Annotated[str, msgspec.Meta(max_length=METHOD_LENGTH_MAX)]


class Transfer(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False, tag=0
):
    """Give money to an address."""

    recipient: AddressField
    amount: AmountField


class Deploy(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """Put a contract on the chain and run its `init` with the arguments."""

    code: CodeBytes
    arguments: ArgumentBytes
    value: AmountField


class Call(
    msgspec.Struct,
    frozen=True,
    array_like=True,
    forbid_unknown_fields=True,
    kw_only=True,
    gc=False,
    tag=2,
):
    """Run a method of a contract and send it money."""

    contract: AddressField
    method: MethodName
    arguments: ArgumentBytes
    value: AmountField


class Bond(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True, tag=3
):
    """Register the sender as a validator with a first stake of its own.

    Args:
        possession: see `node.ledger.possession`; without it anybody could claim another's key.
        commission_bp: what the validator keeps of its delegators' rewards, in ten thousandths.
    """

    consensus_key: KeyField
    node_key: KeyField
    possession: SignatureField
    commission_bp: Counter
    amount: AmountField


class Unbond(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=4):
    """Take back part of the validator's own stake after the unbonding period."""

    amount: AmountField


class Delegate(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=5):
    """Add to the stake of a validator; the validator itself adds to its own stake so."""

    validator: AddressField
    amount: AmountField


class Undelegate(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=6):
    """Take back part of a delegation after the unbonding period."""

    validator: AddressField
    amount: AmountField


class Redelegate(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True, tag=7
):
    """Move part of a delegation to another validator; it stays slashable for the first."""

    source: AddressField
    destination: AddressField
    amount: AmountField


class Unjail(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=8):
    """Ask to be a candidate again after a sentence for downtime."""


class RotateKeys(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=9):
    """Give the sender's validator other keys from the next epoch on."""

    consensus_key: KeyField
    node_key: KeyField
    possession: SignatureField


@enum.unique
class EvidenceKind(enum.IntEnum):
    """What a piece of evidence proves, and so which room reads its bytes."""

    EQUIVOCATION = 1
    """Two signed blocks of one slot; bytes that the consensus room judges."""

    CONFLICTING_CHECKPOINTS = 2
    """Two signed checkpoints of one slot; bytes of `node.ledger.conflict`."""


class Evidence(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=10):
    """Prove that a validator broke a rule for which it loses stake."""

    kind: EvidenceKind
    proof: EvidenceBytes


class Withdraw(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=11):
    """Collect what has finished unbonding at a validator."""

    validator: AddressField


Action: TypeAlias = (
    Transfer
    | Deploy
    | Call
    | Bond
    | Unbond
    | Delegate
    | Undelegate
    | Redelegate
    | Unjail
    | RotateKeys
    | Evidence
    | Withdraw
)
ACTION_COUNT: Final = 12


class Transaction(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True, gc=False
):
    """What the sender signs.

    Args:
        sender: its Ed25519 public key.
        nonce: how many transactions of the sender came before.
        fee_per_gas_max: the most that the sender pays for a gas, base fee and tip together.
        tip_per_gas: what the validators get of that, as far as the base fee leaves it.
        valid_until: the last commit time, in Unix milliseconds, at which it may execute.
    """

    chain_id: ChainIdField
    sender: AddressField
    nonce: Counter
    gas_limit: GasField
    fee_per_gas_max: AmountField
    tip_per_gas: AmountField
    valid_until: TimeField
    action: Action


class SignedTransaction(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False
):
    """A transaction as it travels."""

    transaction: Transaction
    signature: SignatureField


TRANSACTION_CODEC: Codec[Transaction] = Codec(Transaction, size_bytes_max=TRANSACTION_BYTES_MAX)
SIGNED_TRANSACTION_CODEC: Codec[SignedTransaction] = Codec(
    SignedTransaction, size_bytes_max=TRANSACTION_BYTES_MAX
)


def transaction_id(transaction: Transaction) -> Digest:
    """Return the name of the transaction, which is also the digest that its sender signs."""
    return tagged_hash(Domain.TRANSACTION, TRANSACTION_CODEC.encode(transaction))


def encoded_transaction_id(raw: bytes) -> Digest:
    """Return the id of the transaction that bytes hold, which were decoded without an error.

    They have one encoding, so what was signed stands in them as it was hashed.
    """
    return tagged_hash(Domain.TRANSACTION, raw[_PAIR_SIZE_BYTES:-_SIGNATURE_SIZE_BYTES])


def sign_transaction(transaction: Transaction, key: PrivateKey) -> SignedTransaction:
    """Return the transaction with the signature of the key, which should be the sender's."""
    message = TRANSACTION_CODEC.encode(transaction)
    return SignedTransaction(transaction, key.sign(Domain.TRANSACTION, message))


def value_moved(action: Action) -> Grain:
    """Return what the action takes from the sender's balance, besides the fee."""
    match action:
        case Transfer(amount=amount) | Bond(amount=amount) | Delegate(amount=amount):
            return amount
        case Deploy(value=value) | Call(value=value):
            return value
        case _:
            return Grain(0)
