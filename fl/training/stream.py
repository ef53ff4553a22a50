"""The batches of a training run, in an order that follows from its seed."""

import itertools
from collections.abc import Iterator, Sequence

from fl.jobs.subject import ModelKind
from fl.training.errors import NoExamplesError
from fl.training.examples.batches import (
    Batch,
    BatchPlan,
    classification_batches,
    packed_batches,
)
from fl.training.examples.example import LabelledText, PlainText
from fl.training.models import LoadedModel
from fl.training.settings import Epochs, LocalTraining, Steps

Examples = Sequence[LabelledText] | Sequence[PlainText]


def training_batches(
    examples: Examples, loaded: LoadedModel, training: LocalTraining
) -> Iterator[Batch]:
    """Yield the batch of each optimiser step.

    Raises:
        NoExamplesError: there are none, they are of another kind than the model, or none of them
            asks for a loss.
    """
    check_examples(examples, loaded)
    match training.length:
        case Epochs(count):
            for epoch in range(count):
                yield from _epoch(examples, loaded, training, epoch)
        case Steps(count):
            yield from itertools.islice(_endless(examples, loaded, training), count)


def check_examples(examples: Examples, loaded: LoadedModel) -> None:
    """Refuse examples that a model cannot learn from.

    Raises:
        NoExamplesError: says why.
    """
    if not examples:
        raise NoExamplesError("there are no examples: the source is empty")
    wanted = LabelledText if loaded.kind is ModelKind.CLASSIFICATION else PlainText
    found = type(examples[0])
    if found is not wanted:
        raise NoExamplesError(
            f"the examples are {found.__name__}, "
            f"a {loaded.kind.value} model learns from {wanted.__name__}"
        )


def _endless(examples: Examples, loaded: LoadedModel, training: LocalTraining) -> Iterator[Batch]:
    for epoch in itertools.count():
        yield from _epoch(examples, loaded, training, epoch)


def _epoch(
    examples: Examples, loaded: LoadedModel, training: LocalTraining, epoch: int
) -> Iterator[Batch]:
    """Yield the batches of one pass; a batch that asks for no loss is left out."""
    plan = BatchPlan(
        batch_size=training.batch_size,
        tokens_max=training.max_length,
        seed=training.seed,
        epoch=epoch,
        prompt_loss=training.prompt_loss,
    )
    is_empty = True
    for batch in _batches(examples, loaded, plan):
        if loaded.labels:
            _check_labels(batch, loaded.labels)
        if asks_loss(batch):
            is_empty = False
            yield batch
    if is_empty:
        raise NoExamplesError("no example leaves a token to foretell: every text is too short")


def _check_labels(batch: Batch, count: int) -> None:
    """Refuse labels that the model does not have; torch would read beyond its memory."""
    wrong = (batch.labels < 0) | (batch.labels >= count)
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        raise NoExamplesError(
            f"example {batch.indices[row]} has label {int(batch.labels[row])}, "
            f"the model has labels 0 to {count - 1}"
        )


def asks_loss(batch: Batch) -> bool:
    """Tell whether any row has something to learn."""
    return batch.labels.ndim == 1 or bool((batch.labels[:, 1:] >= 0).any())


def _batches(examples: Examples, loaded: LoadedModel, plan: BatchPlan) -> Iterator[Batch]:
    # `check_examples` has asked of which kind they are.
    if loaded.kind is ModelKind.CLASSIFICATION:
        labelled: Sequence[LabelledText] = examples  # type: ignore[assignment]
        return classification_batches(labelled, loaded.tokenizer, plan=plan)
    plain: Sequence[PlainText] = examples  # type: ignore[assignment]
    return packed_batches(plain, loaded.tokenizer, plan=plan)
