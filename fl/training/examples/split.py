"""Hold the examples of one split in bounded memory, to be read in any order.

Texts go one after another into a spool that stays in memory while it is small and moves to an
unnamed temporary file, removed by the system, when it is not. What remains in memory is eight bytes
an example for where its text begins, and its label and group as small integers.
"""

import tempfile
import weakref
from array import array
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fl.training.examples.example import LabelledText, PlainText

MEMORY_SIZE_BYTES_MAX = 64 << 20

ExampleT = TypeVar("ExampleT", bound=LabelledText | PlainText)
ExampleT_co = TypeVar("ExampleT_co", bound=LabelledText | PlainText, covariant=True)


class _Shape(Protocol[ExampleT_co]):
    """How an example is made of its text and its number."""

    def __call__(self, text: str, number: int, /) -> ExampleT_co: ...


class Split(Sequence[ExampleT]):
    """A sequence of examples that does not have to fit into memory; one thread may read it.

    Attributes:
        numbers: (examples,) int64: the labels of labelled texts, the prompt lengths of plain ones.
        groups: what each example belongs to, such as an organisation; empty without that column.
    """

    def __init__(
        self,
        spool: "Spool",
        shape: _Shape[ExampleT],
        *,
        numbers: Sequence[int] | NDArray[np.int64] | None = None,
    ) -> None:
        self._spool = spool
        self._shape = shape
        self.numbers = np.array(spool.numbers if numbers is None else numbers, dtype=np.int64)
        self.groups = spool.groups

    @override
    def __len__(self) -> int:
        return len(self._spool)

    @overload
    def __getitem__(self, index: int) -> ExampleT: ...

    @overload
    def __getitem__(self, index: slice) -> list[ExampleT]: ...

    @override
    def __getitem__(self, index: int | slice) -> ExampleT | list[ExampleT]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        return self._shape(self._spool.text(position), int(self.numbers[position]))

    def part(self, indices: Iterable[int]) -> "Part[ExampleT]":
        """Return some of the examples, in the order given, without copying a text."""
        return Part(self, indices)


class Part(Sequence[ExampleT], Generic[ExampleT]):
    """Some examples of a longer sequence, such as what one organisation holds."""

    def __init__(self, whole: Sequence[ExampleT], indices: Iterable[int]) -> None:
        self._whole = whole
        self._indices = array("q", indices)

    @override
    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> ExampleT: ...

    @overload
    def __getitem__(self, index: slice) -> list[ExampleT]: ...

    @override
    def __getitem__(self, index: int | slice) -> ExampleT | list[ExampleT]:
        if isinstance(index, slice):
            return [self._whole[one] for one in self._indices[index]]
        return self._whole[self._indices[index]]


class Spool:
    """Texts, each with a number and perhaps a group, in the order in which they were added."""

    def __init__(self, *, memory_size_bytes_max: int = MEMORY_SIZE_BYTES_MAX) -> None:
        self._file = tempfile.SpooledTemporaryFile(memory_size_bytes_max)  # noqa: SIM115
        # Splits are values that are passed around, so nobody is there to close them.
        weakref.finalize(self, self._file.close)
        self._ends = array("Q", [0])
        self.numbers = array("q")
        self.groups = Groups()

    def __len__(self) -> int:
        return len(self._ends) - 1

    @property
    def size_bytes(self) -> int:
        """The size of all texts in UTF-8."""
        return self._ends[-1]

    def add(self, text: str, number: int, *, group: str | None = None) -> Self:
        """Append an example; reading may begin only when all have been added."""
        content = text.encode()
        self._file.write(content)
        self._ends.append(self._ends[-1] + len(content))
        self.numbers.append(number)
        if group is not None:
            self.groups.add(group)
        return self

    def text(self, index: int) -> str:
        """Return the text of one example."""
        start, end = self._ends[index], self._ends[index + 1]
        self._file.seek(start)
        return self._file.read(end - start).decode()


class Groups(Sequence[str]):
    """The group of each example; equal names are kept once."""

    def __init__(self) -> None:
        self._numbers = array("I")
        self._known: dict[str, int] = {}
        self._names: list[str] = []

    def add(self, name: str) -> None:
        """Append the group of the next example."""
        number = self._known.setdefault(name, len(self._names))
        if number == len(self._names):
            self._names.append(name)
        self._numbers.append(number)

    @override
    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    @override
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._names[number] for number in self._numbers[index]]
        return self._names[self._numbers[index]]
