"""The benchmark of training trains both sides and prints what it promises."""

import json
from pathlib import Path

import pytest

from benchmarks import training
from benchmarks.comparison import Row
from benchmarks.training_cases import LLAMA_CPU, MINILM, Case, write_random_model
from fl.jobs.subject import ModelKind
from fl.training.models import load_model

SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
CASES = tuple(
    Case(
        name=kind.value,
        kind=kind,
        rows=2,
        length=8,
        vocabulary=1100,
        shape={**shape, **SMALL, "num_attention_heads": 2, **heads},
    )
    for kind, shape, heads in (
        (ModelKind.CLASSIFICATION, MINILM, {}),
        (ModelKind.CAUSAL_LM, LLAMA_CPU, {"num_key_value_heads": 1}),
    )
)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return training.measure_rows(training.Effort(rounds=1, steps=2, cases=CASES))


def test_both_sides_train_every_case(rows: list[Row]) -> None:
    assert {row.peer_name for row in rows} == {training.PEER}
    assert [row.case for row in rows if row.goal is not None] == ["classification", "causal"]
    assert all(row.ours > 0 and row.peer > 0 for row in rows)


def test_speed_is_cost_the_other_way_round(rows: list[Row]) -> None:
    cost, speed = rows[:2]
    assert speed.ours == pytest.approx(1e6 / cost.ours)
    assert speed.ratio == pytest.approx(1 / cost.ratio)


def test_work_of_a_token_is_counted_once(tmp_path: Path) -> None:
    case = CASES[1]
    loaded = load_model(str(write_random_model(case, tmp_path)), kind=case.kind)
    config = json.loads((tmp_path / "config.json").read_text())
    width, inner, layers = 16, 32, 2
    projections = width * (16 + 8 + 8 + 16) + 3 * width * inner
    output = config["vocab_size"] * width
    norms = (2 * layers + 1) * width
    weights = layers * projections + output + norms
    assert training.flops_per_token(loaded, 8) == 4 * weights + 6 * layers * width * 8
