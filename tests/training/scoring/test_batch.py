import pytest
import torch

from fl.jobs.subject import ModelKind
from fl.training.examples.tokens import IGNORED, Encoded
from fl.training.scoring.batch import check_examples, cut
from fl.training.scoring.errors import ScoringError
from tests.training.scoring.scenes import random_examples

CPU = torch.device("cpu")


def test_every_example_comes_once_and_nothing_is_padding() -> None:
    examples = random_examples(ModelKind.CLASSIFICATION, count=40)
    batches = list(cut(examples, kind=ModelKind.CLASSIFICATION, tokens_max=20, device=CPU))
    seen = [index for batch in batches for index in batch.indices]
    assert sorted(seen) == list(range(40))
    for batch in batches:
        rows = [examples[index].ids for index in batch.indices]
        assert batch.ids.tolist() == rows
        assert len(rows) == 1 or batch.ids.numel() <= 20


def test_each_token_is_asked_at_the_place_before_it_and_counts_in_its_row() -> None:
    examples = [
        Encoded(0, [5, 6, 7, 8], [IGNORED, IGNORED, 7, 8]),
        Encoded(1, [1, 2, 3, 4], [IGNORED, IGNORED, IGNORED, 4]),
    ]
    (batch,) = cut(examples, kind=ModelKind.CAUSAL_LM, tokens_max=100, device=CPU)
    asked = batch.asked
    assert asked.targets.tolist() == [7, 8, 4]
    assert asked.places is not None
    assert asked.places.tolist() == [1, 2, 6]
    assert asked.shares.tolist() == [[0.5, 0], [0.5, 0], [0, 1]]


@pytest.mark.parametrize(
    ("examples", "kind", "complaint"),
    [
        ([], ModelKind.CLASSIFICATION, "no examples"),
        ([Encoded(0, [], [1])], ModelKind.CLASSIFICATION, "example 0 has no tokens"),
        ([Encoded(0, [1, 2], [1, IGNORED])], ModelKind.CAUSAL_LM, "example 0 asks for no token"),
        (
            [Encoded(0, [1, 2], [1, 2]), Encoded(1, [3], [3])],
            ModelKind.CAUSAL_LM,
            "example 1 asks for no token",
        ),
    ],
)
def test_examples_without_a_loss_are_refused_by_number(
    examples: list[Encoded], kind: ModelKind, complaint: str
) -> None:
    with pytest.raises(ScoringError, match=complaint):
        check_examples(examples, kind)
