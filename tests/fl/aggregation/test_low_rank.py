"""Averages of low-rank factors: exact when one factor is shared or stacked, wrong otherwise."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.aggregation.stack import COLUMNS_MAX, RANK_MAX, Factors, reproject, stack
from fl.rules.limits import ONE
from fl.rules.select import apportion
from fl.rules.update.rows import COORDINATE_MAX
from primitives.errors import LocalProtocolError

ROWS, COLUMNS, RANK, COUNT = 48, 64, 8, 8
SCALE = 2**24
WEIGHTS = apportion(ONE, [3, 1, 4, 1, 5, 9, 2, 6])

Real = npt.NDArray[np.float64]


def quantised(real: Real) -> npt.NDArray[np.int32]:
    return np.rint(real * SCALE).astype(np.int32)


def real(matrix: npt.NDArray[np.signedinteger]) -> Real:
    return matrix.astype(np.float64) / SCALE


def independent(seed: int = 1) -> list[Factors]:
    """Return factors of trainers that started apart."""
    dice = np.random.default_rng(seed)
    return [
        Factors(
            down=quantised(dice.normal(0, 0.1, (RANK, COLUMNS))),
            up=quantised(dice.normal(0, 0.1, (ROWS, RANK))),
        )
        for _ in range(COUNT)
    ]


def sharing_down(seed: int = 2) -> list[Factors]:
    """Return factors that differ in B alone, as in every round of ALT."""
    down = independent(seed)[0].down
    return [Factors(down=down, up=one.up) for one in independent(seed)]


def exact(updates: list[Factors]) -> Real:
    """Return the weighted mean of the products, in real numbers of 64 bits."""
    products = [real(one.up) @ real(one.down) for one in updates]
    return np.average(products, axis=0, weights=WEIGHTS)


def apart(updates: list[Factors]) -> Real:
    """Average A and B each by itself, as FedIT does."""
    down = aggregate([one.down.ravel() for one in updates], WEIGHTS, rule=Rule.MEAN)
    up = aggregate([one.up.ravel() for one in updates], WEIGHTS, rule=Rule.MEAN)
    return real(up.reshape(ROWS, RANK)) @ real(down.reshape(RANK, COLUMNS))


def error(found: Real, right: Real) -> float:
    return float(np.linalg.norm(found - right) / np.linalg.norm(right))


def basis(seed: int = 3, rank: int = RANK) -> npt.NDArray[np.int32]:
    dice = np.random.default_rng(seed)
    columns, _ = np.linalg.qr(dice.normal(0, 1, (COLUMNS, rank)))
    return quantised(columns.T)


def test_averaging_both_factors_apart_is_wrong() -> None:
    updates = independent()
    assert error(apart(updates), exact(updates)) > 0.5


def test_averaging_one_factor_while_the_other_is_frozen_is_exact() -> None:
    updates = sharing_down()
    assert error(apart(updates), exact(updates)) < 1e-6


def test_a_stack_is_exact() -> None:
    updates = independent()
    made = stack(updates, WEIGHTS)
    assert made.up.shape == (ROWS, COUNT * RANK)
    found = (made.up.astype(np.float64) / SCALE / ONE) @ real(made.down)
    assert error(found, exact(updates)) < 1e-12


def test_projection_onto_a_basis_that_holds_every_row_is_exact() -> None:
    axes = basis()
    dice = np.random.default_rng(4)
    updates = [
        Factors(
            down=quantised(dice.normal(0, 0.3, (RANK, RANK)) @ real(axes)),
            up=quantised(dice.normal(0, 0.3, (ROWS, RANK))),
        )
        for _ in range(COUNT)
    ]
    found = real(reproject(updates, WEIGHTS, basis=axes)) @ real(axes)
    assert error(found, exact(updates)) < 1e-4


def test_projection_onto_another_basis_keeps_what_lies_in_it() -> None:
    updates, axes = independent(), basis(rank=32)
    kept = exact(updates) @ real(axes).T
    assert error(real(reproject(updates, WEIGHTS, basis=axes)), kept) < 1e-4


def of_every_size(seed: int) -> list[Factors]:
    """Return factors of several ranks, of which each update has numbers of another size."""
    dice = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, bits: int) -> npt.NDArray[np.int32]:
        most = COORDINATE_MAX >> bits
        return dice.integers(-most, most, (rows, columns), dtype=np.int32, endpoint=True)

    return [
        Factors(down=matrix(rank, 6, 2 * rank), up=matrix(3, rank, 24 - 2 * rank))
        for rank in range(1, COUNT + 1)
    ]


@given(order=st.permutations(range(COUNT)), seed=st.integers(0, 2**32 - 1))
def test_projection_ignores_the_order_of_the_updates(order: list[int], seed: int) -> None:
    updates, axes = of_every_size(seed), np.eye(4, 6, dtype=np.int32) * SCALE
    there = reproject(updates, WEIGHTS, basis=axes)
    turned = [WEIGHTS[place] for place in order]
    here = reproject([updates[place] for place in order], turned, basis=axes)
    assert here.tolist() == there.tolist()


# Products of rows are cut to 15 bits before they meet the other factor, so the longest rows and the
# greatest rank need not come together, which would take gigabytes.
over_sizes = pytest.mark.parametrize(
    ("rank", "columns"), [(RANK, COLUMNS), (RANK_MAX, COLUMNS), (1, COLUMNS_MAX)]
)


def constant(number: int, *, rank: int, columns: int) -> Factors:
    return Factors(
        down=np.full((rank, columns), number, dtype=np.int32),
        up=np.full((2, rank), number, dtype=np.int32),
    )


@over_sizes
def test_extreme_factors_saturate_and_do_not_wrap(rank: int, columns: int) -> None:
    update = constant(COORDINATE_MAX, rank=rank, columns=columns)
    axes = update.down[:1]
    assert (reproject([update], [ONE], basis=axes) == COORDINATE_MAX).all()
    assert (reproject([update], [ONE], basis=-axes) == -COORDINATE_MAX).all()


@over_sizes
def test_greatest_operands_add_up_to_the_right_sum(rank: int, columns: int) -> None:
    most = 2**15 - 1
    update = constant(most, rank=rank, columns=columns)
    right = rank * columns * most**3 / 2**48
    for sign in (1, -1):
        found = reproject([update], [ONE], basis=sign * update.down[:1])
        # The product of two rows has lost all but 15 bits.
        np.testing.assert_allclose(found, sign * right, rtol=2**-15, atol=1)


@pytest.mark.parametrize(
    ("factors", "weights"),
    [
        ([], []),
        ([((8, 64), (48, 8))], []),
        ([((8, 64), (48, 8))], [ONE + 1]),
        ([((8, 64), (48, 8))], [-1]),
        ([((8, 64), (48, 7))], [ONE]),
        ([((8, 64), (48, 8)), ((8, 63), (48, 8))], [1, 1]),
        ([((257, 64), (48, 257))], [ONE]),
    ],
)
def test_factors_that_do_not_fit_are_refused(
    factors: list[tuple[tuple[int, int], tuple[int, int]]], weights: list[int]
) -> None:
    updates = [
        Factors(down=np.zeros(down, dtype=np.int32), up=np.zeros(up, dtype=np.int32))
        for down, up in factors
    ]
    with pytest.raises(LocalProtocolError):
        stack(updates, weights)


def test_small_factors_lose_no_bit() -> None:
    update = Factors(
        down=np.array([[2**14, 0], [0, -3]], dtype=np.int32),
        up=np.array([[5, 7]], dtype=np.int32),
    )
    axes = np.array([[2**24, 0], [0, 2**24]], dtype=np.int32)
    many = [update] * 2
    found = reproject(many, [ONE // 2] * 2, basis=axes)
    exact_sum = [5 * 2**14, 7 * -3]
    assert found.tolist() == [[(number + 2**23) >> 24 for number in exact_sum]]


def test_a_basis_of_other_rows_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="a basis"):
        reproject(independent(), WEIGHTS, basis=basis()[:, :-1])
