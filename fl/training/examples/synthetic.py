"""The generator as a source: `synthetic:notes?organisations=8&examples=2000&label_skew=0.5`.

Beside the fields of `NoteTerms` there are `examples` (of the train split, all organisations
together), `test` (of the test split, where all kinds are equally frequent) and, for texts to write,
`form`: `text` for whole notes or `questions` for a note and a question with its answer.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace

from fl.training.examples.errors import ExamplesError
from fl.training.examples.example import LabelledText, PlainText
from fl.training.examples.generator import Note, NoteTerms, notes
from fl.training.examples.organisations import KINDS
from fl.training.examples.reading import Dataset
from fl.training.examples.split import Split, Spool

PREFIX = "synthetic:notes"
WHOLE = ("organisations", "seed", "examples", "test")
SHARES = ("label_skew", "style_skew", "noise")
FORMS = ("text", "questions")
EXAMPLES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class _Order:
    """What a line of text asks for."""

    source: str
    terms: NoteTerms
    examples: int
    test: int
    form: str


def labelled(spec: str) -> Dataset[LabelledText]:
    """Write notes with their kinds as labels.

    Raises:
        ExamplesError: the text asks for something that is not known.
    """
    order = _parse(spec)

    def add(spool: Spool, note: Note) -> None:
        spool.add(note.text, note.kind, group=note.organisation)

    train, test = _spools(order, add)
    splits = Split(train, LabelledText), Split(test, LabelledText)
    return Dataset(spec, *splits, KINDS, 0)


def plain(spec: str) -> Dataset[PlainText]:
    """Write notes to be learnt, or questions about notes.

    Raises:
        ExamplesError: the text asks for something that is not known.
    """
    order = _parse(spec)

    def add(spool: Spool, note: Note) -> None:
        prompt, answer = ("", note.text) if order.form == "text" else _question(note, len(spool))
        spool.add(prompt + answer, len(prompt), group=note.organisation)

    train, test = _spools(order, add)
    return Dataset(spec, Split(train, PlainText), Split(test, PlainText), (), 0)


def _spools(order: _Order, add: Callable[[Spool, Note], object]) -> tuple[Spool, Spool]:
    train, test = Spool(), Spool()
    for note in notes(order.examples, terms=order.terms, split="train"):
        add(train, note)
    for note in notes(order.test, terms=replace(order.terms, label_skew=0.0), split="test"):
        add(test, note)
    return train, test


def _question(note: Note, number: int) -> tuple[str, str]:
    """Ask one of three things in turn about a note."""
    asked, answer = (
        ("What kind of note is this?", f"It is {KINDS[note.kind]}."),
        ("Which organisation wrote this?", f"The {note.organisation} wrote it."),
        ("What is the first word of this note?", f"It is {note.text.split()[0]}."),
    )[number % 3]
    return f"{note.text}\nQuestion: {asked}\n", f"Answer: {answer}"


def _parse(spec: str) -> _Order:
    kind, _, rest = spec.partition("?")
    if kind != PREFIX:
        raise ExamplesError(f"the only generator is {PREFIX}", source=spec)
    given = dict(part.partition("=")[::2] for part in rest.split("&") if part)
    for name in given:
        _require_known(name, spec)
    whole = {name: _whole(given[name], name, spec) for name in WHOLE if name in given}
    shares = {name: _share(given[name], name, spec) for name in SHARES if name in given}
    form = given.get("form", FORMS[0])
    if form not in FORMS:
        raise ExamplesError(f"is {' or '.join(FORMS)}, not {form!r}", source=spec, field="form")
    examples = whole.pop("examples", 2000)
    test = whole.pop("test", max(1, examples // 5))
    start = NoteTerms()
    terms = NoteTerms(
        organisations=whole.get("organisations", start.organisations),
        seed=whole.get("seed", start.seed),
        label_skew=shares.get("label_skew", start.label_skew),
        style_skew=shares.get("style_skew", start.style_skew),
        noise=shares.get("noise", start.noise),
    )
    return _Order(spec, terms, examples, test, form)


def _require_known(name: str, spec: str) -> None:
    known = (*WHOLE, *SHARES, "form")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise ExamplesError(f"the generator has no such setting; {advice}", source=spec, field=name)


def _whole(text: str, name: str, spec: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= number <= EXAMPLES_MAX:
        message = f"is a whole number from 1 to {EXAMPLES_MAX}, not {text!r}"
        raise ExamplesError(message, source=spec, field=name)
    return number


def _share(text: str, name: str, spec: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ExamplesError(f"is a number from 0 to 1, not {text!r}", source=spec, field=name)
    return share
