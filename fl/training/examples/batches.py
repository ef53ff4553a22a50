"""Turn examples into tensors: padded by length for classes, packed to one length for text.

Every order comes from `shuffle.permutation`, so equal arguments give equal batches. Examples are
read and tokenised a window at a time; nothing here grows with the number of examples but the order.
"""

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from transformers import PreTrainedTokenizerBase

from fl.jobs.local_terms import PromptLoss
from fl.training.examples.example import LabelledText, PlainText
from fl.training.examples.shuffle import permutation
from fl.training.examples.tokens import IGNORED, Encoded, encode_labelled, encode_plain

# Batches that are sorted by length together. Of the tokens of tweets in batches of 16, padding was
# 32 % with 1, 4.4 % with 16, 2.4 % with 32 and 1.2 % with 64; more makes the order less random.
BUCKET_BATCHES = 32
# Texts handed to the tokeniser at once.
WINDOW_EXAMPLES = 512


class Order(enum.Enum):
    """In which order examples are taken."""

    SHUFFLED = "shuffled"
    GIVEN = "given"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """How to cut examples into batches.

    Attributes:
        batch_size: rows of a batch; only the last batches of a window may have fewer.
        tokens_max: the length at which a text is cut, and the length of packed rows.
        seed: decides the order together with `epoch`.
        epoch: how often the examples were gone through before.
        order: GIVEN keeps the examples and the batches in the order of the sequence.
        prompt_loss: of packed and padded causal batches.
    """

    batch_size: int
    tokens_max: int
    seed: int = 0
    epoch: int = 0
    order: Order = Order.SHUFFLED
    prompt_loss: PromptLoss = PromptLoss.IGNORED

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.tokens_max < 2:
            raise ValueError(
                f"a batch needs a row of two tokens, not {self.batch_size} of {self.tokens_max}"
            )


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors on the CPU.

    Attributes:
        input_ids: (rows, length) int64.
        attention_mask: (rows, length) int64, 1 for tokens and 0 for padding.
        labels: (rows,) int64 classes, or (rows, length) int64 tokens with -100 where no loss is
            taken; a causal model shifts them itself.
        indices: the examples of the rows, in order; empty for packed rows, which mix examples.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor
    indices: tuple[int, ...] = ()

    @property
    def token_count(self) -> int:
        """The tokens that are not padding."""
        return int(self.attention_mask.sum())


def classification_batches(
    examples: Sequence[LabelledText], tokenizer: PreTrainedTokenizerBase, *, plan: BatchPlan
) -> Iterator[Batch]:
    """Yield every example once, padded to the longest of its batch.

    Texts of similar length come together, unless the plan keeps the order that is given.
    """
    for rows in _bucketed(_labelled_rows(examples, tokenizer, plan), plan):
        padded = _pad(rows, fill=fill_token(tokenizer))
        classes = torch.tensor([row.labels[0] for row in rows], dtype=torch.int64)
        yield replace(padded, labels=classes)


def padded_batches(
    examples: Sequence[PlainText], tokenizer: PreTrainedTokenizerBase, *, plan: BatchPlan
) -> Iterator[Batch]:
    """Yield every text once, a row each, so that a loss can be told for each example."""
    rows = _cut(_plain_rows(examples, tokenizer, plan), tokens_max=plan.tokens_max)
    for chosen in _bucketed(rows, plan):
        yield _pad(chosen, fill=fill_token(tokenizer))


def packed_batches(
    examples: Sequence[PlainText], tokenizer: PreTrainedTokenizerBase, *, plan: BatchPlan
) -> Iterator[Batch]:
    """Yield rows of exactly `tokens_max` tokens, texts one after another with an end token between.

    No token is lost: a text that reaches past the end of a row goes on in the next, and the last
    row is padded, which the mask and the labels show.
    """
    rows = _packed_rows(_plain_rows(examples, tokenizer, plan), length=plan.tokens_max)
    while chosen := list(islice(rows, plan.batch_size)):
        padded = _pad(chosen, fill=fill_token(tokenizer), length=plan.tokens_max)
        yield replace(padded, indices=())


def fill_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token that fills rows; 0 where a tokenizer has none.

    Masks hide it, but causal models read a class at the last token that is another one.
    """
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if isinstance(token, int):
            return token
    return 0


def _order(count: int, plan: BatchPlan) -> Sequence[int]:
    if plan.order is Order.GIVEN:
        return range(count)
    return permutation(count, seed=plan.seed, epoch=plan.epoch)


def _windows(order: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(order), WINDOW_EXAMPLES):
        yield order[start : start + WINDOW_EXAMPLES]


def _labelled_rows(
    examples: Sequence[LabelledText], tokenizer: PreTrainedTokenizerBase, plan: BatchPlan
) -> Iterator[Encoded]:
    for window in _windows(_order(len(examples), plan)):
        chosen = [(index, examples[index]) for index in window]
        yield from encode_labelled(chosen, tokenizer, tokens_max=plan.tokens_max)


def _plain_rows(
    examples: Sequence[PlainText], tokenizer: PreTrainedTokenizerBase, plan: BatchPlan
) -> Iterator[Encoded]:
    for window in _windows(_order(len(examples), plan)):
        chosen = [(index, examples[index]) for index in window]
        for row in encode_plain(chosen, tokenizer):
            is_whole = plan.prompt_loss is PromptLoss.TRAINED
            yield Encoded(row.index, row.ids, row.ids) if is_whole else row


def _cut(rows: Iterable[Encoded], *, tokens_max: int) -> Iterator[Encoded]:
    for row in rows:
        yield Encoded(row.index, row.ids[:tokens_max], row.labels[:tokens_max])


def _bucketed(rows: Iterator[Encoded], plan: BatchPlan) -> Iterator[list[Encoded]]:
    """Yield batches; a window of them is sorted by length, and then they are shuffled again."""
    size = plan.batch_size
    number = 0
    while window := list(islice(rows, size * BUCKET_BATCHES)):
        if plan.order is Order.SHUFFLED:
            window.sort(key=lambda row: len(row.ids))
        batches = [window[start : start + size] for start in range(0, len(window), size)]
        for chosen in _order_of_batches(len(batches), plan, window=number):
            yield batches[chosen]
        number += 1


def _order_of_batches(count: int, plan: BatchPlan, *, window: int) -> Sequence[int]:
    if plan.order is Order.GIVEN:
        return range(count)
    return permutation(count, seed=plan.seed, epoch=plan.epoch, stream=f"batches-{window}")


def _packed_rows(rows: Iterable[Encoded], *, length: int) -> Iterator[Encoded]:
    """Cut the stream of all tokens into rows of `length`; the last may be shorter."""
    ids: list[int] = []
    labels: list[int] = []
    for row in rows:
        ids += row.ids
        labels += row.labels
        whole = len(ids) - len(ids) % length
        for start in range(0, whole, length):
            yield Encoded(-1, ids[start : start + length], labels[start : start + length])
        del ids[:whole], labels[:whole]
    if ids:
        yield Encoded(-1, ids, labels)


def _pad(rows: Sequence[Encoded], *, fill: int, length: int | None = None) -> Batch:
    """Align rows at the left; `labels` are those of the tokens."""
    width = length or max(1, *(len(row.ids) for row in rows))
    ids = torch.full((len(rows), width), fill, dtype=torch.int64)
    mask = torch.zeros((len(rows), width), dtype=torch.int64)
    labels = torch.full((len(rows), width), IGNORED, dtype=torch.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row.ids)] = torch.tensor(row.ids, dtype=torch.int64)
        mask[place, : len(row.ids)] = 1
        labels[place, : len(row.labels)] = torch.tensor(row.labels, dtype=torch.int64)
    return Batch(ids, mask, labels, tuple(row.index for row in rows))
