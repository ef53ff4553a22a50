from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from fl.jobs.local_terms import PromptLoss
from fl.training.examples.batches import (
    Batch,
    BatchPlan,
    Order,
    classification_batches,
    fill_token,
    packed_batches,
    padded_batches,
)
from fl.training.examples.example import LabelledText, PlainText
from fl.training.examples.tokens import IGNORED
from fl.training.tiny import tiny_model_folder

NOTES = [LabelledText("The bridge has a crack. " * (1 + n * 7 % 9), n % 3) for n in range(100)]
STORIES = [PlainText(f"Note {n} by Ada. " * (1 + n % 5)) for n in range(60)]
ASKED = PlainText("What kind of note is this?\nAnswer: It is urgent.", 27)


@pytest.fixture(name="tokenizer", scope="module")
def _tokenizer() -> PreTrainedTokenizerBase:
    found = AutoTokenizer.from_pretrained(tiny_model_folder())
    assert isinstance(found, PreTrainedTokenizerBase)
    return found


def plan(**changes: object) -> BatchPlan:
    given = {"batch_size": 8, "tokens_max": 64, "seed": 5, **changes}
    return BatchPlan(**given)  # type: ignore[arg-type]


def written(batch: Batch, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Return the texts of the rows without their padding."""
    rows = zip(batch.input_ids, batch.attention_mask, strict=True)
    return [str(tokenizer.decode(ids[mask == 1])) for ids, mask in rows]


def same(left: Sequence[Batch], right: Sequence[Batch]) -> bool:
    return all(
        torch.equal(a.input_ids, b.input_ids) and torch.equal(a.labels, b.labels)
        for a, b in zip(left, right, strict=True)
    )


def test_every_labelled_text_comes_once_with_its_class(tokenizer: PreTrainedTokenizerBase) -> None:
    batches = list(classification_batches(NOTES, tokenizer, plan=plan(tokens_max=256)))
    assert sorted(index for batch in batches for index in batch.indices) == list(range(100))
    for batch in batches:
        assert batch.labels.tolist() == [NOTES[index].label for index in batch.indices]
        assert written(batch, tokenizer) == [NOTES[index].text for index in batch.indices]
        assert batch.labels.dtype == batch.input_ids.dtype == torch.int64


def test_texts_of_similar_length_come_together(tokenizer: PreTrainedTokenizerBase) -> None:
    def padding(order: Order) -> int:
        chosen = plan(tokens_max=256, order=order)
        found = classification_batches(NOTES, tokenizer, plan=chosen)
        return sum(batch.attention_mask.numel() - batch.token_count for batch in found)

    assert padding(Order.SHUFFLED) * 4 < padding(Order.GIVEN)


def test_given_order_is_kept(tokenizer: PreTrainedTokenizerBase) -> None:
    batches = classification_batches(NOTES, tokenizer, plan=plan(order=Order.GIVEN))
    assert [index for batch in batches for index in batch.indices] == list(range(100))


def test_equal_plans_give_equal_batches_and_epochs_differ(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    def batches(epoch: int) -> list[Batch]:
        return list(classification_batches(NOTES, tokenizer, plan=plan(epoch=epoch)))

    assert same(batches(0), batches(0))
    assert [b.indices for b in batches(0)] != [b.indices for b in batches(1)]


def test_long_texts_are_cut(tokenizer: PreTrainedTokenizerBase) -> None:
    labelled = classification_batches(NOTES, tokenizer, plan=plan(tokens_max=10))
    plain = padded_batches(STORIES, tokenizer, plan=plan(tokens_max=10))
    assert {batch.input_ids.shape[1] for batch in labelled} == {10}
    assert max(batch.input_ids.shape[1] for batch in plain) == 10


def test_packed_rows_hold_every_token_once(tokenizer: PreTrainedTokenizerBase) -> None:
    batches = list(packed_batches(STORIES, tokenizer, plan=plan(order=Order.GIVEN)))
    assert {batch.input_ids.shape[1] for batch in batches} == {64}
    assert {batch.input_ids.shape[0] for batch in batches[:-1]} == {8}
    stream = "".join(text for batch in batches for text in written(batch, tokenizer))
    assert stream == "".join(f"{story.text}<end>" for story in STORIES)
    assert all(batch.indices == () for batch in batches)


def test_only_the_last_packed_row_is_padded(tokenizer: PreTrainedTokenizerBase) -> None:
    *whole, last = packed_batches(STORIES, tokenizer, plan=plan())
    assert all(bool(batch.attention_mask.all()) for batch in whole)
    assert bool(last.attention_mask[:-1].all())
    padding = last.attention_mask == 0
    assert bool(padding.any())
    assert set(last.labels[padding].tolist()) == {IGNORED}
    assert set(last.input_ids[padding].tolist()) == {tokenizer.pad_token_id}


def test_shuffled_packing_changes_the_order_only(tokenizer: PreTrainedTokenizerBase) -> None:
    def tokens(epoch: int) -> list[int]:
        found = packed_batches(STORIES, tokenizer, plan=plan(epoch=epoch))
        return [token for batch in found for token in batch.input_ids.flatten().tolist()]

    assert tokens(0) == tokens(0)
    assert tokens(0) != tokens(1)
    assert Counter(tokens(0)) == Counter(tokens(1))


def test_no_loss_is_taken_on_prompts_unless_asked_for(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    (batch,) = padded_batches([ASKED], tokenizer, plan=plan())
    learnt = batch.labels[batch.labels != IGNORED]
    assert tokenizer.decode(learnt) == f"{ASKED.answer}<end>"
    (batch,) = padded_batches([ASKED], tokenizer, plan=plan(prompt_loss=PromptLoss.TRAINED))
    assert torch.equal(batch.labels, batch.input_ids)


def test_row_for_each_text_has_its_own_end(tokenizer: PreTrainedTokenizerBase) -> None:
    for batch in padded_batches(STORIES, tokenizer, plan=plan(tokens_max=256)):
        texts = [f"{STORIES[index].text}<end>" for index in batch.indices]
        assert written(batch, tokenizer) == texts


def test_end_token_that_the_text_itself_brings_is_not_doubled(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    (batch,) = padded_batches([PlainText("Note.<end>", 5)], tokenizer, plan=plan())
    assert written(batch, tokenizer) == ["Note.<end>"]
    assert batch.labels[0, -1] == tokenizer.eos_token_id


def test_rows_are_filled_with_some_token_whatever_the_tokenizer_has() -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_folder())
    tokenizer.pad_token = None
    assert fill_token(tokenizer) == tokenizer.eos_token_id
    tokenizer.eos_token = None
    assert fill_token(tokenizer) == 0
    (batch,) = padded_batches([PlainText("Note.")], tokenizer, plan=plan())
    assert written(batch, tokenizer) == ["Note."]


def test_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="a batch needs a row of two tokens, not 0 of 64"):
        plan(batch_size=0)
