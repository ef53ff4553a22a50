"""The golden hashes once more, by torch: sums of integers are the same under a GPU's atomics."""

from hashlib import sha256
from typing import Any, TypeAlias

import pytest

from tests.fl.aggregation.write_vectors import expanded
from tests.vectors import Row, cases

# Importing torch to name its types would take seconds wherever tests are collected.
Torch: TypeAlias = Any
Tensor: TypeAlias = Any

ONE = 2**16
ROWS = [
    case for case in cases("aggregation", "hashes") if case.values[0]["rule"] in {"mean", "trimmed"}
]

over_devices = pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
)


@pytest.mark.slow
@over_devices
@pytest.mark.parametrize("row", ROWS)
def test_a_golden_hash_is_found_by_torch(row: Row, device: str) -> None:
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    given = [expanded(index, row["size"]) for index in range(row["count"])]
    vectors = torch.stack([torch.from_numpy(vector) for vector in given]).long().to(device)
    weights = torch.tensor(row["weights"], device=device)
    for _ in range(20):
        order = torch.randperm(row["count"], device=device)
        found = _mean(torch, vectors[order], weights[order])
        if row["rule"] == "trimmed":
            trim = sum(sorted(row["weights"])[-row["byzantine"] :])
            found = _trimmed(torch, vectors[order], weights[order], trim)
        assert sha256(found.int().cpu().numpy().tobytes()).hexdigest() == row["digest"]


def _mean(torch: Torch, vectors: Tensor, weights: Tensor) -> Tensor:
    """Add all products at once, each to its coordinate, in whatever order the device likes."""
    count, size = vectors.shape
    places = torch.arange(size, device=vectors.device).repeat(count)
    total = torch.zeros(size, dtype=torch.int64, device=vectors.device)
    total.index_add_(0, places, (vectors * weights[:, None]).flatten())
    return (total + ONE // 2) >> 16


def _trimmed(
    torch: Torch,
    vectors: Tensor,
    weights: Tensor,
    trim: int,
) -> Tensor:
    """Average each column's quantile function between the trim and its mirror image."""
    ranked, places = vectors.sort(dim=0)
    ends = weights[places].cumsum(dim=0)
    inside = ends.clamp(trim, ONE - trim)
    before = torch.cat([torch.full_like(inside[:1], trim), inside[:-1]])
    left = ONE - 2 * trim
    total = (ranked * (inside - before)).sum(dim=0) + left // 2
    return torch.div(total, left, rounding_mode="floor")
