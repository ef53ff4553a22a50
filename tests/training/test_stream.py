"""A run sees its examples in an order of its seed, and refuses what cannot be learnt from."""

import pytest

from fl.training.errors import NoExamplesError
from fl.training.examples.example import LabelledText, PlainText
from fl.training.models import LoadedModel
from fl.training.settings import Epochs, LocalTraining, Steps
from fl.training.stream import Examples, training_batches
from tests.training.sample_texts import LABELLED, PLAIN


def seen(loaded: LoadedModel, training: LocalTraining) -> list[tuple[int, ...]]:
    return [batch.indices for batch in training_batches(LABELLED, loaded, training)]


def test_an_epoch_shows_every_example_once(bert: LoadedModel) -> None:
    batches = seen(bert, LocalTraining(batch_size=5))
    assert sorted(index for batch in batches for index in batch) == list(range(len(LABELLED)))


def test_epochs_differ_in_their_order(bert: LoadedModel) -> None:
    batches = seen(bert, LocalTraining(batch_size=4, length=Epochs(2)))
    assert len(batches) == 6
    assert batches[:3] != batches[3:]


def test_steps_go_round_as_often_as_needed(bert: LoadedModel) -> None:
    batches = seen(bert, LocalTraining(batch_size=4, length=Steps(8)))
    assert batches[:6] == seen(bert, LocalTraining(batch_size=4, length=Epochs(2)))
    assert len(batches) == 8


def test_the_seed_decides_the_order(bert: LoadedModel) -> None:
    orders = [seen(bert, LocalTraining(batch_size=4, seed=seed)) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_texts_of_a_language_model_are_packed(llama: LoadedModel) -> None:
    training = LocalTraining(batch_size=2, max_length=16)
    batches = list(training_batches(PLAIN, llama, training))
    assert {batch.input_ids.shape[1] for batch in batches} == {16}
    letters = sum(len(example.text) + 1 for example in PLAIN)
    assert sum(batch.token_count for batch in batches) == letters


@pytest.mark.parametrize(
    ("examples", "reason"),
    [
        ([], "the source is empty"),
        ([PlainText("a")], "are PlainText, a classification model learns from LabelledText"),
        ([LabelledText("a", 0), LabelledText("b", 3)], "example 1 has label 3, .* labels 0 to 2"),
        ([LabelledText("a", -1)], "example 0 has label -1"),
    ],
)
def test_what_a_classifier_cannot_learn_from_is_refused(
    bert: LoadedModel, examples: Examples, reason: str
) -> None:
    with pytest.raises(NoExamplesError, match=reason):
        next(training_batches(examples, bert, LocalTraining()))


@pytest.mark.parametrize("length", [Steps(3), Epochs(1)])
def test_texts_of_one_token_leave_nothing_to_foretell(
    llama: LoadedModel, length: Steps | Epochs
) -> None:
    # Only the end token, so no position has a successor.
    training = LocalTraining(length=length)
    with pytest.raises(NoExamplesError, match="every text is too short"):
        list(training_batches([PlainText("")], llama, training))
