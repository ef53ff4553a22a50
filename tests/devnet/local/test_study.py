"""The layers that get adapters are named by their numbers, and what is no number is said so."""

import pytest

from devnet.local.errors import PlanError
from devnet.local.study import parse_layers


@pytest.mark.parametrize(
    ("text", "layers"), [("", ()), ("  ", ()), ("4", (4,)), ("5, 4,5", (4, 5)), ("0,11", (0, 11))]
)
def test_layers_are_numbers_with_commas(text: str, layers: tuple[int, ...]) -> None:
    assert parse_layers(text) == layers


@pytest.mark.parametrize("text", ["x", "4,", ",", "-1", "1.5", "9" * 5_000, "\u0664", "4;5"])
def test_what_is_no_layer_is_said_so(text: str) -> None:
    with pytest.raises(PlanError, match="is no layer; they count from 0"):
        parse_layers(text)


def test_more_layers_than_a_task_may_name_are_refused() -> None:
    with pytest.raises(PlanError, match="1100 are too many"):
        parse_layers(",".join(map(str, range(1_100))))
