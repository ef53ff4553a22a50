"""Average low-rank factors exactly: their stack, and its projection back onto one basis.

Averaging A and B apart (FedIT) is wrong, since the mean of products is not the product of means.
Stacked, the A below each other and the weighted B beside each other, their product is the weighted
sum of the products and nothing else. A stack has the rank of all of them together, so every few
rounds it is projected onto a seeded basis A_0 with orthonormal rows, B' = sum w_i B_i (A_i A_0^T):
the part of every row that lies in the basis stays, the rest is lost and has to be learnt again.

Guards: operands are int16 and sums int64, so every machine finds the same B'. An operand keeps the
15 highest bits of the greatest entry of its matrix.
Source: Wang et al. 2024, arXiv:2409.05976 (FLoRA); the projection is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fl.rules.limits import ONE
from fl.rules.update.rows import COORDINATE_MAX
from primitives.errors import LocalProtocolError

Matrix = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

OPERAND_BITS: Final = 15
SCALE_BITS: Final = 24
RANK_MAX: Final = 256
COLUMNS_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Factors:
    """One low-rank update: `up` @ `down` is what it adds to a weight.

    Attributes:
        down: A, (rank, column), int32 at scale 2**24.
        up: B, (row, rank), int32 at scale 2**24.
    """

    down: Matrix
    up: Matrix


@dataclass(frozen=True, slots=True)
class Stack:
    """Factors of all updates as one pair, whose product is the weighted sum.

    Attributes:
        down: (sum of ranks, column), int32 at scale 2**24.
        up: (row, sum of ranks), int64 at scale 2**40, exact.
    """

    down: Matrix
    up: Int64s


def stack(updates: Sequence[Factors], weights: Sequence[int]) -> Stack:
    """Return the stacked factors; no bit is lost.

    Args:
        updates: in any order; ranks may differ, the other axes may not.
        weights: Q16, none negative.

    Raises:
        LocalProtocolError: the shapes do not fit together.
    """
    _check(updates, weights)
    return Stack(
        down=np.concatenate([one.down for one in updates]),
        up=np.concatenate(
            [
                one.up.astype(np.int64) * weight
                for one, weight in zip(updates, weights, strict=True)
            ],
            axis=1,
        ),
    )


def reproject(updates: Sequence[Factors], weights: Sequence[int], *, basis: Matrix) -> Matrix:
    """Return B' for the basis: (row, rank of the basis), int32 at scale 2**24.

    Args:
        updates: in any order; ranks may differ, the other axes may not.
        weights: Q16, none negative, sum at most `ONE`.
        basis: A_0, (rank, column), int32 at scale 2**24, with orthonormal rows.

    Raises:
        LocalProtocolError: the shapes do not fit together.
    """
    _check(updates, weights)
    if basis.ndim != 2 or basis.shape[1] != updates[0].down.shape[1]:
        raise LocalProtocolError(f"a basis {basis.shape} for rows of {updates[0].down.shape[1]}")
    axes, axes_bits = _operand(basis)
    total = np.zeros((updates[0].up.shape[0], basis.shape[0]), dtype=object)
    for one, weight in zip(updates, weights, strict=True):
        down, down_bits = _operand(one.down)
        # At most COLUMNS_MAX products of 2**30.
        inner, inner_bits = _operand(np.einsum("rk,sk->rs", down, axes))
        up, up_bits = _operand(one.up)
        # At most RANK_MAX products of 2**30, times a weight of 2**16.
        product = np.einsum("dr,rs->ds", up, inner) * weight
        total += product.astype(object) << (axes_bits + down_bits + inner_bits + up_bits)
    scale = 2 * SCALE_BITS + 16
    rounded = (total + (1 << (scale - 1))) >> scale
    projected: Matrix = np.clip(rounded, -COORDINATE_MAX, COORDINATE_MAX).astype(np.int32)
    return projected


def _operand(matrix: npt.NDArray[np.signedinteger]) -> tuple[Int64s, int]:
    """Return the highest 15 bits of a matrix, rounded, in int64, and how many bits are gone."""
    wide = matrix.astype(np.int64)
    gone = max(0, int(np.abs(wide).max()).bit_length() - OPERAND_BITS)
    if gone:
        wide += 1 << (gone - 1)
        wide >>= gone
    most = (1 << OPERAND_BITS) - 1
    return np.clip(wide, -most, most), gone


def _check(updates: Sequence[Factors], weights: Sequence[int]) -> None:
    if not updates or len(updates) != len(weights):
        raise LocalProtocolError(f"{len(weights)} weights for {len(updates)} updates")
    if min(weights) < 0 or sum(weights) > ONE:
        raise LocalProtocolError(f"weights {weights} are not a share of {ONE}")
    rows, columns = updates[0].up.shape[0], updates[0].down.shape[1]
    for one in updates:
        rank = one.down.shape[0]
        if one.up.shape != (rows, rank) or one.down.shape != (rank, columns):
            raise LocalProtocolError(f"factors {one.up.shape} and {one.down.shape}")
        if rank > RANK_MAX or columns > COLUMNS_MAX:
            raise LocalProtocolError(f"a rank of {rank} or rows of {columns} is too much")
