"""Signatures are remembered with their transaction, and never a bad one beside it."""

import pytest

from node.ledger.account import Account
from node.ledger.errors import SenderKeyError, TransactionSignatureError
from node.ledger.transaction import SignedTransaction, transaction_id
from node.signatures.verified import VerifiedSignatures
from primitives.ids import Address
from tests.mempool.purse import Purse

ACCOUNT = Account()


def test_signature_is_checked_once() -> None:
    verified = VerifiedSignatures()
    signed = Purse(1).transfer()
    verified.check(signed, ACCOUNT)
    verified.check(signed, ACCOUNT)
    assert (verified.hits, verified.misses) == (1, 1)


def test_signature_that_others_checked_is_believed() -> None:
    verified = VerifiedSignatures()
    signed = Purse(1).transfer()
    verified.remember(transaction_id(signed.transaction), signed.signature)
    verified.check(signed, ACCOUNT)
    assert (verified.hits, verified.misses) == (1, 0)


def test_bad_signature_beside_a_good_one_is_refused() -> None:
    verified = VerifiedSignatures()
    signed = Purse(1).transfer()
    verified.check(signed, ACCOUNT)
    for _ in range(2):
        with pytest.raises(TransactionSignatureError):
            verified.check(SignedTransaction(signed.transaction, bytes(64)), ACCOUNT)
    verified.check(signed, ACCOUNT)


def test_sender_that_is_no_key_is_refused() -> None:
    signed = Purse(1).transfer(sender=Address(bytes(32)))
    with pytest.raises(SenderKeyError):
        VerifiedSignatures().check(signed, ACCOUNT)


def test_oldest_is_forgotten_first_and_what_is_seen_again_is_new() -> None:
    verified = VerifiedSignatures(count_max=2)
    one, two, three = [Purse(number).transfer() for number in (1, 2, 3)]
    for signed in (one, two, one, three):
        verified.remember(transaction_id(signed.transaction), signed.signature)
    known = [
        verified.knows(transaction_id(signed.transaction), signed.signature)
        for signed in (one, two, three)
    ]
    assert known == [True, False, True]
    assert len(verified) == 2
