"""A tiny classifier and a few examples on disk, and desks that keep what is said."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from fl.jobs.local_terms import LocalTerms, Unit
from fl.jobs.progress import Progress
from fl.jobs.subject import AdaptedModel, AdapterShape, ExampleSource, FrozenModel, ModelKind
from fl.jobs.work import PrepareJob, TrainJob
from fl.worker.desk import Desk
from fl.worker.machine import MachineClock

GOOD = ("good", "fine", "great", "lovely")
BAD = ("bad", "poor", "awful", "dull")
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "film", "very", *GOOD, *BAD)
TERMS = LocalTerms(
    unit=Unit.STEPS, length=12, batch_size=8, max_length=16, learning_rate_nano=20_000_000
)


def write_model(folder: Path, *, width: int = 32, positions: int = 32) -> Path:
    """Write a classifier of two labels with random weights; return its folder.

    Args:
        folder: is made.
        width: of the inner layers; activations take memory in proportion.
        positions: tokens of the longest text.
    """
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=width,
        max_position_embeddings=positions,
        pad_token_id=0,
        # As BERT starts, so narrow a model would tell all words apart by next to nothing.
        initializer_range=0.5,
    )
    config.num_labels = 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        BertForSequenceClassification(config).save_pretrained(folder)
    _write_tokenizer(folder)
    return folder


def write_language_model(folder: Path) -> Path:
    """Write a causal language model with random weights; return its folder."""
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        initializer_range=0.5,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        LlamaForCausalLM(config).save_pretrained(folder)
    _write_tokenizer(folder)
    return folder


def _write_tokenizer(folder: Path) -> None:
    words = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, "[UNK]"))
    words.pre_tokenizer = Whitespace()
    marks = {"unk_token": "[UNK]", "pad_token": "[PAD]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, **marks)  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder)


def write_examples(folder: Path, *, count: int = 32, repeats: int = 1) -> Path:
    """Write labelled texts that say by one word which class they are of.

    Args:
        folder: is made.
        count: of each half.
        repeats: how often a text says the same, to be long.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "text": f"a very {(BAD, GOOD)[number % 2][number // 2 % 4]} film " * repeats,
            "label": number % 2,
        }
        for number in range(count)
    ]
    for half in ("train", "test"):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{half}.jsonl").write_text(text)
    return folder


def subject_of(model: Path) -> AdaptedModel:
    """Return the tiny classifier with an adapter as its seed makes it."""
    frozen = FrozenModel(source=str(model), kind=ModelKind.CLASSIFICATION, labels=2)
    return AdaptedModel(
        frozen=frozen, adapter=AdapterShape(rank=2, alpha=4, targets=("query", "value"))
    )


def language_subject_of(model: Path) -> AdaptedModel:
    """Return the language model with an adapter as its seed makes it."""
    frozen = FrozenModel(source=str(model), kind=ModelKind.CAUSAL_LM)
    return AdaptedModel(frozen=frozen, adapter=AdapterShape(rank=2, alpha=4))


def prepare_job(place: Path) -> PrepareJob:
    """Return the job that prepares the task of this place."""
    return PrepareJob(subject=subject_of(place / "model"), folder=str(place / "blobs"))


def train_job(place: Path, *, round_number: int = 0, terms: LocalTerms = TERMS) -> TrainJob:
    """Return the job that trains on the examples of this place."""
    return TrainJob(
        subject=subject_of(place / "model"),
        round=round_number,
        examples=ExampleSource(spec=str(place / "examples"), label_names=("0", "1")),
        terms=terms,
        folder=str(place / "blobs"),
    )


def quiet_desk(heard: list[Progress] | None = None) -> Desk:
    """Return a desk whose reports go into a list."""
    return Desk((heard if heard is not None else []).append, clock=MachineClock())
