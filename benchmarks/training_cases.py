"""What the benchmark of training trains: random models of real shapes, random words."""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from fl.jobs.subject import ModelKind
from fl.training.examples.example import LabelledText, PlainText
from fl.training.models import Precision
from fl.training.settings import LocalTraining, Steps
from fl.training.stream import Examples

LABELS: Final = 3
MINILM: Final = {
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_attention_heads": 12,
    "num_hidden_layers": 6,
}
LLAMA_CPU: Final = {
    "hidden_size": 384,
    "intermediate_size": 1024,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "num_hidden_layers": 6,
}
# The shape of Llama 3.2 1B with a smaller vocabulary.
LLAMA_GPU: Final = {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_hidden_layers": 16,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model of a shape, or one that is named, and how it is trained.

    Attributes:
        source: a model to load; empty for a random one of `shape`.
        rows: of a batch.
        length: tokens of a row.
    """

    name: str
    kind: ModelKind
    rows: int
    length: int
    vocabulary: int = 0
    shape: dict[str, Any] | None = None
    source: str = ""
    precision: Precision = Precision.FLOAT32

    def training(self, steps: int) -> LocalTraining:
        """Return the settings of a run."""
        return LocalTraining(
            length=Steps(steps), batch_size=self.rows, max_length=self.length, learning_rate=1e-3
        )

    def examples(self, steps: int) -> Examples:
        """Return texts that fill every row of so many steps."""
        dice = random.Random(7)
        words = [f"w{number}" for number in range(1000)]
        texts = [" ".join(dice.choices(words, k=self.length)) for _ in range(steps * self.rows)]
        if self.kind is ModelKind.CAUSAL_LM:
            return [PlainText(text) for text in texts]
        return [LabelledText(text, number % LABELS) for number, text in enumerate(texts)]


ON_CPU: Final = (
    Case(
        name="encoder of MiniLM's shape",
        kind=ModelKind.CLASSIFICATION,
        rows=16,
        length=64,
        vocabulary=30_522,
        shape=MINILM,
    ),
    Case(
        name="causal, 17 M parameters",
        kind=ModelKind.CAUSAL_LM,
        rows=8,
        length=128,
        vocabulary=8_192,
        shape=LLAMA_CPU,
    ),
)
ON_GPU: Final = (
    Case(
        name="causal, 1.1 G parameters",
        kind=ModelKind.CAUSAL_LM,
        rows=8,
        length=1024,
        vocabulary=32_000,
        shape=LLAMA_GPU,
        precision=Precision.BFLOAT16,
    ),
)


def write_random_model(case: Case, folder: Path) -> Path:
    """Write a model of the case's shape with random weights and a tokenizer of whole words."""
    assert case.shape is not None
    sizes: dict[str, Any] = {**case.shape, "vocab_size": case.vocabulary, "pad_token_id": 0}
    torch.manual_seed(1)
    model: PreTrainedModel
    if case.kind is ModelKind.CAUSAL_LM:
        longest = case.length
        model = LlamaForCausalLM(
            LlamaConfig(**sizes, max_position_embeddings=longest, tie_word_embeddings=True)
        )
    else:
        model = BertModel(BertConfig(**sizes))
    tensors = {
        name: tensor.contiguous()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    plain = {**model.config.to_dict(), "architectures": [type(model).__name__]}
    (folder / "config.json").write_text(json.dumps(plain), encoding="utf-8")
    _word_tokenizer().save_pretrained(folder)
    return folder


def _word_tokenizer() -> PreTrainedTokenizerFast:
    words = ["[PAD]", "[UNK]", "[EOS]", *(f"w{number}" for number in range(1000))]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token="[PAD]",  # noqa: S106 - no password
        eos_token="[EOS]",  # noqa: S106
        unk_token="[UNK]",  # noqa: S106
    )
