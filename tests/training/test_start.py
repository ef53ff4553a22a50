"""Every machine starts an adapter from the same numbers."""

import hashlib

import numpy as np
import pytest

from fl.training.start import SEED_MAX, factor_start, head_start

GOLDEN = [
    [5197802, 6218537, -943816, 2486215, 2949377],
    [-5456141, 4761219, -5271758, 7404304, 3353575],
]
GOLDEN_DIGEST = "d0b518959233a71aa604438a34dab4bbd81f90df3219a9feadc32ca36c724f72"


def test_the_stream_of_a_seed_never_changes() -> None:
    numbers = factor_start(7, name="layer.lora_A.weight", shape=(2, 5))
    assert numbers.tolist() == GOLDEN
    large = factor_start(SEED_MAX, name="x", shape=(64, 300))
    assert hashlib.sha256(large.astype("<i4").tobytes()).hexdigest() == GOLDEN_DIGEST


def test_each_tensor_has_a_stream_of_its_own() -> None:
    streams = [factor_start(7, name=name, shape=(4, 9)).tolist() for name in ("a", "b")]
    streams.append(factor_start(8, name="a", shape=(4, 9)).tolist())
    assert all(streams.count(stream) == 1 for stream in streams)


def test_numbers_fill_the_range_of_peft_evenly() -> None:
    numbers = factor_start(1, name="a", shape=(64, 256)) / 2**24
    bound = 256**-0.5
    assert np.abs(numbers).max() <= bound
    assert np.abs(numbers).max() > bound * 0.999
    counts, _ = np.histogram(numbers, bins=16, range=(-bound, bound))
    expected = numbers.size / 16
    chi_squared = float(((counts - expected) ** 2 / expected).sum())
    # 15 degrees of freedom: a fair stream is above 37.7 once in a thousand.
    assert chi_squared < 37.7


def test_a_head_starts_with_a_bias_of_zero() -> None:
    assert head_start(3, name="classifier.bias", shape=(4,)).tolist() == [0, 0, 0, 0]
    assert head_start(3, name="classifier.weight", shape=(4, 9)).any()


@pytest.mark.parametrize("seed", [-1, SEED_MAX + 1])
def test_a_seed_has_256_bits(seed: int) -> None:
    with pytest.raises(ValueError, match="256 bits"):
        factor_start(seed, name="a", shape=(1, 1))
