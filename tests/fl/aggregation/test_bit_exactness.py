"""One hash whatever the order, the threads and the spans; real numbers give many."""

import random
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pytest

from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.aggregation.stream import MeanStream
from tests.fl.aggregation.cast import seeded_round, shuffled_aggregate

over_rules = pytest.mark.parametrize("rule", Rule)


def digest(vector: npt.NDArray[np.generic]) -> str:
    return sha256(vector.tobytes()).hexdigest()


def digests_of_shuffles(rule: Rule, *, runs: int, size: int) -> set[str]:
    vectors, weights = seeded_round(11, count=20, size=size)
    dice = random.Random(5)
    return {
        digest(shuffled_aggregate(vectors, weights, rule=rule, byzantine=4, dice=dice))
        for _ in range(runs)
    }


@over_rules
def test_shuffled_aggregations_have_one_hash(rule: Rule) -> None:
    vectors, weights = seeded_round(11, count=20, size=400)
    alone = digest(aggregate(vectors, weights, rule=rule, byzantine=4))
    assert digests_of_shuffles(rule, runs=12, size=400) == {alone}


@pytest.mark.slow
@over_rules
def test_a_thousand_shuffled_aggregations_have_one_hash(rule: Rule) -> None:
    assert len(digests_of_shuffles(rule, runs=1_000, size=2_000)) == 1


def test_a_stream_gives_the_hash_of_the_mean_in_every_order() -> None:
    vectors, weights = seeded_round(12, size=300)
    dice = random.Random(6)
    found = set()
    for _ in range(50):
        stream = MeanStream(300)
        for index in dice.sample(range(len(vectors)), len(vectors)):
            stream.add(vectors[index], weight=weights[index])
        found.add(digest(stream.finish()))
    assert found == {digest(aggregate(vectors, weights, rule=Rule.MEAN))}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_real_numbers_give_many_hashes(dtype: type[np.floating]) -> None:
    vectors, weights = seeded_round(13, count=20, size=2_000)
    real = [(vector / 2**24).astype(dtype) for vector in vectors]
    dice = random.Random(7)
    found = set()
    for _ in range(50):
        total = np.zeros(2_000, dtype=dtype)
        for index in dice.sample(range(20), 20):
            # Shares of samples, as FedAvg has them; Q16 weights would be exact in 64 bits.
            total += real[index] * dtype(weights[index] / 65_521)
        found.add(digest(total))
    assert len(found) > 40
