import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ledger.account import Account, SystemAccount, balance_of, read_account, write_account
from node.ledger.errors import UnaffordableError
from node.ledger.fees import (
    FeePaid,
    GasPrice,
    collect_tips,
    next_fee,
    prepay,
    price_of,
    settle,
)
from node.ledger.overlay import Overlay
from node.ledger.parameters import FeeParameters
from node.ledger.transaction import Transaction
from node.ledger.wire import INT63_MAX
from primitives.ids import Gas, Grain
from tests.ledger.builders import address_of, fresh_overlay, transaction

FEES = FeeParameters(
    fee_initial=Grain(1_000), fee_min=Grain(100), gas_target=Gas(1_000), change_denominator=8
)
ANNA = address_of(1)
POT = SystemAccount.EPOCH_POT.address
AMOUNTS = st.integers(0, 10**6)


def prepay_limit(overlay: Overlay, made: Transaction, price: GasPrice) -> None:
    account = read_account(overlay, made.sender)
    prepay(overlay, made, account=account, gas=made.gas_limit, price=price)


@pytest.mark.parametrize(
    ("base_fee", "gas_used", "expected"),
    [
        pytest.param(800, 1_000, 800, id="at the target it stays"),
        pytest.param(800, 2_000, 900, id="twice the target raises it by an eighth"),
        pytest.param(800, 9_999, 900, id="more than twice raises it no further"),
        pytest.param(800, 1_500, 850, id="half above raises it by a sixteenth"),
        pytest.param(800, 0, 700, id="an empty commit lowers it by an eighth"),
        pytest.param(800, 500, 750, id="half the target lowers it by a sixteenth"),
        pytest.param(104, 1_001, 105, id="a little above raises it by one at least"),
        pytest.param(104, 999, 103, id="a little below lowers it by one at least"),
        pytest.param(104, 0, 100, id="it does not fall below the minimum"),
        pytest.param(INT63_MAX, 2_000, INT63_MAX, id="it does not rise beyond 63 bits"),
    ],
)
def test_the_base_fee_follows_the_load(base_fee: int, gas_used: int, expected: int) -> None:
    assert next_fee(Grain(base_fee), gas_used=Gas(gas_used), parameters=FEES) == expected


@settings(max_examples=100, deadline=None)
@given(st.integers(100, INT63_MAX), st.integers(0, 3_000), st.integers(0, 3_000))
def test_more_load_never_means_a_lower_base_fee(base_fee: int, one: int, other: int) -> None:
    low, high = (
        next_fee(Grain(base_fee), gas_used=Gas(gas), parameters=FEES)
        for gas in sorted((one, other))
    )
    assert FEES.fee_min <= low <= high <= INT63_MAX


@pytest.mark.parametrize(
    ("fee_max", "tip", "expected"),
    [
        pytest.param(2_000, 10, 10, id="the whole tip"),
        pytest.param(1_004, 10, 4, id="what the base fee leaves"),
        pytest.param(1_000, 10, 0, id="nothing"),
    ],
)
def test_the_tip_is_what_the_base_fee_leaves_of_it(fee_max: int, tip: int, expected: int) -> None:
    made = transaction(fee_per_gas_max=Grain(fee_max), tip_per_gas=Grain(tip))
    price = price_of(made, base_fee=Grain(1_000))
    assert price == GasPrice(Grain(1_000), Grain(expected))
    assert price.per_gas <= fee_max


def test_prepaying_takes_the_whole_limit_and_counts_the_nonce() -> None:
    overlay = fresh_overlay()
    write_account(overlay, ANNA, Account(nonce=0, balance=Grain(1_010 * 1_000_000 + 7)))
    made = transaction()
    prepay_limit(overlay, made, price_of(made, base_fee=Grain(1_000)))
    assert read_account(overlay, ANNA) == Account(nonce=1, balance=Grain(7))


def test_prepaying_more_than_there_is_writes_nothing() -> None:
    overlay = fresh_overlay()
    write_account(overlay, ANNA, Account(balance=Grain(5)))
    mark = overlay.mark()
    made = transaction()
    with pytest.raises(UnaffordableError):
        prepay_limit(overlay, made, price_of(made, base_fee=Grain(1_000)))
    assert overlay.mark() == mark


def test_a_transaction_that_uses_all_its_gas_gets_nothing_back() -> None:
    overlay = fresh_overlay()
    paid = settle(
        overlay,
        transaction(gas_limit=Gas(50)),
        price=GasPrice(Grain(3), Grain(2)),
        gas_used=Gas(50),
    )
    assert paid == FeePaid(burned=Grain(150), tip=Grain(100))
    assert paid.total == 250
    assert not overlay.changes()


@settings(max_examples=100, deadline=None)
@given(burned=AMOUNTS, tip=AMOUNTS, limit=AMOUNTS, data=st.data())
def test_a_fee_is_refunded_burned_or_in_the_pot_to_the_last_grain(
    burned: int, tip: int, limit: int, data: st.DataObject
) -> None:
    used = Gas(data.draw(st.integers(0, limit)))
    overlay = fresh_overlay()
    before = Grain(limit * (burned + tip) + 5)
    write_account(overlay, ANNA, Account(balance=before))
    made, price = transaction(gas_limit=Gas(limit)), GasPrice(Grain(burned), Grain(tip))
    prepay_limit(overlay, made, price)
    paid = settle(overlay, made, price=price, gas_used=used)
    collect_tips(overlay, paid.tip)
    assert balance_of(overlay, ANNA) + balance_of(overlay, POT) + paid.burned == before
    assert balance_of(overlay, POT) == paid.tip == used * tip
