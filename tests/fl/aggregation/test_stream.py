"""A mean of updates that arrive one after the other."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from fl.rules.aggregation.mean import weighted_mean
from fl.rules.aggregation.stream import MeanStream
from fl.rules.limits import ONE
from fl.rules.update.blob import Chunk
from fl.rules.update.errors import MalformedBlobError
from fl.rules.update.rows import COORDINATE_MAX, Int32s
from primitives.errors import LocalProtocolError
from tests.fl.aggregation.cast import seeded_round


def chunks(vector: Int32s, *, size: int) -> Iterator[Chunk]:
    for start in range(0, len(vector), size):
        yield Chunk(start, vector[start : start + size])


def breaking(vector: Int32s) -> Iterator[Chunk]:
    yield Chunk(0, vector[:10])
    raise MalformedBlobError(field="size", expected="more", actual="less")


@pytest.mark.parametrize("size", [1, 7, 300, 40_000])
def test_chunks_add_up_to_the_mean(size: int) -> None:
    length = 300 if size < 300 else 70_000
    vectors, weights = seeded_round(1, count=5, size=length)
    stream = MeanStream(length)
    for vector, weight in zip(vectors, weights, strict=True):
        stream.add_chunks(chunks(vector, size=size), weight=weight)
    assert np.array_equal(stream.finish(), weighted_mean(vectors, weights))


@pytest.mark.parametrize("sign", [1, -1])
def test_four_thousand_extreme_updates_do_not_wrap(sign: int) -> None:
    stream = MeanStream(3)
    vector = np.full(3, sign * COORDINATE_MAX, dtype=np.int32)
    for _ in range(2**12):
        stream.add(vector, weight=ONE // 2**12)
    assert stream.finish().tolist() == vector.tolist()


def test_memory_is_that_of_the_model_however_many_updates_come() -> None:
    size = 200_000
    vector = np.ones(size, dtype=np.int32)
    tracemalloc.start()
    stream = MeanStream(size)
    for _ in range(64):
        stream.add(vector, weight=ONE // 64)
    stream.finish()
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 5 * vector.nbytes


def test_a_vector_that_breaks_off_ends_the_mean() -> None:
    stream = MeanStream(20)
    vector = np.ones(20, dtype=np.int32)
    with pytest.raises(MalformedBlobError):
        stream.add_chunks(breaking(vector), weight=ONE)
    with pytest.raises(LocalProtocolError, match="broke off"):
        stream.finish()
    with pytest.raises(LocalProtocolError, match="broke off"):
        stream.add(vector, weight=ONE)


def test_a_mean_that_lacks_weight_is_not_given_out() -> None:
    stream = MeanStream(1)
    stream.add(np.ones(1, dtype=np.int32), weight=ONE - 1)
    with pytest.raises(LocalProtocolError, match="a weight of 1 is missing"):
        stream.finish()
    with pytest.raises(LocalProtocolError, match="a weight of 2, 1 left"):
        stream.add(np.ones(1, dtype=np.int32), weight=2)


@pytest.mark.parametrize(
    "bad",
    [
        np.ones(4, dtype=np.int32),
        np.ones(6, dtype=np.int32),
        np.ones(5, dtype=np.int64),
    ],
)
def test_a_vector_of_another_size_or_type_is_refused(bad: Int32s) -> None:
    with pytest.raises(LocalProtocolError, match="coordinates"):
        MeanStream(5).add(bad, weight=ONE)


def test_chunks_with_a_gap_are_refused() -> None:
    vector = np.ones(5, dtype=np.int32)
    gap = [Chunk(0, vector[:2]), Chunk(3, vector[3:])]
    with pytest.raises(LocalProtocolError, match="not from 2"):
        MeanStream(5).add_chunks(gap, weight=ONE)
