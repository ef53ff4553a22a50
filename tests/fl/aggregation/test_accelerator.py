"""The golden hashes once more, by torch: sums of integers are the same under a GPU's atomics.

All eight rules, as a node with a GPU could work them out: what touches the coordinates runs on the
device, and what follows from the products of whole vectors (`geometry`), a few Python integers of
any size, does not, for no device has such integers.
"""

from hashlib import sha256
from typing import Any, TypeAlias

import numpy as np
import pytest

from fl.rules.aggregation.geometry import (
    centred_clip_weights,
    geometric_median_weights,
    krum_ranking,
    multi_krum_weights,
    neighbours,
)
from fl.rules.aggregation.ordered import trim_weight
from fl.rules.aggregation.rule import Rule, canonical_order
from fl.rules.update.products import SHIFT, squared_distances
from tests.fl.aggregation.write_vectors import expanded
from tests.vectors import Row, cases

# Importing torch to name its types would take seconds wherever tests are collected.
Torch: TypeAlias = Any
Tensor: TypeAlias = Any

ONE = 2**16

over_devices = pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
)


@pytest.mark.slow
@over_devices
@pytest.mark.parametrize("row", cases("aggregation", "hashes"))
def test_a_golden_hash_is_found_by_torch(row: Row, device: str) -> None:
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    given = [expanded(index, row["size"]) for index in range(row["count"])]
    vectors = torch.stack([torch.from_numpy(vector) for vector in given]).long().to(device)
    weights = torch.tensor(row["weights"], device=device)
    canonical = torch.tensor(canonical_order(given, row["weights"]), device=device)
    for _ in range(20):
        order = torch.randperm(row["count"], device=device)
        if Rule(row["rule"]) in {Rule.MEAN, Rule.TRIMMED_MEAN, Rule.MEDIAN}:
            found = _by_column(torch, vectors[order], weights[order], row)
        else:
            found = _by_distance(torch, vectors[canonical], weights[canonical], row)
        assert sha256(found.int().cpu().numpy().tobytes()).hexdigest() == row["digest"]


def _by_column(torch: Torch, vectors: Tensor, weights: Tensor, row: Row) -> Tensor:
    match Rule(row["rule"]):
        case Rule.MEAN:
            return _mean(torch, vectors, weights)
        case Rule.MEDIAN:
            return _median(torch, vectors, weights)
        case _:
            return _trimmed(torch, vectors, weights, row)


def _by_distance(torch: Torch, vectors: Tensor, weights: Tensor, row: Row) -> Tensor:
    gram, shares, byzantine = _gram(vectors), weights.tolist(), row["byzantine"]
    distances = squared_distances(gram)
    match Rule(row["rule"]):
        case Rule.KRUM:
            return vectors[krum_ranking(distances, byzantine=byzantine)[0]]
        case Rule.NNM_TRIMMED:
            groups = neighbours(distances, byzantine=byzantine)
            mixed = [_rounded(torch, vectors[group].sum(dim=0), len(group)) for group in groups]
            return _trimmed(torch, torch.stack(mixed), weights, row)
        case Rule.MULTI_KRUM:
            found = multi_krum_weights(distances, shares, byzantine=byzantine)
        case Rule.GEOMETRIC_MEDIAN:
            found = geometric_median_weights(distances, shares)
        case _:
            found = centred_clip_weights(gram.tolist(), shares, radius=row["radius"])
    return _mean(torch, vectors, torch.tensor(found, device=vectors.device))


def _gram(vectors: Tensor) -> Any:  # noqa: ANN401 - an array of Python integers
    """Multiply all vectors with each other; CUDA has no matrix product of integers."""
    cut = vectors >> SHIFT
    found = [(cut * one).sum(dim=1).tolist() for one in cut]
    return np.array(found, dtype=object)


def _mean(torch: Torch, vectors: Tensor, weights: Tensor) -> Tensor:
    """Add all products at once, each to its coordinate, in whatever order the device likes."""
    count, size = vectors.shape
    places = torch.arange(size, device=vectors.device).repeat(count)
    total = torch.zeros(size, dtype=torch.int64, device=vectors.device)
    total.index_add_(0, places, (vectors * weights[:, None]).flatten())
    return (total + ONE // 2) >> 16


def _median(torch: Torch, vectors: Tensor, weights: Tensor) -> Tensor:
    """Return the middle between the least value with half of the weight and that with more."""
    ranked, places = vectors.sort(dim=0)
    ends = weights[places].cumsum(dim=0)
    low = ranked.gather(0, (ends < ONE // 2).sum(dim=0, keepdim=True))
    high = ranked.gather(0, (ends <= ONE // 2).sum(dim=0, keepdim=True))
    return _rounded(torch, (low + high)[0], 2)


def _trimmed(torch: Torch, vectors: Tensor, weights: Tensor, row: Row) -> Tensor:
    """Average each column's quantile function between the trim and its mirror image."""
    trim = trim_weight(weights.tolist(), byzantine=row["byzantine"])
    ranked, places = vectors.sort(dim=0)
    ends = weights[places].cumsum(dim=0)
    inside = ends.clamp(trim, ONE - trim)
    before = torch.cat([torch.full_like(inside[:1], trim), inside[:-1]])
    return _rounded(torch, (ranked * (inside - before)).sum(dim=0), ONE - 2 * trim)


def _rounded(torch: Torch, total: Tensor, divisor: int) -> Tensor:
    """Divide, halves up."""
    return torch.div(total + divisor // 2, divisor, rounding_mode="floor")
