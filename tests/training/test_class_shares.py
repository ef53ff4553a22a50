"""With its own shares of the classes inside the loss, a skewed trainer unteaches nobody."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from fl.training.adapters import AdapterSpec, attach
from fl.training.class_shares import UNSEEN, adjustment_of
from fl.training.errors import NoExamplesError, SettingError
from fl.training.examples.example import LabelledText
from fl.training.local import LocalResult, train_local
from fl.training.models import LoadedModel
from fl.training.settings import LocalTraining, Steps
from fl.training.stream import Examples
from tests.training.sample_texts import LABELLED, PLAIN

ADJUSTED = LocalTraining(
    length=Steps(8), batch_size=4, max_length=32, learning_rate=0.02, seed=1, adjustment=1.0
)
PLAINLY = dataclasses.replace(ADJUSTED, adjustment=0.0)
CLASSES = 3


def train(loaded: LoadedModel, training: LocalTraining, examples: Examples) -> LocalResult:
    adapter = attach(loaded, AdapterSpec(rank=2), seed=1)
    try:
        return train_local(adapter, examples, training, round_number=0)
    finally:
        adapter.model.unload()


def skewed(*counts: int) -> list[LabelledText]:
    """So many texts of each class."""
    return [
        LabelledText(f"text {number}", label)
        for label, count in enumerate(counts)
        for number in range(count)
    ]


@pytest.mark.parametrize("tau", [1.0, 0.5])
def test_logits_get_the_logarithms_of_the_shares(tau: float) -> None:
    found = adjustment_of(skewed(6, 2, 0), classes=CLASSES, tau=tau)
    counts = [count + UNSEEN / CLASSES for count in (6, 2, 0)]
    expected = [tau * math.log(count / counts[0]) for count in counts]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_even_shares_change_nothing(bert: LoadedModel) -> None:
    adjusted, plain = (train(bert, one, LABELLED) for one in (ADJUSTED, PLAINLY))
    assert adjusted.delta.tobytes() == plain.delta.tobytes()


def test_a_language_model_has_no_classes_to_take_out(llama: LoadedModel) -> None:
    adjusted, plain = (train(llama, one, PLAIN) for one in (ADJUSTED, PLAINLY))
    assert adjusted.delta.tobytes() == plain.delta.tobytes()


def test_classes_that_nobody_here_has_stay_rare_however_many_they_are() -> None:
    adjustment = adjustment_of(skewed(*[12] * 10), classes=1_000, tau=1.0)
    assert adjustment.softmax(0)[10:].sum() < 0.02


def test_a_trainer_of_one_class_has_little_left_to_learn(bert: LoadedModel) -> None:
    """Adam gives a small gradient the stride of a large one, so validators still have to select."""
    examples = [LabelledText(one.text, 0) for one in LABELLED]
    adjusted, plain = (train(bert, one, examples) for one in (ADJUSTED, PLAINLY))
    assert plain.loss_before == pytest.approx(math.log(CLASSES), abs=0.2)
    assert adjusted.loss_before < 0.1 < plain.loss_before / 5
    assert adjusted.loss_after < adjusted.loss_before


def test_skewed_trainers_differ_less_when_their_shares_are_inside_the_loss(
    bert: LoadedModel,
) -> None:
    """Two trainers with opposite shares of the same texts pull the head apart, or do not."""
    parts = [
        [
            LabelledText(text.text, label)
            for label, count in enumerate(counts)
            for text in LABELLED[:count]
        ]
        for counts in ((12, 2, 2), (2, 2, 12))
    ]
    apart = {}
    for training in (ADJUSTED, PLAINLY):
        first, second = (train(bert, training, part) for part in parts)
        # The bias of the head is nothing but how frequent each class is.
        bias = next(s for name, s in first.layout.spans.items() if name.endswith("bias"))
        apart[training.adjustment] = np.abs(first.delta[bias] - second.delta[bias]).max()
    assert apart[1.0] < apart[0.0] / 2


def test_labels_beyond_the_classes_are_refused_by_their_example(bert: LoadedModel) -> None:
    wrong = [*LABELLED, LabelledText("what", 7), LabelledText("what", -1)]
    with pytest.raises(NoExamplesError, match="has label"):
        train(bert, dataclasses.replace(ADJUSTED, length=Steps(40)), wrong)


@pytest.mark.parametrize("tau", [-0.1, 1.1, math.nan])
def test_an_adjustment_outside_of_its_bounds_is_refused(tau: float) -> None:
    with pytest.raises(SettingError, match="adjustment"):
        dataclasses.replace(ADJUSTED, adjustment=tau).check()
