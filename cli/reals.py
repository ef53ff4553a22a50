"""Real numbers as people write them: finite and within bounds.

`float` also reads nan and 1e999. No comparison with nan is true, so bounds of Typer refuse neither
of them where a side is open, and a number that is none ends in the middle of a command.
"""

import math
from collections.abc import Callable
from typing import Final

import typer

_SHOWN_LENGTH: Final = 40


def parse_real(text: str | float) -> float:
    """Return the number of a text; a number stays as it is.

    Raises:
        BadParameter: it is none, or not finite.
    """
    try:
        number = float(text)
    except ValueError as error:
        raise typer.BadParameter(f"{str(text)[:_SHOWN_LENGTH]!r} is no number") from error
    if not math.isfinite(number):
        raise typer.BadParameter(f"{str(text)[:_SHOWN_LENGTH]!r} is not a finite number")
    return number


def real_between(least: float, most: float) -> Callable[[str | float], float]:
    """Return the parser of an option that takes numbers within bounds, both included."""

    def parse(text: str | float) -> float:
        number = parse_real(text)
        if not least <= number <= most:
            raise typer.BadParameter(f"{number:g} is not between {least:g} and {most:g}")
        return number

    return parse
