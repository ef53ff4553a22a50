"""Read the examples that a job names, and cut them into tokens for scoring."""

from collections.abc import Sequence
from typing import TypeVar

from fl.jobs.subject import ExampleSource, Half, ModelKind, PanelSource
from fl.training.examples.columns import Columns
from fl.training.examples.errors import ExamplesError
from fl.training.examples.example import LabelledText, PlainText
from fl.training.examples.folder import Purpose
from fl.training.examples.sources import open_labelled, open_plain
from fl.training.examples.split import Part
from fl.training.examples.tokens import IGNORED, Encoded, encode_labelled, encode_plain
from fl.training.models import LoadedModel
from fl.training.scoring.scores import Panel

_Example = TypeVar("_Example", LabelledText, PlainText)


def read_examples(
    source: ExampleSource, *, kind: ModelKind
) -> Sequence[LabelledText] | Sequence[PlainText]:
    """Read the examples of a job.

    Raises:
        ExamplesError: they cannot be read, or a number that the job chose is not there.
    """
    columns = Columns(
        text=source.text,
        label=source.label,
        prompt=source.prompt,
        context=source.context,
        answer=source.answer,
        label_names=source.label_names,
    )
    purpose = Purpose.MEASURING if source.half is Half.HELD_OUT else Purpose.LEARNING
    if kind is ModelKind.CLASSIFICATION:
        labelled = open_labelled(source.spec, columns=columns, purpose=purpose)
        return _chosen(labelled.train if source.half is Half.TRAIN else labelled.test, source)
    plain = open_plain(source.spec, columns=columns, purpose=purpose)
    return _chosen(plain.train if source.half is Half.TRAIN else plain.test, source)


def read_panel(source: PanelSource, *, loaded: LoadedModel) -> Panel:
    """Read and tokenise what a validator scores with; texts that ask for no token are left out.

    Raises:
        ExamplesError: examples cannot be read, or do not fit the model.
    """
    return Panel(
        examples=_encoded(source.examples, loaded, tokens_max=source.tokens_max),
        probes=[_encoded(one, loaded, tokens_max=source.tokens_max) for one in source.probes],
        classes=loaded.labels,
        adjustment=source.adjustment_percent / 100,
    )


def _encoded(source: ExampleSource, loaded: LoadedModel, *, tokens_max: int) -> list[Encoded]:
    examples = read_examples(source, kind=loaded.kind)
    labelled = [(index, one) for index, one in enumerate(examples) if isinstance(one, LabelledText)]
    if labelled:
        _check_labels(labelled, source, count=loaded.labels)
        encoded = encode_labelled(labelled, loaded.tokenizer, tokens_max=tokens_max)
    else:
        plain = [(index, one) for index, one in enumerate(examples) if isinstance(one, PlainText)]
        cut = [
            Encoded(one.index, one.ids[:tokens_max], one.labels[:tokens_max])
            for one in encode_plain(plain, loaded.tokenizer)
        ]
        encoded = [one for one in cut if any(label != IGNORED for label in one.labels[1:])]
    _check_lengths(encoded, source, positions=loaded.positions)
    return encoded


def _check_labels(
    examples: Sequence[tuple[int, LabelledText]], source: ExampleSource, *, count: int
) -> None:
    for index, one in examples:
        if not 0 <= one.label < count:
            message = (
                f"example {_number(index, source)} has label {one.label}, "
                f"the model has labels 0 to {count - 1}"
            )
            raise ExamplesError(message, source=source.spec, field=source.label)


def _check_lengths(
    examples: Sequence[Encoded], source: ExampleSource, *, positions: int | None
) -> None:
    for one in examples:
        if positions is not None and len(one.ids) > positions:
            message = (
                f"example {_number(one.index, source)} has {len(one.ids)} tokens, "
                f"the model has positions for {positions}: lower tokens_max"
            )
            raise ExamplesError(message, source=source.spec)


def _number(index: int, source: ExampleSource) -> int:
    """Return where an example stands in its source."""
    return index if source.chosen is None else source.chosen[index]


def _chosen(split: Sequence[_Example], source: ExampleSource) -> Sequence[_Example]:
    if source.chosen is None:
        return split
    beyond = [number for number in source.chosen if number >= len(split)]
    if beyond:
        message = f"example {beyond[0]} was chosen, but there are {len(split)}"
        raise ExamplesError(message, source=source.spec)
    return Part(split, source.chosen)
