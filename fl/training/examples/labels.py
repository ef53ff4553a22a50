"""Number the classes of labelled texts."""

import enum
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LABELS_MAX = 4096


class Numerals(enum.Enum):
    """What a whole number says where names are given and some of them are numerals."""

    PLACE = "place"
    NAME = "name"


class LabelBook:
    """Numbers for labels that are met one by one, whole numbers or names but not both.

    Whole numbers stand for themselves. Names are numbered as they come, and sorted when all are
    known; names that are given beforehand keep their places and no other is accepted.

    Args:
        names: those that are given.
        numerals: NAME reads 1 as the name "1" whether the table holds it as a number or a text.
    """

    def __init__(self, names: Sequence[str] = (), *, numerals: Numerals = Numerals.PLACE) -> None:
        self._pinned = bool(names)
        self._numbers = {name: number for number, name in enumerate(names)}
        self._numerals = {
            whole: number
            for name, number in self._numbers.items()
            if numerals is Numerals.NAME and (whole := _whole(name)) is not None
        }
        self._largest: int | None = None

    def number(self, value: object) -> int:
        """Return the number of a label, for now.

        Raises:
            ValueError: it is no label, or not of the kind of those before; the text says why.
        """
        whole = _whole(value)
        if isinstance(value, str) and (whole is None or value in self._numbers):
            return self._named(value)
        if whole is None:
            raise ValueError(f"a label is a whole number or a name, not {value!r}")
        if self._numbers and not self._pinned:
            raise ValueError(f"the label {value!r} is a number, but those before it are names")
        if self._numerals:
            return self._numerals[whole] if whole in self._numerals else self._named(str(whole))
        top = len(self._numbers) if self._pinned else LABELS_MAX
        if not 0 <= whole < top:
            raise ValueError(f"the label {whole} is not between 0 and {top - 1}")
        self._largest = whole if self._largest is None else max(whole, self._largest)
        return whole

    def names(self) -> tuple[str, ...]:
        """Return the names of all classes in their final order."""
        if self._pinned:
            return tuple(self._numbers)
        if self._largest is not None:
            return tuple(str(number) for number in range(self._largest + 1))
        return tuple(sorted(self._numbers))

    def final(self, numbers: Sequence[int]) -> NDArray[np.int64]:
        """Turn the numbers given so far, (examples,), into the final ones, int64."""
        given = np.array(numbers, dtype=np.int64)
        if self._pinned or not self._numbers:
            return given
        place = {name: number for number, name in enumerate(sorted(self._numbers))}
        return np.array([place[name] for name in self._numbers], dtype=np.int64)[given]

    def _named(self, name: str) -> int:
        if self._largest is not None and not self._pinned:
            raise ValueError(f"the label {name!r} is a name, but those before it are numbers")
        if name in self._numbers:
            return self._numbers[name]
        if self._pinned:
            raise ValueError(f"the label {name!r} is none of {', '.join(self._numbers)}")
        if len(self._numbers) == LABELS_MAX:
            raise ValueError(f"more than {LABELS_MAX} different labels")
        return self._numbers.setdefault(name, len(self._numbers))


def _whole(value: object) -> int | None:
    """Read a whole number; tables often hold them as texts or as floats."""
    match value:
        case bool() | int():
            return int(value)
        case float() if value.is_integer():
            return int(value)
        case str() if value.isascii() and value.removeprefix("-").isdigit() and len(value) < 10:
            return int(value)
        case _:
            return None
