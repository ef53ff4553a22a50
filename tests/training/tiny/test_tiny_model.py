"""The model that is shipped: small, whole, and better than chance at what it was made for."""

import hashlib
import math
from pathlib import Path

import msgspec
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from fl.training.examples.sources import open_plain
from fl.training.tiny import tiny_model_folder
from fl.training.tiny.build import Course, build_tokenizer, lessons, mean_loss

FOLDER = tiny_model_folder()


class Record(msgspec.Struct):
    torch: str
    loss: str
    sha256: dict[str, str]


@pytest.fixture(name="record", scope="module")
def _record() -> Record:
    return msgspec.json.decode(FOLDER.joinpath("build.json").read_bytes(), type=Record)


@pytest.fixture(name="model", scope="module")
def _model() -> LlamaForCausalLM:
    model = AutoModelForCausalLM.from_pretrained(FOLDER)
    assert isinstance(model, LlamaForCausalLM)
    return model


def test_files_are_those_that_the_build_wrote(record: Record) -> None:
    found = {name: hashlib.sha256(_file(name).read_bytes()).hexdigest() for name in record.sha256}
    assert found == record.sha256
    assert {path.name for path in FOLDER.iterdir()} == {*record.sha256, "build.json", "README.md"}


def test_weights_are_at_most_two_megabytes_of_safetensors() -> None:
    assert _file("model.safetensors").stat().st_size <= 2_000_000
    assert not [path for path in FOLDER.iterdir() if path.suffix in {".bin", ".pt", ".pkl", ".py"}]


def test_unseen_notes_cost_what_the_card_says(record: Record, model: LlamaForCausalLM) -> None:
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    test = open_plain("synthetic:notes?seed=99&examples=1&test=60&style_skew=0.7").test
    loss = mean_loss(model, test, tokenizer)
    assert loss < 0.75
    assert loss < math.log(len(tokenizer)) / 8
    assert f"{record.loss} nats a token" in _file("README.md").read_text(encoding="utf-8")


def test_model_goes_on_with_a_note(model: LlamaForCausalLM) -> None:
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    begun = tokenizer("Clerk Ada records:", return_tensors="pt")
    with torch.no_grad():
        ids = model.generate(**begun, max_new_tokens=40, do_sample=False)  # type: ignore[misc]  # transformers types the method on another class
    text = str(tokenizer.decode(ids[0]))
    assert text.count(".") >= 1
    assert set("".join(text.split()).lower()) <= set("abcdefghijklmnopqrstuvwxyz0123456789.,:<>")


def test_tokenizer_writes_every_text_and_is_the_one_that_its_lessons_give() -> None:
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    for text in ("Grüße 🍎\n\ttab  two", "\x00\x7f", "日本語"):
        assert tokenizer.decode(tokenizer(text).input_ids) == text


@pytest.mark.slow
def test_tokenizer_is_built_again_to_the_same_bytes(tmp_path: Path) -> None:
    train, _ = lessons(Course())
    build_tokenizer(example.text for example in train).save_pretrained(tmp_path)
    assert _file("tokenizer.json").read_bytes() == tmp_path.joinpath("tokenizer.json").read_bytes()


def _file(name: str) -> Path:
    return FOLDER / name
