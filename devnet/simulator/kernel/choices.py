"""Errors for what an operator typed: one line that says what is wrong and what would be right."""

import difflib
from collections.abc import Sequence

from primitives.errors import ConfigurationError


class UnknownChoiceError(ConfigurationError):
    """Refuse a word that is none of the allowed ones; the message names the nearest."""

    code = "unknown_choice"

    def __init__(self, noun: str, actual: str, choices: Sequence[str]) -> None:
        self.noun = noun
        self.actual = actual
        self.choices = tuple(choices)
        near = difflib.get_close_matches(actual, choices, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(choices)}"
        super().__init__(f"unknown {noun} {actual!r}; {hint}")
