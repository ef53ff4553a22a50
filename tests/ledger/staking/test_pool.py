import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from node.ledger.staking.pool import (
    deposit,
    grains_redeemed,
    grow,
    redeem,
    shares_bought,
    shares_redeemed,
    shrink,
)
from node.ledger.staking.records import Standing, Validator
from node.ledger.wire import INT63_MAX
from primitives.ids import Epoch, Grain
from tests.ledger.staking.town import keys_of, person

AMOUNTS = st.integers(1, 2**50)


def pool_of(tokens: int, shares: int) -> Validator:
    return Validator(
        operator=person("A"),
        keys=keys_of("A"),
        commission_bp=0,
        tokens=Grain(tokens),
        shares=shares,
    )


@pytest.mark.parametrize(
    ("tokens", "shares", "grains", "bought"),
    [
        pytest.param(0, 0, 100, 100, id="the first deposit buys one share a grain"),
        pytest.param(100, 100, 50, 50, id="nothing happened since"),
        pytest.param(150, 100, 30, 20, id="a reward of a half made shares dearer"),
        pytest.param(150, 100, 31, 20, id="the fraction stays in the pool"),
        pytest.param(50, 100, 30, 60, id="a slash of a half made them cheaper"),
        pytest.param(3, 1, 2, 0, id="too little for a share buys nothing"),
    ],
)
def test_deposits_worked_out_by_hand(tokens: int, shares: int, grains: int, bought: int) -> None:
    assert shares_bought(pool_of(tokens, shares), grains) == bought


@pytest.mark.parametrize(
    ("tokens", "shares", "left", "grains"),
    [
        pytest.param(100, 100, 40, 40, id="nothing happened since"),
        pytest.param(150, 100, 40, 60, id="after a reward"),
        pytest.param(50, 100, 25, 12, id="after a slash, rounded down"),
        pytest.param(149, 100, 100, 149, id="all shares take all grains"),
        pytest.param(0, 100, 40, 0, id="nothing is left of it"),
        pytest.param(0, 0, 0, 0, id="an empty pool"),
    ],
)
def test_exits_worked_out_by_hand(tokens: int, shares: int, left: int, grains: int) -> None:
    assert grains_redeemed(pool_of(tokens, shares), left) == grains


@pytest.mark.parametrize(
    ("pool", "why"),
    [
        (pool_of(0, 100), "its owners would share the deposit"),
        (msgspec.structs.replace(pool_of(100, 100), standing=Standing.TOMBSTONED), "tombstoned"),
        (msgspec.structs.replace(pool_of(0, 0), closed_epoch=Epoch(3)), "closed"),
        (pool_of(1, INT63_MAX - 5), "the shares would not fit"),
    ],
)
def test_a_pool_takes_no_deposit_if(pool: Validator, why: str) -> None:
    assert shares_bought(pool, 100) == 0, why


def test_a_jailed_pool_takes_deposits() -> None:
    jailed = msgspec.structs.replace(pool_of(100, 100), standing=Standing.JAILED)
    assert shares_bought(jailed, 100) == 100


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_who_comes_and_goes_gains_nothing(tokens: int, shares: int, grains: int) -> None:
    pool = pool_of(tokens, shares)
    bought = shares_bought(pool, grains)
    assume(bought)
    after = deposit(pool, grains=grains, shares=bought)
    assert grains_redeemed(after, bought) <= grains


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_a_deposit_never_lowers_the_worth_of_a_share(tokens: int, shares: int, grains: int) -> None:
    pool = pool_of(tokens, shares)
    after = deposit(pool, grains=grains, shares=shares_bought(pool, grains))
    assert after.tokens * pool.shares >= pool.tokens * after.shares


@given(AMOUNTS, AMOUNTS, st.data())
def test_an_exit_never_lowers_the_worth_of_a_share(
    tokens: int, shares: int, data: st.DataObject
) -> None:
    pool = pool_of(tokens, shares)
    left = data.draw(st.integers(0, shares))
    after = redeem(pool, grains=grains_redeemed(pool, left), shares=left)
    assert after.tokens * pool.shares >= pool.tokens * after.shares
    assert (after.shares == 0) == (left == shares)
    assert after.tokens == 0 or after.shares > 0


@given(AMOUNTS, AMOUNTS, st.data())
def test_the_shares_for_an_amount_are_the_least_that_are_worth_it(
    tokens: int, shares: int, data: st.DataObject
) -> None:
    pool = pool_of(tokens, shares)
    grains = data.draw(st.integers(1, tokens))
    needed = shares_redeemed(pool, grains)
    assert needed <= shares
    assert grains_redeemed(pool, needed) >= grains
    assert grains_redeemed(pool, needed - 1) < grains


def test_rewards_and_slashes_leave_the_shares_alone() -> None:
    pool = pool_of(100, 70)
    assert shrink(grow(pool, 25), 50) == pool_of(75, 70)
