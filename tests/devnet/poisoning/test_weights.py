"""How validators of the lab weigh what they hold out."""

import numpy as np
import torch

from benchmarks.poisoning.field import Bench, Corpus
from benchmarks.poisoning.model import Examples


def _bench() -> Bench:
    """Return the bench of two validators: nine and one of two classes, and four of one class."""
    y = torch.tensor([0] * 9 + [1] + [0] * 4)
    examples = Examples(torch.zeros((len(y), 2)), y)
    corpus = Corpus(examples, examples, examples, examples, examples, examples)
    return Bench(corpus, [np.arange(10), np.arange(10, 14)])


def test_class_weighs_by_the_root_of_its_examples_in_the_part_of_each_validator() -> None:
    bench = _bench()
    assert np.allclose(bench.weights[:10], [1 / 12] * 9 + [1 / 4])
    assert np.allclose(bench.weights[10:], 1 / 4)


def test_mean_of_a_part_takes_every_row_and_only_its_examples() -> None:
    bench = _bench()
    rises = np.zeros((2, 14))
    rises[0, 9], rises[1, 10:] = 8.0, 3.0
    first, second = bench.parts
    assert np.allclose(bench.mean(rises, first), [2.0, 0.0])
    assert np.allclose(bench.mean(rises, second), [0.0, 3.0])
