"""Turn rows of int32 into mantissas and a power of two, and back.

A row with exponent s has the coordinates m << s, with every |m| at most the greatest mantissa M of
the width (127 or 32767). The greatest exponent is 31 less the bits of M, so that M << s still fits
int32: nothing that decodes can overflow. The exponent is the least that will do, so a row has one
encoding: s = 0, or some |m| is more than M // 2. Decoding is a shift, exact on every machine.
Source: block floating point, as in Drumond et al. 2018, arXiv:1804.01526, with the exponent kept
per row and the rounding done once, by the trainer.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from fl.rules.update.header import Width

Int8s = npt.NDArray[np.int8]
Int16s = npt.NDArray[np.int16]
Int32s = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Mantissas = npt.NDArray[np.int8] | npt.NDArray[np.int16] | npt.NDArray[np.int32]

COORDINATE_MAX: Final = 2**31 - 1
"""The greatest size of a coordinate; -2**31 is none, so that every coordinate can be negated."""

_POWERS: Final = np.left_shift(np.int64(1), np.arange(32, dtype=np.int64))


def mantissa_max(width: Width) -> int:
    """Return the greatest size of a mantissa."""
    return (1 << (8 * width.value - 1)) - 1


def exponent_max(width: Width) -> int:
    """Return the greatest exponent: 24 for INT8, 16 for INT16, 0 for INT32."""
    return 32 - 8 * width.value


def dtype_of(width: Width) -> np.dtype[np.signedinteger]:
    """Return the little-endian dtype of the mantissas."""
    return np.dtype(f"<i{width.value}")


def round_rows(rows: Int32s, width: Width) -> tuple[npt.NDArray[np.int64], Bytes]:
    """Return mantissas and exponents of the nearest rows that the width can write.

    Halves go to the even mantissa. The nearest mantissa to a coordinate close to 2**31 may be too
    great by one; it becomes the greatest.

    Args:
        rows: (row, column), int32.
        width: of the mantissas.
    """
    sizes = np.abs(rows.astype(np.int64)).max(axis=1)
    bits = np.searchsorted(_POWERS, sizes, side="right")
    most = mantissa_max(width)
    exponents = np.clip(bits - (8 * width.value - 1), 0, exponent_max(width))
    carries = _shift_half_even(sizes, exponents) > most
    exponents = np.minimum(exponents + carries, exponent_max(width))
    mantissas = _shift_half_even(rows.astype(np.int64), exponents[:, np.newaxis])
    return np.clip(mantissas, -most, most), exponents.astype(np.uint8)


def widen_rows(mantissas: Mantissas, exponents: Bytes) -> Int32s:
    """Return the coordinates of rows whose mantissas and exponents were checked."""
    rows: Int32s = mantissas.astype(np.int32)
    return np.left_shift(rows, exponents.astype(np.int32)[:, np.newaxis], out=rows)


def _shift_half_even(
    values: npt.NDArray[np.int64], bits: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    is_odd = (values >> bits) & 1
    half_less_one = np.where(bits > 0, (np.int64(1) << np.maximum(bits - 1, 0)) - 1, 0)
    nudge = np.where(bits > 0, half_less_one + is_odd, 0)
    return (values + nudge) >> bits
