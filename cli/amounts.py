"""Money as people write it: HANSE with decimals, or whole grains with their name behind."""

import decimal
import re
from typing import Final

import typer

from primitives.ids import Grain

GRAINS_PER_HANSE: Final = 10**9
AMOUNT_MAX: Final = 2**63 - 1
_FORM: Final = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,9}))?\s*(hanse|grains?|)", re.IGNORECASE)


def parse_amount(text: str | int) -> Grain:
    """Return the grains of "1.5", "1.5hanse" or "1500grain"; a number is grains already.

    Raises:
        BadParameter: it is none of these, or more than the chain can hold.
    """
    if isinstance(text, int):
        # Typer hands the default of an option through its parser.
        return Grain(text)
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(
            f"{text[:40]!r} is no amount: write HANSE as 1.5, or grains as 1500grain"
        )
    whole, decimals, unit = found[1], found[2] or "", found[3].lower()
    if unit.startswith("grain"):
        if decimals:
            raise typer.BadParameter("a grain has no parts")
        grains = int(whole)
    else:
        grains = int(whole) * GRAINS_PER_HANSE + int(decimals.ljust(9, "0"))
    if grains > AMOUNT_MAX:
        raise typer.BadParameter(f"the chain holds at most {AMOUNT_MAX} grains")
    return Grain(grains)


def hanse(grains: int | str) -> str:
    """Return the amount in HANSE, exact, with its unit."""
    shown = format(decimal.Decimal(int(grains)).scaleb(-9), "f")
    if "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    return f"{shown} HANSE"
