"""Receipts: what became of each transaction of a commit, under one Merkle root per commit.

A refused transaction has a receipt too, with the code of the rule that it broke, so that a sender
never has to guess. Everything in a receipt is agreed; nothing in it is local.
"""

import enum
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from node.ledger.errors import ReceiptProofError
from node.ledger.wire import AddressField, AmountField, DigestField, GasField
from primitives.codec import Codec
from primitives.errors import InvalidProofError, MalformedBytesError
from primitives.hashing import Domain
from primitives.ids import Digest, Gas, Grain
from primitives.merkle import MerkleProof, merkle_root, prove, verify_proof

EVENTS_MAX: Final = 1_024
EVENT_BYTES_MAX: Final = 65_536
RESULT_BYTES_MAX: Final = 65_536
CODE_LENGTH_MAX: Final = 64
TRAP_LENGTH_MAX: Final = 512
RECEIPT_BYTES_MAX: Final = 4_194_304
RECEIPT_PROOF_BYTES_MAX: Final = RECEIPT_BYTES_MAX + 4_096


@enum.unique
class ReceiptStatus(enum.IntEnum):
    """How far a transaction got."""

    DONE = 0
    """It executed; all it did stands."""

    FAILED = 1
    """It entered and failed: only the fee and the nonce stand."""

    REFUSED = 2
    """It broke an entry rule: nothing changed."""


class Event(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """What a contract told the world.

    Args:
        fields: as the module of the contract encodes them.
    """

    contract: AddressField
    name: Annotated[str, msgspec.Meta(max_length=CODE_LENGTH_MAX)]
    fields: Annotated[bytes, msgspec.Meta(max_length=EVENT_BYTES_MAX)]


class Receipt(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True, gc=False
):
    """The outcome of one transaction.

    Args:
        transaction_id: of what was executed. What was refused need not be from its sender, so it
            has the digest of its bytes under `Domain.REFUSED_ITEM` instead, and a call that a
            contract scheduled one under `Domain.SCHEDULED_CALL`: neither is the id of a
            transaction.
        code: of the error that refused it or made it fail; empty if it is done.
        fee: burned part and tip together.
        created: the address of the contract that a `Deploy` made.
        trap: what a contract said when it stopped.
    """

    transaction_id: DigestField
    status: ReceiptStatus
    code: Annotated[str, msgspec.Meta(max_length=CODE_LENGTH_MAX)] = ""
    gas_used: GasField = Gas(0)
    fee: AmountField = Grain(0)
    events: Annotated[tuple[Event, ...], msgspec.Meta(max_length=EVENTS_MAX)] = ()
    result: Annotated[bytes, msgspec.Meta(max_length=RESULT_BYTES_MAX)] = b""
    created: AddressField | None = None
    trap: Annotated[str, msgspec.Meta(max_length=TRAP_LENGTH_MAX)] = ""


class ReceiptProof(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A receipt, and the way from it to the root of its commit."""

    receipt: Receipt
    path: MerkleProof


RECEIPT_CODEC: Codec[Receipt] = Codec(Receipt, size_bytes_max=RECEIPT_BYTES_MAX)
RECEIPT_PROOF_CODEC: Codec[ReceiptProof] = Codec(
    ReceiptProof, size_bytes_max=RECEIPT_PROOF_BYTES_MAX
)


def receipts_root(receipts: Sequence[Receipt]) -> Digest:
    """Return the root over the receipts of a commit, in the order of execution."""
    return encoded_receipts_root([RECEIPT_CODEC.encode(receipt) for receipt in receipts])


def encoded_receipts_root(receipts: Sequence[bytes]) -> Digest:
    """Return `receipts_root` of receipts that are encoded already."""
    return merkle_root(receipts, leaf=Domain.RECEIPT_LEAF, node=Domain.RECEIPT_NODE)


def prove_receipt(receipts: Sequence[Receipt], index: int) -> ReceiptProof:
    """Return the proof of one receipt of a commit.

    Raises:
        IndexError: there is no such receipt.
    """
    leaves = [RECEIPT_CODEC.encode(receipt) for receipt in receipts]
    path = prove(leaves, index, leaf=Domain.RECEIPT_LEAF, node=Domain.RECEIPT_NODE)
    return ReceiptProof(receipts[index], path)


def verify_receipt(raw: bytes, *, root: Digest) -> Receipt:
    """Return the receipt that the bytes prove to be under the root.

    Raises:
        ReceiptProofError: they are not a proof, or it leads elsewhere.
    """
    try:
        proof = RECEIPT_PROOF_CODEC.decode(raw)
        content = RECEIPT_CODEC.encode(proof.receipt)
        verify_proof(root, content, proof.path, leaf=Domain.RECEIPT_LEAF, node=Domain.RECEIPT_NODE)
    except (MalformedBytesError, InvalidProofError) as error:
        raise ReceiptProofError(f"the receipt is not proven: {error}") from error
    return proof.receipt
