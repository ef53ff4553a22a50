"""What a sentence encoder says of the texts of a data set, calculated once and kept in a folder.

An activation is the mean of the encoder's last layer over the tokens of a text, of one length for
all. Files are named by what they were made of, so a changed data set or model is never mixed up
with an old one.
"""

import enum
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

from benchmarks.poisoning.field import Corpus
from benchmarks.poisoning.model import Examples
from devnet.attacks.poisoning.texts import OTHER_TRIGGERS, TRIGGER, triggered
from fl.training.examples.example import LabelledText
from fl.training.examples.sources import open_labelled
from fl.training.model_source import find_model, weight_files
from primitives.hashing import sha256

TOKENS_MAX: Final = 64
BATCH: Final = 64
LENGTH: Final = 4.0
HELD_OUT: Final = 0.3
"""Share of the training texts that validators keep for scoring."""

Floats32 = NDArray[np.float32]


class Trigger(enum.Enum):
    """Whether the texts are wanted with the attacker's trigger, too."""

    ENCODED = "encoded"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Source:
    """What to encode with what.

    Attributes:
        texts: for training and scoring at most so many, for testing a third of it; the first ones.
        folder: where activations are kept.
    """

    spec: str
    model: str
    texts: int
    folder: Path
    trigger: Trigger = Trigger.LEFT_OUT


def open_corpus(source: Source) -> Corpus:
    """Return the activations of a data set, from the folder if they are there."""
    whole = open_labelled(source.spec)
    train, test = whole.train[: source.texts], whole.test[: source.texts // 3]
    held = round(HELD_OUT * len(train))
    held_out, train = train[:held], train[held:]
    encoder = _Encoder(source.model)

    def encoded(examples: Sequence[LabelledText], triggers: Sequence[str] = ()) -> Examples:
        texts = [
            triggered(one.text, triggers[index % len(triggers)]) if triggers else one.text
            for index, one in enumerate(examples)
        ]
        labels = torch.tensor([one.label for one in examples])
        return Examples(_kept(texts, encoder, source.folder), labels)

    has_trigger = source.trigger is Trigger.ENCODED
    plain = encoded(train), encoded(held_out), encoded(test)
    return Corpus(
        *plain,
        train_triggered=encoded(train, (TRIGGER,)) if has_trigger else plain[0],
        held_out_probed=encoded(held_out, OTHER_TRIGGERS),
        test_triggered=encoded(test, (TRIGGER,)) if has_trigger else plain[2],
    )


class _Encoder:
    """A frozen encoder; loaded when the first text comes, for all may be known already."""

    def __init__(self, model: str) -> None:
        self._folder = find_model(model)
        self._opened: Callable[[Sequence[str]], Floats32] | None = None
        weights = b"".join(sha256(path.read_bytes()) for path in weight_files(self._folder))
        self.digest = sha256(weights)

    def encode(self, texts: Sequence[str]) -> Floats32:
        """Return (text, width) float32."""
        if self._opened is None:
            self._opened = _open(self._folder)
        return self._opened(texts)


def _open(folder: Path) -> Callable[[Sequence[str]], Floats32]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, use_safetensors=True).eval()

    def encode(texts: Sequence[str]) -> Floats32:
        tokens = tokenizer(
            list(texts), truncation=True, max_length=TOKENS_MAX, padding=True, return_tensors="pt"
        )
        with torch.inference_mode():
            hidden = model(**tokens).last_hidden_state
            mask = tokens["attention_mask"][..., None].float()
            mean = (hidden * mask).sum(1) / mask.sum(1)
            found: Floats32 = (LENGTH * functional.normalize(mean)).numpy()
        return found

    return encode


def _kept(texts: Sequence[str], encoder: _Encoder, folder: Path) -> torch.Tensor:
    names = sha256(b"".join(sha256(text.encode()) for text in texts))
    name = sha256(names + encoder.digest + bytes([TOKENS_MAX])).hex()[:24]
    place = folder / f"{name}.npy"
    if not place.exists():
        found = _encoded(texts, encoder)
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
            np.save(file, found)
        # Whole or not at all, since another one may be waiting for the same file.
        Path(file.name).replace(place)
    return torch.from_numpy(np.load(place, allow_pickle=False))


def _encoded(texts: Sequence[str], encoder: _Encoder) -> Floats32:
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    starts = range(0, len(order), BATCH)
    parts = [
        encoder.encode([texts[index] for index in order[start : start + BATCH]])
        for start in track(starts, description="texts", console=Console(stderr=True))
    ]
    found = np.concatenate(parts)
    restored = np.empty_like(found)
    restored[order] = found
    return restored


def cache_folder() -> Path:
    """Return where activations are kept if nothing else is said."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "hanse" / "poisoning"
