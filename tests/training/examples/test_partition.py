import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.training.examples.partition import by_group, dirichlet, iid
from fl.training.examples.shuffle import permutation

LABELS = [index % 4 for index in range(2000)]


def skew(parts: list[list[int]]) -> float:
    """Return how far the shares of the classes differ from even ones, 0..1."""
    shares = [
        np.bincount([LABELS[index] for index in part], minlength=4) / len(part) for part in parts
    ]
    return float(np.abs(np.array(shares) - 0.25).sum(axis=1).mean() / 1.5)


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=20, max_size=120),
    clients=st.integers(1, 10),
    alpha=st.sampled_from([1e-4, 0.05, 0.3, 1.0, 100.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_example_goes_to_exactly_one_client_and_none_is_empty(
    labels: list[int], clients: int, alpha: float, seed: int
) -> None:
    parts = dirichlet(labels, clients=clients, alpha=alpha, seed=seed, examples_min=2)
    assert sorted(itertools.chain(*parts)) == list(range(len(labels)))
    assert len(parts) == clients
    assert min(map(len, parts)) >= 2
    assert parts == dirichlet(labels, clients=clients, alpha=alpha, seed=seed, examples_min=2)


def test_smaller_alpha_gives_more_skew() -> None:
    found = [skew(dirichlet(LABELS, clients=8, alpha=a, seed=1)) for a in (0.05, 0.3, 1.0, 100.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.7
    assert found[-1] < 0.1


def test_division_is_the_same_on_every_machine() -> None:
    parts = dirichlet(LABELS[:40], clients=4, alpha=0.3, seed=7)
    assert [len(part) for part in parts] == [16, 7, 16, 1]
    assert parts[1] == [1, 11, 20, 21, 23, 29, 32]
    assert iid(10, clients=3, seed=7) == [[2, 3, 4, 9], [0, 1, 5], [6, 7, 8]]
    assert permutation(8, seed=1, epoch=2, stream="rows") == [3, 7, 0, 6, 1, 5, 2, 4]


def test_iid_parts_differ_in_size_by_at_most_one() -> None:
    parts = iid(100, clients=7, seed=3)
    assert {len(part) for part in parts} == {14, 15}
    assert sorted(itertools.chain(*parts)) == list(range(100))
    assert parts != iid(100, clients=7, seed=4)


def test_groups_stay_whole_and_are_spread_evenly() -> None:
    keys = ["a"] * 6 + ["b"] * 3 + ["c"] * 3 + ["d"]
    assert by_group(keys, clients=2) == [[0, 1, 2, 3, 4, 5, 12], [6, 7, 8, 9, 10, 11]]
    assert by_group(keys, clients=4) == [list(range(6)), [6, 7, 8], [9, 10, 11], [12]]


@pytest.mark.parametrize(
    ("divide", "message"),
    [
        (lambda: dirichlet([0, 1], clients=3, alpha=1.0, seed=1), "2 examples cannot give 3"),
        (lambda: dirichlet([0, 1], clients=1, alpha=0.0, seed=1), "alpha must be above 0"),
        (lambda: dirichlet([0, 1], clients=1, alpha=float("nan"), seed=1), "alpha must be"),
        (lambda: iid(3, clients=0, seed=1), "at least one client"),
        (lambda: by_group(["a", "a"], clients=2), "1 groups cannot be given to 2 clients"),
    ],
)
def test_impossible_divisions_are_refused(divide: object, message: str) -> None:
    assert callable(divide)
    with pytest.raises(ValueError, match=message):
        divide()
