"""A panel that does not fit its model is refused by the example that does not."""

import json
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, RobertaConfig, RobertaForSequenceClassification

from fl.jobs.subject import ExampleSource, Half, ModelKind, PanelSource
from fl.training.examples.errors import ExamplesError
from fl.training.models import LoadedModel, load_model
from fl.worker.examples import read_examples, read_panel
from tests.worker.places import WORDS, write_examples, write_language_model, write_model

POSITIONS = 32


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("panel")
    write_model(folder / "model", positions=POSITIONS)
    write_language_model(folder / "language_model")
    write_examples(folder / "examples", count=4)
    write_examples(folder / "long", count=4, repeats=POSITIONS)
    return folder


def classifier(folder: Path) -> LoadedModel:
    return load_model(str(folder / "model"), kind=ModelKind.CLASSIFICATION, labels=2)


def panel_of(folder: Path, *, tokens_max: int = 128) -> PanelSource:
    source = ExampleSource(spec=str(folder), half=Half.TEST)
    return PanelSource(examples=source, tokens_max=tokens_max)


@pytest.mark.parametrize("name", ["held.jsonl", "test.jsonl", "train.jsonl"])
def test_held_out_folder_is_read_whole(tmp_path: Path, name: str) -> None:
    rows = [{"text": f"film {number}", "label": number % 2} for number in range(30)]
    (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = ExampleSource(spec=str(tmp_path), half=Half.HELD_OUT, label_names=("0", "1"))
    for kind in ModelKind:
        assert [one.text for one in read_examples(source, kind=kind)] == [
            row["text"] for row in rows
        ]


def test_held_out_folder_with_both_splits_gives_its_test_half(folder: Path) -> None:
    held_out, test = (
        ExampleSource(spec=str(folder / "examples"), half=half, label_names=("0", "1"))
        for half in (Half.HELD_OUT, Half.TEST)
    )
    kind = ModelKind.CLASSIFICATION
    assert list(read_examples(held_out, kind=kind)) == list(read_examples(test, kind=kind))


def test_generated_notes_hold_out_their_own_test_split() -> None:
    held_out, test = (
        ExampleSource(spec="synthetic:notes?examples=40", half=half)
        for half in (Half.HELD_OUT, Half.TEST)
    )
    kind = ModelKind.CLASSIFICATION
    assert list(read_examples(held_out, kind=kind)) == list(read_examples(test, kind=kind))


def test_classes_of_a_held_out_folder_need_no_names(tmp_path: Path) -> None:
    rows = [{"text": f"film {number}", "label": 0} for number in range(3)]
    (tmp_path / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = ExampleSource(spec=str(tmp_path), half=Half.HELD_OUT)
    assert len(read_examples(source, kind=ModelKind.CLASSIFICATION)) == 3


def test_label_beyond_the_classes_of_the_model_is_named(tmp_path: Path, folder: Path) -> None:
    for half in ("train", "test"):
        rows = [{"text": "a film", "label": number} for number in range(3)]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{half}.jsonl").write_text(lines)
    with pytest.raises(ExamplesError, match="example 2 has label 2, the model has labels 0 to 1"):
        read_panel(panel_of(tmp_path), loaded=classifier(folder))
    source = ExampleSource(spec=str(tmp_path), half=Half.TEST, label="label", chosen=(0, 2))
    with pytest.raises(ExamplesError, match="field 'label': example 2 has label 2"):
        read_panel(PanelSource(examples=source), loaded=classifier(folder))


def test_text_longer_than_the_model_can_read_is_named(folder: Path) -> None:
    loaded = classifier(folder)
    with pytest.raises(
        ExamplesError,
        match="example 0 has 33 tokens, the model has positions for 32: lower tokens_max",
    ):
        read_panel(panel_of(folder / "long", tokens_max=POSITIONS + 1), loaded=loaded)
    panel = read_panel(panel_of(folder / "long", tokens_max=POSITIONS), loaded=loaded)
    assert {len(one.ids) for one in panel.examples} == {POSITIONS}


def test_short_texts_are_scored_whatever_the_cut(folder: Path) -> None:
    panel = read_panel(panel_of(folder / "examples", tokens_max=1_000), loaded=classifier(folder))
    assert len(panel.examples) == 4


def test_text_longer_than_a_language_model_can_read_is_named(folder: Path) -> None:
    loaded = load_model(str(folder / "language_model"), kind=ModelKind.CAUSAL_LM)
    with pytest.raises(ExamplesError, match="example 0 has 128 tokens"):
        read_panel(panel_of(folder / "long"), loaded=loaded)


def test_probes_are_checked_too(folder: Path) -> None:
    good, long = (panel_of(folder / name).examples for name in ("examples", "long"))
    with pytest.raises(ExamplesError, match=r"long: example 0 has 128 tokens"):
        read_panel(PanelSource(examples=good, probes=(long,)), loaded=classifier(folder))


def test_positions_that_begin_behind_padding_are_fewer(tmp_path: Path, folder: Path) -> None:
    write_model(tmp_path / "model")
    config = RobertaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=POSITIONS + 2,
        pad_token_id=1,
    )
    RobertaForSequenceClassification(config).save_pretrained(tmp_path / "model")
    loaded = classifier(tmp_path)
    assert loaded.positions == POSITIONS
    panel = read_panel(panel_of(folder / "long", tokens_max=loaded.positions), loaded=loaded)
    # It can read that much, and not a token more.
    loaded.model(torch.tensor([panel.examples[0].ids]))
    with pytest.raises(RuntimeError, match="out of bounds"):
        loaded.model(torch.tensor([[*panel.examples[0].ids, 2]]))


def test_model_without_named_positions_has_no_limit(folder: Path) -> None:
    loaded = classifier(folder)
    assert loaded.positions == POSITIONS
    config = loaded.model.config
    assert isinstance(config, BertConfig)
    config.max_position_embeddings = -1
    assert loaded.positions is None
