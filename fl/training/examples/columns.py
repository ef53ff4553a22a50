"""Choose which columns of a table are the text, the class, the prompt and the answer."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from fl.training.examples.errors import ExamplesError

# The first that a table has is taken.
TEXT_NAMES = ("text", "sentence", "content", "review", "note", "document", "story")
LABEL_NAMES = ("label", "labels", "class", "category", "target", "sentiment", "intent")
PROMPT_NAMES = ("prompt", "instruction", "question")
CONTEXT_NAMES = ("input", "context")
ANSWER_NAMES = ("output", "answer", "response", "completion")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns as the user names them; what is None is found by well-known names.

    Attributes:
        text: the whole text.
        label: the class, as whole numbers from 0 or as names.
        prompt: what is asked; used together with `answer`, in place of `text`.
        context: what the question is about, written below the prompt; may be empty in a row.
        answer: what is to be learnt.
        group: what each example belongs to; never guessed.
        label_names: the classes in their order. An organisation rarely holds every class, so a
            task of several organisations names them here; otherwise names are sorted as they occur.
            Whole numbers are places among them, or names themselves where a name is a numeral.
    """

    text: str | None = None
    label: str | None = None
    prompt: str | None = None
    context: str | None = None
    answer: str | None = None
    group: str | None = None
    label_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledColumns:
    """The columns of labelled texts."""

    text: str
    label: str
    group: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """Every column that is read."""
        return _present(self.text, self.label, self.group)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainColumns:
    """The columns of texts to learn to write: `text` alone, or it is the answer to a prompt."""

    text: str
    prompt: str | None
    context: str | None
    group: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """Every column that is read."""
        return _present(self.text, self.prompt, self.context, self.group)


def labelled_columns(wanted: Columns, present: Sequence[str], *, source: str) -> LabelledColumns:
    """Choose the columns of labelled texts.

    Raises:
        ExamplesError: a column that is named is missing, or none is found.
    """
    return LabelledColumns(
        text=_required(wanted.text, TEXT_NAMES, present, field="text", source=source),
        label=_required(wanted.label, LABEL_NAMES, present, field="label", source=source),
        group=_named(wanted.group, present, field="group", source=source),
    )


def plain_columns(wanted: Columns, present: Sequence[str], *, source: str) -> PlainColumns:
    """Choose the columns of texts to write: a prompt with an answer if there is one.

    Raises:
        ExamplesError: a column that is named is missing, or none is found.
    """
    group = _named(wanted.group, present, field="group", source=source)
    asks = wanted.prompt is not None or wanted.answer is not None
    found = _first(PROMPT_NAMES, present) and _first(ANSWER_NAMES, present)
    if wanted.text is not None or not (asks or found):
        text = _required(wanted.text, TEXT_NAMES, present, field="text", source=source)
        return PlainColumns(text=text, prompt=None, context=None, group=group)
    prompt = _required(wanted.prompt, PROMPT_NAMES, present, field="prompt", source=source)
    context = _named(wanted.context, present, field="context", source=source)
    return PlainColumns(
        text=_required(wanted.answer, ANSWER_NAMES, present, field="answer", source=source),
        prompt=prompt,
        context=context or _first(CONTEXT_NAMES, present),
        group=group,
    )


def has_labels(wanted: Columns, present: Sequence[str]) -> bool:
    """Tell whether a table can be read as labelled texts."""
    has_text = wanted.text is not None or _first(TEXT_NAMES, present) is not None
    return has_text and (wanted.label is not None or _first(LABEL_NAMES, present) is not None)


def _required(
    named: str | None, usual: Sequence[str], present: Sequence[str], *, field: str, source: str
) -> str:
    chosen = _named(named, present, field=field, source=source) or _first(usual, present)
    if chosen is None:
        message = f"no {field} column among {_listing(present)}; name it with {field}="
        raise ExamplesError(message, source=source)
    return chosen


def _named(named: str | None, present: Sequence[str], *, field: str, source: str) -> str | None:
    if named is None or named in present:
        return named
    near = difflib.get_close_matches(named, present, n=1)
    advice = f"; did you mean {near[0]!r}?" if near else ""
    message = f"there is no {field} column of this name among {_listing(present)}{advice}"
    raise ExamplesError(message, source=source, field=named)


def _first(usual: Sequence[str], present: Sequence[str]) -> str | None:
    return next((name for name in usual if name in present), None)


def _present(*names: str | None) -> tuple[str, ...]:
    return tuple(name for name in names if name is not None)


def _listing(present: Sequence[str]) -> str:
    shown = ", ".join(present[:12])
    return f"{shown}, ..." if len(present) > 12 else shown or "no columns at all"
