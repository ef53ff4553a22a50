"""Real texts, where the machine has them: what is read is what their authors say is in them."""

import pytest

from fl.training.examples.columns import Columns
from fl.training.examples.sources import open_labelled, open_plain
from tests.shared import shared_folder


@pytest.mark.parametrize(
    ("name", "train", "test", "classes"),
    [
        ("twitter_airline", [6803, 2233, 1657], 2138, 3),
        ("medical_abstracts", [449, 199, 260, 427, 657], 399, 5),
        ("pubmedqa", [253, 83, 414], 150, 3),
        pytest.param("imdb", [18457, 18724], 7424, 2, marks=pytest.mark.slow),
    ],
)
def test_labelled_texts_are_counted_as_their_card_says(
    name: str, train: list[int], test: int, classes: int
) -> None:
    found = open_labelled(str(shared_folder(f"data/{name}")))
    numbers = found.train.numbers.tolist()
    assert [numbers.count(label) for label in range(classes)] == train
    assert len(found.test) == test


def test_questions_and_answers_are_read_with_their_groups() -> None:
    folder = shared_folder("data/medquad")
    found = open_plain(str(folder), columns=Columns(group="source"))
    assert (len(found.train), len(found.test)) == (6705, 1341)
    assert list(found.train.groups).count("NHLBI") == 100
    assert found.train[0].prompt == "What is (are) Lymphocytic colitis ?\n"
    assert found.train[0].answer.startswith("Lymphocytic colitis is")


def test_stories_have_no_prompt() -> None:
    found = open_plain(str(shared_folder("data/tinystories_1000")))
    assert (len(found.train), len(found.test)) == (750, 150)
    assert {example.prompt for example in found.train} == {""}
