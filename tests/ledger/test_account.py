import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ledger.account import (
    EMPTY_ACCOUNT,
    Account,
    SystemAccount,
    account_key,
    advance_nonce,
    balance_of,
    credit,
    debit,
    read_account,
    transfer,
    write_account,
)
from node.ledger.errors import BalanceLimitError, InsufficientBalanceError
from node.ledger.wire import INT63_MAX
from primitives.ids import Address, Grain
from tests.ledger.builders import fresh_overlay

ANNA, BEN, CARL = (Address(bytes([number]) * 32) for number in range(3))


def test_an_address_nobody_used_is_empty() -> None:
    assert read_account(fresh_overlay(), ANNA) == EMPTY_ACCOUNT


def test_an_account_is_read_as_it_was_written() -> None:
    overlay = fresh_overlay()
    write_account(overlay, ANNA, Account(nonce=3, balance=Grain(7)))
    assert read_account(overlay, ANNA) == Account(nonce=3, balance=Grain(7))


def test_an_emptied_account_leaves_no_trace() -> None:
    overlay = fresh_overlay()
    credit(overlay, ANNA, Grain(5))
    debit(overlay, ANNA, Grain(5))
    assert overlay.get(account_key(ANNA)) is None
    assert not overlay.changes()


def test_an_account_that_sent_something_stays_when_it_is_empty() -> None:
    # Forgetting its nonce would let its old transactions in again.
    overlay = fresh_overlay()
    credit(overlay, ANNA, Grain(5))
    advance_nonce(overlay, ANNA)
    debit(overlay, ANNA, Grain(5))
    assert read_account(overlay, ANNA) == Account(nonce=1)


def test_a_transfer_moves_exactly_the_amount() -> None:
    overlay = fresh_overlay()
    credit(overlay, ANNA, Grain(10))
    transfer(overlay, sender=ANNA, recipient=BEN, amount=Grain(4))
    assert (balance_of(overlay, ANNA), balance_of(overlay, BEN)) == (6, 4)


def test_a_transfer_to_oneself_changes_nothing() -> None:
    overlay = fresh_overlay()
    credit(overlay, ANNA, Grain(10))
    mark = overlay.mark()
    transfer(overlay, sender=ANNA, recipient=ANNA, amount=Grain(10))
    assert balance_of(overlay, ANNA) == 10
    assert overlay.mark() == mark


def test_a_transfer_of_nothing_writes_nothing() -> None:
    overlay = fresh_overlay()
    transfer(overlay, sender=ANNA, recipient=BEN, amount=Grain(0))
    assert not overlay.changes()


@pytest.mark.parametrize("recipient", [ANNA, BEN])
def test_a_transfer_beyond_the_balance_writes_nothing(recipient: Address) -> None:
    overlay = fresh_overlay()
    credit(overlay, ANNA, Grain(10))
    mark = overlay.mark()
    with pytest.raises(InsufficientBalanceError) as caught:
        transfer(overlay, sender=ANNA, recipient=recipient, amount=Grain(11))
    assert (caught.value.address, caught.value.balance, caught.value.needed) == (ANNA, 10, 11)
    assert overlay.mark() == mark


def test_a_transfer_beyond_63_bits_writes_nothing() -> None:
    overlay = fresh_overlay()
    credit(overlay, ANNA, Grain(1))
    credit(overlay, BEN, Grain(INT63_MAX))
    mark = overlay.mark()
    with pytest.raises(BalanceLimitError) as caught:
        transfer(overlay, sender=ANNA, recipient=BEN, amount=Grain(1))
    assert (caught.value.address, caught.value.balance) == (BEN, INT63_MAX)
    assert caught.value.amount == 1
    assert overlay.mark() == mark


def test_a_debit_beyond_the_balance_writes_nothing() -> None:
    overlay = fresh_overlay()
    credit(overlay, ANNA, Grain(1))
    mark = overlay.mark()
    with pytest.raises(InsufficientBalanceError):
        debit(overlay, ANNA, Grain(2))
    assert overlay.mark() == mark


def test_system_accounts_have_addresses_of_their_own() -> None:
    addresses = {account.address for account in SystemAccount}
    assert len(addresses) == len(SystemAccount)
    assert all(len(address) == 32 for address in addresses)


PEOPLE = st.sampled_from([ANNA, BEN, CARL])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(PEOPLE, PEOPLE, st.integers(0, 60)), max_size=20))
def test_transfers_conserve_money(moves: list[tuple[Address, Address, int]]) -> None:
    overlay = fresh_overlay()
    for person in (ANNA, BEN, CARL):
        credit(overlay, person, Grain(50))
    for sender, recipient, amount in moves:
        with contextlib.suppress(InsufficientBalanceError):
            transfer(overlay, sender=sender, recipient=recipient, amount=Grain(amount))
    assert sum(balance_of(overlay, person) for person in (ANNA, BEN, CARL)) == 150
