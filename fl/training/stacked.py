"""Bring the updates of a round with the layout STACK together, in integers.

Every layer's new B is the projection of the exact weighted sum of products onto the seeded rows of
A, which stay as they are; heads take the weighted mean. Only the factors of one layer are turned
into matrices at a time.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fl.rules.aggregation.mean import weighted_mean
from fl.rules.aggregation.stack import Factors, reproject
from fl.rules.update.layout import TensorLayout
from fl.training.adapters import Part, part_of, partner_of

Int32s = NDArray[np.int32]


def aggregate_stacked(
    model: Int32s, updates: Sequence[Int32s], weights: Sequence[int], *, layout: TensorLayout
) -> Int32s:
    """Return the step that the model takes, (layout.size,) int32 in units of 2**-24.

    Args:
        model: where the round began, flat; its A are the orthonormal rows they started as.
        updates: how far each trainer moved from there, flat.
        weights: Q16, none negative, sum at most 2**16.
        layout: of all tensors of the adapter.
    """
    spans = layout.spans
    step = np.zeros_like(model)
    for spec in layout.tensors:
        span = spans[spec.name]
        match part_of(spec.name):
            case Part.HEAD:
                step[span] = weighted_mean([update[span] for update in updates], weights)
            case Part.FACTOR_A:
                pass
            case Part.FACTOR_B:
                down = spans[partner_of(spec.name)]
                rank = spec.shape[1]
                moved = [
                    Factors(
                        down=(model[down] + update[down]).reshape(rank, -1),
                        up=(model[span] + update[span]).reshape(spec.shape),
                    )
                    for update in updates
                ]
                basis = model[down].reshape(rank, -1)
                step[span] = reproject(moved, weights, basis=basis).reshape(-1) - model[span]
    return step
