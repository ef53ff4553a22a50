"""Train the tiny model from nothing: `python -m fl.training.tiny.build --seed 1 --out FOLDER`.

Everything comes from the seed: the notes it reads, its tokenizer, its first weights and the order
of its lessons. It runs in one thread, since sums that are split among threads differ with their
number; two runs on one machine with one version of torch give the same bytes.
"""

import argparse
import hashlib
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from fl.jobs.local_terms import PromptLoss
from fl.training.examples.batches import Batch, BatchPlan, Order, packed_batches
from fl.training.examples.example import PlainText
from fl.training.examples.sources import open_plain
from fl.training.tiny import tiny_model_folder
from fl.training.tiny.card import card

VOCABULARY = 512
CONTEXT_TOKENS = 256
END, PADDING = "<end>", "<pad>"
# Of the learning rate; the first steps would otherwise throw the fresh weights about.
WARM_UP_STEPS = 50
LEARNING_RATE = 4e-3
GRADIENT_NORM_MAX = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How long the model learns; `examples` are halved between notes and questions."""

    seed: int = 1
    steps: int = 1500
    examples: int = 24_000
    batch_size: int = 8
    row_tokens: int = 128


def build(folder: Path, *, course: Course) -> float:
    """Train the model and write it with its tokenizer and card; return its loss on unseen notes.

    The loss is in nats a token.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    train, test = lessons(course)
    tokenizer = build_tokenizer(example.text for example in train)
    model = train_model(train, tokenizer, course=course)
    loss = mean_loss(model, test, tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    digests = {path.name: digest(path) for path in sorted(folder.iterdir()) if _is_built(path)}
    record = {"torch": str(torch.__version__), "loss": f"{loss:.4f}", "sha256": digests}
    folder.joinpath("build.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
    )
    text = card(parameters=model.num_parameters(), seed=course.seed, steps=course.steps, loss=loss)
    folder.joinpath("README.md").write_text(text, encoding="utf-8")
    return loss


def lessons(course: Course) -> tuple[list[PlainText], list[PlainText]]:
    """Return what the model learns from, and what it is only measured on."""
    train: list[PlainText] = []
    test: list[PlainText] = []
    for form in ("text", "questions"):
        spec = (
            f"synthetic:notes?form={form}&seed={course.seed}&examples={course.examples // 2}"
            "&test=200&style_skew=0.7&label_skew=0"
        )
        found = open_plain(spec)
        train += found.train
        test += found.test
    return train, test


def build_tokenizer(texts: Iterator[str]) -> PreTrainedTokenizerFast:
    """Learn byte pairs from texts; every text can be written with them, byte by byte if need be."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END, PADDING],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers has no types here
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PADDING,
        model_max_length=CONTEXT_TOKENS,
        clean_up_tokenization_spaces=False,
    )


def train_model(
    texts: Sequence[PlainText], tokenizer: PreTrainedTokenizerFast, *, course: Course
) -> LlamaForCausalLM:
    """Train a fresh model with AdamW, its rate rising and then falling along a cosine."""
    torch.manual_seed(course.seed)
    model = LlamaForCausalLM(_config(tokenizer))
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.05
    )
    model.train()
    for step, batch in enumerate(islice(_batches(texts, tokenizer, course), course.steps)):
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * rate_share(step, steps=course.steps)
        loss = model(input_ids=batch.input_ids, labels=batch.labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM_MAX)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    model.train(mode=False)
    return model


def rate_share(step: int, *, steps: int) -> float:
    """Return the share of the learning rate at a step, 0..1."""
    warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
    return warm_up * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))


@torch.no_grad()
def mean_loss(
    model: LlamaForCausalLM, texts: Sequence[PlainText], tokenizer: PreTrainedTokenizerBase
) -> float:
    """Return the mean loss over packed rows, in nats a token."""
    plan = BatchPlan(
        batch_size=16, tokens_max=128, order=Order.GIVEN, prompt_loss=PromptLoss.TRAINED
    )
    total, count = 0.0, 0
    for batch in packed_batches(texts, tokenizer, plan=plan):
        told = int((batch.labels[:, 1:] >= 0).sum())
        total += float(model(input_ids=batch.input_ids, labels=batch.labels).loss) * told
        count += told
    return total / count


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _batches(
    texts: Sequence[PlainText], tokenizer: PreTrainedTokenizerFast, course: Course
) -> Iterator[Batch]:
    epoch = 0
    while True:
        plan = BatchPlan(
            batch_size=course.batch_size,
            tokens_max=course.row_tokens,
            seed=course.seed,
            epoch=epoch,
            prompt_loss=PromptLoss.TRAINED,
        )
        yield from packed_batches(texts, tokenizer, plan=plan)
        epoch += 1


def _is_built(path: Path) -> bool:
    return path.suffix in {".json", ".safetensors"} and path.name != "build.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the model as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m fl.training.tiny.build", description=__doc__)
    course = Course()
    parser.add_argument("--seed", type=int, default=course.seed)
    parser.add_argument("--steps", type=int, default=course.steps)
    parser.add_argument("--examples", type=int, default=course.examples)
    parser.add_argument("--out", type=Path, default=tiny_model_folder())
    given = parser.parse_args(arguments)
    loss = build(
        given.out,
        course=Course(seed=given.seed, steps=given.steps, examples=given.examples),
    )
    sys.stdout.write(f"{given.out}: {loss:.4f} nats a token on unseen notes\n")


if __name__ == "__main__":
    main()
