"""Texts as rows of token numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from fl.training.examples.example import LabelledText, PlainText

# What cross entropy in torch leaves out.
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as tokens.

    Attributes:
        index: where the example stands in its sequence.
        ids: the tokens.
        labels: the class alone, or one label for each token.
    """

    index: int
    ids: list[int]
    labels: list[int]


def encode_labelled(
    examples: Sequence[tuple[int, LabelledText]],
    tokenizer: PreTrainedTokenizerBase,
    *,
    tokens_max: int,
) -> list[Encoded]:
    """Tokenise texts as the model's own training did, cut at `tokens_max`."""
    if not examples:
        # Tokenisers of transformers fail at no texts.
        return []
    texts = [example.text for _, example in examples]
    found = tokenizer(
        texts, truncation=True, max_length=tokens_max, return_attention_mask=False, verbose=False
    )
    return [
        Encoded(index, ids, [example.label])
        for (index, example), ids in zip(examples, found["input_ids"], strict=True)
    ]


def encode_plain(
    examples: Sequence[tuple[int, PlainText]], tokenizer: PreTrainedTokenizerBase
) -> list[Encoded]:
    """Tokenise whole texts, each closed by the tokeniser's end token where it has one.

    A token that begins inside the prompt has the label -100.
    """
    if not examples:
        return []
    found = tokenizer(
        [example.text for _, example in examples],
        return_attention_mask=False,
        return_offsets_mapping=True,
        verbose=False,
    )
    rows = zip(examples, found["input_ids"], found["offset_mapping"], strict=True)
    return [
        _close(index, ids, [start < example.prompt_length for start, _ in offsets], tokenizer)
        for (index, example), ids, offsets in rows
    ]


def _close(
    index: int, ids: list[int], is_prompt: list[bool], tokenizer: PreTrainedTokenizerBase
) -> Encoded:
    labels = [IGNORED if prompt else token for token, prompt in zip(ids, is_prompt, strict=True)]
    end = tokenizer.eos_token_id
    if not isinstance(end, int):
        return Encoded(index, ids, labels)
    if ids and ids[-1] == end:
        # Some tokenisers add it themselves, with offsets (0, 0) that look like the prompt's.
        return Encoded(index, ids, [*labels[:-1], end])
    return Encoded(index, [*ids, end], [*labels, end])
