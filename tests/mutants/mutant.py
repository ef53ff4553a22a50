"""What a mutation is, and how it is put into a copy of the source."""

import enum
from dataclasses import dataclass
from pathlib import Path


class Breaks(enum.Enum):
    """What a wrong rule endangers; only a liveness mutant may be killed by running too long."""

    SAFETY = "safety"
    LIVENESS = "liveness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One wrong rule.

    Args:
        file: from the root of the repository.
        old: text that occurs exactly once in the file.
        new: what stands there instead.
        claim: the claim of the design that it breaks.
        suites: selections of tests, parted by spaces; each must notice by itself.
    """

    name: str
    file: str
    old: str
    new: str
    claim: str
    suites: tuple[str, ...]
    breaks: Breaks = Breaks.SAFETY


class StaleMutantError(Exception):
    """The source no longer holds the text of a mutant exactly once."""


def mutate(mutant: Mutant, root: Path) -> None:
    """Put the wrong rule into the tree at `root`.

    Raises:
        StaleMutantError: the old text is not there exactly once.
    """
    path = root / mutant.file
    text = path.read_text(encoding="utf-8")
    count = text.count(mutant.old)
    if count != 1:
        raise StaleMutantError(f"{mutant.name}: {count} places in {mutant.file}")
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
