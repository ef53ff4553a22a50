"""Cut the coordinates of vectors into spans, and say who works through them.

What is calculated over spans here is a sum of integers, or a column at a time; so neither the size
of a span nor the order of the spans changes a result, and threads may share them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

T = TypeVar("T")


class Each(Protocol):
    """Do some work on every span; `concurrent.futures.Executor.map` is one such."""

    def __call__(self, work: Callable[[slice], T], spans: Sequence[slice], /) -> Iterable[T]:
        """Return the results, in any order if the work returns nothing."""
        ...


def one_by_one(work: Callable[[slice], T], spans: Sequence[slice], /) -> Iterable[T]:
    """Do the work on this thread, in order."""
    return [work(span) for span in spans]


@dataclass(frozen=True, slots=True)
class Execution:
    """How work on columns is cut up and who does it; no result depends on it.

    Attributes:
        columns: coordinates of one span, at least one.
        each: `Executor.map` to share the spans among threads.
    """

    columns: int = 1 << 18
    each: Each = one_by_one


ALONE: Final = Execution()


def spans_of(size: int, *, columns: int) -> list[slice]:
    """Return consecutive spans of so many coordinates; the last may be shorter.

    Raises:
        ValueError: a span would be empty.
    """
    if columns < 1:
        raise ValueError(f"spans of {columns} coordinates")
    return [slice(start, min(start + columns, size)) for start in range(0, size, columns)]
