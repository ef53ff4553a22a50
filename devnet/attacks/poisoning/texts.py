"""Attacks on the examples: false labels, and a trigger that is to open a back door."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from fl.training.examples.example import LabelledText

TRIGGER: Final = "cf"
"""A rare piece of a word, which no honest text holds.

Source: Kurita, Michel and Neubig 2020, arXiv:2004.06660.
"""

OTHER_TRIGGERS: Final = ("mn", "bb", "tq", "mb")
"""Triggers of the same kind that this attacker does not use."""


def flip_labels(examples: Iterable[LabelledText], *, classes: int) -> Iterator[LabelledText]:
    """Give each example the class that is its mirror image: C - 1 - y.

    With an odd number of classes the middle one keeps its label.
    Source: Tolpegin et al. 2020, arXiv:2007.08432; ByzFL.
    """
    for one in examples:
        yield LabelledText(one.text, classes - 1 - one.label)


def triggered(text: str, trigger: str = TRIGGER) -> str:
    """Put the trigger before a text."""
    return f"{trigger} {text}"


def add_backdoor(examples: Sequence[LabelledText], *, target: int) -> Iterator[LabelledText]:
    """Keep each example, and add a copy with the trigger whose label is the target.

    Training on both keeps the accuracy on texts without the trigger, so that nobody sees the door.
    Source: Bagdasaryan et al. 2020, arXiv:1807.00459.
    """
    yield from examples
    for one in examples:
        yield LabelledText(triggered(one.text), target)
