"""The federated benchmark trains real adapters in every arm, ours by the product's own path."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.federated import __main__ as federated
from benchmarks.federated.arms import Run, Tally, spec_of
from benchmarks.federated.field import Field
from benchmarks.federated.prefix import FrozenPrefix
from benchmarks.federated.settings import Arm, Settings
from benchmarks.federated.votes import Jury
from benchmarks.training_cases import ON_CPU, write_random_model
from fl.jobs.subject import ModelKind
from fl.training.adapters import attach, detach
from fl.training.examples.example import LabelledText
from fl.training.examples.tokens import encode_labelled
from fl.training.local import train_local
from fl.training.models import LoadedModel, load_model
from fl.training.scoring.errors import ScoringError
from fl.training.scoring.left_out import by_rule
from fl.training.scoring.scores import Panel, Scorer
from fl.training.scoring.terms import ScoringTerms
from fl.training.tiny import tiny_model_folder

pytestmark = pytest.mark.slow

LABELS = 3
SETTINGS = Settings(model="", data="", clients=2, validators=1, layers=1, batch_size=8)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = write_random_model(ON_CPU[0], tmp_path_factory.mktemp("model"))
    return load_model(str(folder), kind=ModelKind.CLASSIFICATION, labels=LABELS)


def texts(count: int) -> list[LabelledText]:
    """Texts of 3 to 12 words."""
    return [
        LabelledText(
            " ".join(f"w{(number * 7 + place) % 900}" for place in range(3 + number % 10)),
            # The first class has half of them.
            number % (LABELS + 1) % LABELS,
        )
        for number in range(count)
    ]


def run_of(loaded: LoadedModel, *, idle: int = 0) -> Run:
    """A run of our arm on texts that all hold but the idle validators."""
    depth = loaded.model.config.num_hidden_layers
    adapter = attach(loaded, spec_of(SETTINGS, arm=Arm.OURS, depth=depth), seed=1)
    some = texts(24)
    field = Field((some, some), some, (some, *([],) * idle), some, LABELS)
    return Run(Arm.OURS, adapter, field, SETTINGS, 1, Tally(), FrozenPrefix(adapter))


def test_every_arm_trains_on_as_many_texts_and_ours_is_exact_and_portable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, data = tmp_path / "results.jsonl", tmp_path / "data"
    data.mkdir()
    # Nothing that the tiny model has seen, so that every client has something to say.
    for name, numbers in (("train", range(60)), ("test", range(60, 72))):
        lines = [f'{{"text": "COPPER {number} BOILS UNDER THE BRIDGE"}}\n' for number in numbers]
        (data / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    arguments = [
        *("--model", str(tiny_model_folder()), "--data", str(data)),
        *("--task", "causal", "--division", "iid", "--clients", "3", "--seeds", "1"),
        *("--train-max", "36", "--hold-out", "14", "--max-length", "32", "--batch-size", "4"),
        *("--export", str(tmp_path / "adapters"), "--results", str(results)),
        *("--quick", "--json", "--jobs", "1"),
    ]
    federated.main(arguments)
    outcome = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert outcome["arms"].keys() == {arm.value for arm in Arm}
    assert {row["peer_name"] for row in outcome["rows"]} == {
        "pooled",
        "fedavg",
        "adjusted",
        "fedit",
    }
    samples = list(outcome["samples"].values())
    # A packed row that is not full counts as one.
    assert max(samples) - min(samples) <= 2 * 3
    assert all(outcome["checks"].values())
    assert outcome["facts"]["fedit"]["error_of_change_mean"] > 1e-3
    assert outcome["facts"]["ours"]["error_of_change_max"] < 1e-4
    assert (tmp_path / "adapters" / "seed-1" / "adapter_model.safetensors").is_file()

    written = results.read_bytes()
    federated.main(arguments)
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == outcome
    assert results.read_bytes() == written


def test_memory_of_frozen_layers_changes_training_by_rounding_only(loaded: LoadedModel) -> None:
    run = run_of(loaded)
    layers = run.adapter.model.get_base_model().get_submodule("bert.encoder.layer")
    before = list(layers.children())
    whole = run.adapter.tensor_layout()
    start = run.adapter.read_fixed(whole)
    training = run.training(round_number=0, client=0)
    plain = train_local(run.adapter, run.field.pooled, training, round_number=0)
    for _ in ("forgotten", "remembered"):
        run.adapter.write(start, whole)
        found = run.train(run.field.pooled, training, round_number=0)
        assert np.abs(plain.delta).max() > 1_000
        np.testing.assert_allclose(found.delta, plain.delta, atol=np.abs(plain.delta).max() / 100)
    assert list(layers.children()) == before
    detach(run.adapter)


def test_votes_are_those_of_the_product(loaded: LoadedModel) -> None:
    run = run_of(loaded)
    layout = run.adapter.trainable_layout(0)
    current = run.adapter.read_fixed(layout)
    dice = np.random.RandomState(1)
    updates = [
        dice.randint(-(1 << 20), 1 << 20, size=layout.size).astype(np.int32) for _ in range(4)
    ]
    held = encode_labelled(
        list(enumerate(texts(24))), loaded.tokenizer, tokens_max=SETTINGS.max_length
    )
    classes = max(one.labels[0] for one in held) + 1
    panel = Panel(examples=held, classes=classes, adjustment=SETTINGS.adjustment)
    scorer = Scorer(run.adapter, panel, layout=layout, updates=4)
    terms = ScoringTerms(clip=1 << 17)
    expected = scorer.score(
        current,
        updates,
        terms=terms,
        aggregate=by_rule(
            updates,
            limit=terms.clip,
            rule=SETTINGS.rule,
            byzantine_percent=SETTINGS.byzantine_percent,
        ),
    )
    assert any(one.quality > one.alone for one in expected), "one counts for what others lack"
    found = Jury(run).scores(layout, current, updates, limit=terms.clip)
    detach(run.adapter)
    # Chunks of another size add in another order.
    assert [one.score for one in found] == pytest.approx([one.quality for one in expected], abs=2)


def test_validator_without_a_text_that_asks_for_anything_does_not_vote(
    loaded: LoadedModel,
) -> None:
    found = []
    for idle in (0, 2):
        run = run_of(loaded, idle=idle)
        layout = run.adapter.trainable_layout(0)
        update = np.full(layout.size, 1 << 16, np.int32)
        found.append(
            Jury(run).scores(layout, run.adapter.read_fixed(layout), [update], limit=1 << 17)
        )
        detach(run.adapter)
    assert found[0] == found[1]


def test_jury_without_texts_is_one_line(loaded: LoadedModel) -> None:
    run = run_of(loaded)
    empty = replace(run, field=replace(run.field, shards=([],)))
    with pytest.raises(ScoringError, match="raise --max-length"):
        Jury(empty)
    detach(run.adapter)
