"""Bring the updates of a round with the layout STACK together: on the seeded rows, in integers.

Every update is turned into the step of B alone that does the same to the product B A, as far as
that lies in the seeded rows of A, which stay as they are. Steps of B are linear in the product, so
any rule may then work on them, and their weighted mean is the projection of the exact weighted sum
of products. What an update does outside of the seeded rows is lost: a relative error of 0.23 after
one round of `benchmarks.layouts`, where ALT has none, which is why ALT is the default.

Guards: integers alone, so every machine finds the same step. The memory is that of one vector and
one layer.
"""

import numpy as np

from fl.rules.aggregation.stack import COLUMNS_MAX, RANK_MAX, Factors, reproject
from fl.rules.limits import ONE
from fl.rules.update.errors import BadLayoutError
from fl.rules.update.layout import TensorLayout
from fl.rules.update.parts import Part, part_of, partner_of
from fl.rules.update.rows import COORDINATE_MAX, Int32s


def projected(update: Int32s, *, model: Int32s, layout: TensorLayout) -> Int32s:
    """Return the step that an update is with the A of the model fixed; (layout.size,) int32.

    With A_0 the rows of the model and B its other factor, dB + (B + dB) dA A_0^T; heads move as
    the update says, an A does not. An update that leaves every A alone comes back as it is.

    Args:
        update: how far a trainer moved both factors from the model, flat int32.
        model: where the round began, of the same layout; its A have orthonormal rows.
        layout: of both, as `check_stackable` accepts it.
    """
    spans = layout.spans
    step = update.copy()
    for spec in layout.tensors:
        span = spans[spec.name]
        match part_of(spec.name):
            case Part.HEAD:
                pass
            case Part.FACTOR_A:
                step[span] = 0
            case Part.FACTOR_B:
                down = spans[partner_of(spec.name)]
                rank = spec.shape[1]
                moved = Factors(
                    down=update[down].reshape(rank, -1),
                    up=_sum(model[span], update[span]).reshape(spec.shape),
                )
                turned = reproject([moved], [ONE], basis=model[down].reshape(rank, -1))
                step[span] = _sum(update[span], turned.reshape(-1))
    return step


def check_stackable(layout: TensorLayout) -> None:
    """Refuse a layout whose factors do not come in pairs that fit together.

    Raises:
        BadLayoutError: they do not; the message names the tensor.
    """
    shapes = {tensor.name: tensor.shape for tensor in layout.tensors}
    paired = set()
    for name, up in shapes.items():
        if part_of(name) is Part.FACTOR_B:
            down = shapes.get(partner_of(name), ())
            paired.add(partner_of(name))
            if len(up) != 2 or len(down) != 2 or up[1] != down[0]:
                raise BadLayoutError(f"{name!r} of shape {up} stands beside an A of shape {down}")
            if down[0] > RANK_MAX or down[1] > COLUMNS_MAX:
                raise BadLayoutError(f"{partner_of(name)!r} of shape {down} is too large to stack")
    for name in shapes:
        if part_of(name) is Part.FACTOR_A and name not in paired:
            raise BadLayoutError(f"{name!r} stands beside no B")


def _sum(one: Int32s, other: Int32s) -> Int32s:
    total = one.astype(np.int64) + other
    clipped: Int32s = np.clip(total, -COORDINATE_MAX, COORDINATE_MAX).astype(np.int32)
    return clipped
