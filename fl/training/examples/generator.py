"""Write synthetic notes of several organisations that differ as much as one asks them to.

Two kinds of skew can be set, each from 0 (all organisations alike) to 1. Label skew moves an
organisation's notes towards the one or two kinds that it writes most. Style skew is the chance that
a sentence or a word is the organisation's own and not taken from any of them. A note depends on
(seed, split, index) only, so more notes never change the ones before.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fl.training.examples.organisations import (
    DAYS,
    KINDS,
    NAMES,
    ORGANISATIONS,
    SHARED,
    TIMES,
    Organisation,
)

# How often an organisation at full label skew writes each kind; the row is turned by its number.
TILT = (0.85, 0.12, 0.02, 0.01)
SLOT = re.compile(r"\{(\w+)\}")
EVERYBODY = (SHARED, *ORGANISATIONS)
FILLINGS = {
    "name": NAMES,
    "day": DAYS,
    "time": TIMES,
    "number": tuple(str(number) for number in range(1, 31)),
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteTerms:
    """What the notes are like.

    Attributes:
        organisations: how many write; from the ninth on the vocabularies are used again, with other
            favourite kinds.
        seed: decides everything together with the split and the index.
        label_skew: 0..1.
        style_skew: 0..1.
        noise: the chance that the label is drawn without regard to the text.
    """

    organisations: int = len(ORGANISATIONS)
    seed: int = 1
    label_skew: float = 0.5
    style_skew: float = 0.5
    noise: float = 0.04


@dataclass(frozen=True, slots=True)
class Note:
    """One note: who wrote it, what it says, of which kind it is, and where and who it is about."""

    organisation: str
    text: str
    kind: int
    person: str
    place: str


def notes(count: int, *, terms: NoteTerms, split: str) -> Iterator[Note]:
    """Write `count` notes, the organisations in turn."""
    for index in range(count):
        yield note(index, terms=terms, split=split)


def note(index: int, *, terms: NoteTerms, split: str) -> Note:
    """Write the note with this index of a split."""
    dice = random.Random(f"hanse/notes/1/{terms.seed}/{split}/{index}")  # noqa: S311 (no secret)
    writer = index % terms.organisations
    own = ORGANISATIONS[writer % len(ORGANISATIONS)]
    kind = _draw_kind(dice, kind_shares(writer, label_skew=terms.label_skew))
    pen = _Pen(dice, own, style_skew=terms.style_skew)
    text = " ".join(pen.fill(sentence) for sentence in pen.sentences(kind))
    label = _pick(dice, range(len(KINDS))) if dice.random() < terms.noise else kind
    return Note(name_of(writer), text, label, pen.person, pen.place)


def name_of(writer: int) -> str:
    """Name the organisation with this number: hospital, bank, ... hospital 2, ..."""
    again, which = divmod(writer, len(ORGANISATIONS))
    name = ORGANISATIONS[which].name
    return f"{name} {again + 1}" if again else name


def kind_shares(writer: int, *, label_skew: float) -> list[float]:
    """Return how often an organisation writes each kind; they sum to 1."""
    again = writer // len(ORGANISATIONS)
    even = (1 - label_skew) / len(KINDS)
    return [
        even + label_skew * TILT[(kind - writer - again) % len(KINDS)] for kind in range(len(KINDS))
    ]


class _Pen:
    """Writes the sentences of one note; the same person and place occur all through it."""

    def __init__(self, dice: random.Random, own: Organisation, *, style_skew: float) -> None:
        self._dice = dice
        self._own = own
        self._style_skew = style_skew
        self._words: dict[str, str] = {}
        self.place = self._slots(_pick(dice, self._voice().places))
        self.person = _pick(dice, self._voice().people)
        thing = _pick(dice, self._voice().things)
        self._words |= {"person": self.person, "place": self.place, "thing": thing}

    def sentences(self, kind: int) -> list[str]:
        """Choose an opening, remarks, what the note is for, and an end."""
        dice = self._dice
        told = [_pick(dice, self._voice().kinds[kind])]
        more = _pick(dice, self._voice().kinds[kind])
        if dice.random() < 0.6 and more not in told:
            told.append(more)
        told.insert(int(dice.random() * 2), _pick(dice, self._voice().remarks))
        return [_pick(dice, self._voice().openings), *told, *self._end()]

    def fill(self, sentence: str) -> str:
        """Put words into the slots and begin with a capital."""
        text = self._slots(sentence)
        return text[0].upper() + text[1:]

    def _end(self) -> list[str]:
        return [_pick(self._dice, self._voice().closings)] if self._dice.random() < 0.7 else []

    def _voice(self) -> Organisation:
        if self._dice.random() < self._style_skew:
            return self._own
        return _pick(self._dice, EVERYBODY)

    def _slots(self, sentence: str) -> str:
        return SLOT.sub(lambda found: self._word(found[1]), sentence)

    def _word(self, slot: str) -> str:
        if slot in self._words:
            return self._words[slot]
        return _pick(self._dice, FILLINGS[slot])


def _draw_kind(dice: random.Random, shares: Sequence[float]) -> int:
    left = dice.random()
    for kind, share in enumerate(shares):
        left -= share
        if left < 0:
            return kind
    return len(shares) - 1


def _pick(dice: random.Random, choices: Sequence[T]) -> T:
    """Choose one; only `random()` is promised to draw the same in every version of Python."""
    return choices[int(dice.random() * len(choices))]
