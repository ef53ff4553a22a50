import pytest

from node.ledger.errors import ReceiptProofError
from node.ledger.receipt import (
    RECEIPT_CODEC,
    RECEIPT_PROOF_CODEC,
    ReceiptProof,
    prove_receipt,
    receipts_root,
    verify_receipt,
)
from primitives.hashing import Domain
from primitives.merkle import merkle_root
from tests.ledger.builders import receipts

ROOT = receipts_root(receipts())


def proof_bytes(index: int) -> bytes:
    return RECEIPT_PROOF_CODEC.encode(prove_receipt(receipts(), index))


def test_the_root_is_over_the_encodings_under_domains_of_its_own() -> None:
    leaves = [RECEIPT_CODEC.encode(receipt) for receipt in receipts()]
    assert merkle_root(leaves, leaf=Domain.RECEIPT_LEAF, node=Domain.RECEIPT_NODE) == ROOT
    assert merkle_root(leaves) != ROOT


def test_a_commit_without_transactions_has_a_root() -> None:
    assert receipts_root(()) != ROOT


def test_the_order_of_execution_is_part_of_the_root() -> None:
    assert receipts_root(receipts()[::-1]) != ROOT


@pytest.mark.parametrize("index", range(3))
def test_every_receipt_has_a_proof(index: int) -> None:
    assert verify_receipt(proof_bytes(index), root=ROOT) == receipts()[index]


def test_a_receipt_at_the_place_of_another_is_refused() -> None:
    forged = ReceiptProof(receipts()[1], prove_receipt(receipts(), 0).path)
    with pytest.raises(ReceiptProofError):
        verify_receipt(RECEIPT_PROOF_CODEC.encode(forged), root=ROOT)


def test_there_is_no_proof_of_a_receipt_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        prove_receipt(receipts(), 3)


def test_a_change_of_any_byte_of_a_proof_is_refused() -> None:
    raw = proof_bytes(1)
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(ReceiptProofError):
            verify_receipt(changed, root=ROOT)
