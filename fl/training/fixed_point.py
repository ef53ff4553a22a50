"""Turn float tensors into the integers that nodes agree on, and back.

q = RNE(x * 2**24) in int32. A trainer does this once; nobody else ever converts a float that
counts. Every q up to 2**24 in magnitude, so every weight up to 1, is exactly a float32.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fl.rules.update.layout import TensorLayout
from fl.training.errors import NotRepresentableError

FRACTION_BITS: Final = 24
LIMIT: Final = 2**31 - 1


def quantise(
    values: NDArray[np.float32] | NDArray[np.float64], layout: TensorLayout
) -> NDArray[np.int32]:
    """Round to the nearest multiple of 2**-24, ties to even.

    Args:
        values: flat, in the order of the layout; (size,) float32 or float64.
        layout: says which tensor a number belongs to.

    Raises:
        NotRepresentableError: a number is NaN, infinite, or not below 128 in magnitude.
    """
    if values.shape != (layout.size,):
        raise ValueError(f"{values.shape} numbers for a layout of {layout.size}")
    scaled = np.rint(np.ldexp(values.astype(np.float64), FRACTION_BITS))
    # NaN compares false, so this finds it too.
    fits = np.abs(scaled) <= LIMIT
    if not fits.all():
        place = int(np.argmin(fits))
        tensor, index = _tensor_at(place, layout)
        raise NotRepresentableError(tensor=tensor, index=index, value=float(values[place]))
    return scaled.astype(np.int32)


def dequantise(numbers: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the nearest float32 of each number of 2**-24."""
    return np.ldexp(numbers.astype(np.float64), -FRACTION_BITS).astype(np.float32)


def _tensor_at(place: int, layout: TensorLayout) -> tuple[str, int]:
    for name, span in layout.spans.items():
        if place < span.stop:
            return name, place - span.start
    raise AssertionError("the layout covers every number")
