"""The benchmark of scoring holds our losses against those of peft, and counts the arithmetic."""

from pathlib import Path

import pytest

from benchmarks import scoring
from benchmarks.comparison import Row
from fl.jobs.subject import ModelKind
from tests.training.tiny_models import write_bert, write_llama


@pytest.fixture(scope="module", name="rows")
def _rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    folder = tmp_path_factory.mktemp("models")
    return scoring.measure_rows(_effort(folder))


def _effort(folder: Path) -> scoring.Effort:
    encoder = str(write_bert(folder / "bert"))
    causal = str(write_llama(folder / "llama"))
    return scoring.Effort(
        cases=(
            scoring.Case("encoder", encoder, ModelKind.CLASSIFICATION, scoring.TEXTS, 1),
            scoring.Case("causal", causal, ModelKind.CAUSAL_LM, scoring.TEXTS, 0),
        ),
        updates=(2, scoring.GOAL_UPDATES),
        examples=5,
        tokens_max=40,
        rounds=2,
    )


def test_losses_are_those_of_the_peer(rows: list[Row]) -> None:
    differences = [row for row in rows if row.case.endswith("difference")]
    assert len(differences) == 4
    assert all(row.met for row in differences)


def test_goal_is_for_sixteen_updates_of_the_last_layers_alone(rows: list[Row]) -> None:
    speeds = [row for row in rows if row.peer_name == scoring.PEER and row.unit == scoring.UNIT]
    assert [(row.case, row.goal) for row in speeds] == [
        ("encoder, N=2", None),
        ("encoder, N=16", scoring.GOAL),
        ("causal, N=2", None),
        ("causal, N=16", None),
    ]
    assert all(row.ours > 0 < row.peer for row in speeds)


def test_arithmetic_shrinks_with_the_updates_that_share_layers(rows: list[Row]) -> None:
    left = {row.case: row.ratio for row in rows if row.unit == "layers x tokens"}
    # One of two layers is shared; of the other, one token is asked. Texts are cut to one length.
    assert left["encoder, N=16: arithmetic"] == pytest.approx((1 / 16 + 1 / 6) / 2)
    assert left["encoder, N=2: arithmetic"] == pytest.approx((1 / 2 + 1 / 6) / 2)
    assert left["causal, N=16: arithmetic"] == pytest.approx(1)
