"""How far an average of low-rank factors is from the average of their products.

An adapter adds s B A to a weight. What a federation wants is the weighted mean of what the clients
would add; what it gets is the product of the factors that it averaged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.rules.update.layout import TensorLayout
from fl.rules.update.parts import Part, part_of, partner_of

Vector = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Averaging:
    """One round: what clients had, and what was made of it; flat, over all tensors.

    Attributes:
        layout: of all vectors.
        start: where the round began.
        clients: where each client ended.
        weights: of the clients; they sum to 1.
        result: the average that is judged.
    """

    layout: TensorLayout
    start: Vector
    clients: Sequence[Vector]
    weights: Sequence[float]
    result: Vector


def relative_errors(one: Averaging) -> Mapping[str, float]:
    """Return the distance from the exact average, over all layers.

    `product` is relative to the norm of the exact average of the products, `change` to the norm of
    how far that average moved in the round, which is the smaller one of the two after a while.
    """
    missed = whole = moved = 0.0
    for spec in one.layout.tensors:
        if part_of(spec.name) is not Part.FACTOR_B:
            continue
        products = [_product(one.layout, vector, spec.name) for vector in one.clients]
        exact = sum(weight * made for weight, made in zip(one.weights, products, strict=True))
        missed += _square(_product(one.layout, one.result, spec.name) - exact)
        whole += _square(exact)
        moved += _square(exact - _product(one.layout, one.start, spec.name))
    return {"product": _root_of(missed, whole), "change": _root_of(missed, moved)}


def _root_of(missed: float, whole: float) -> float:
    # Where B is zero still, so is every product.
    return (missed / whole) ** 0.5 if whole else 0.0


def _product(layout: TensorLayout, vector: Vector, name: str) -> NDArray[np.float64]:
    return _matrix(layout, vector, name) @ _matrix(layout, vector, partner_of(name))


def _matrix(layout: TensorLayout, vector: Vector, name: str) -> NDArray[np.float64]:
    shapes = {spec.name: spec.shape for spec in layout.tensors}
    return vector[layout.spans[name]].astype(np.float64).reshape(shapes[name])


def _square(matrix: "NDArray[np.float64] | float") -> float:
    return float(np.square(matrix).sum())
