"""What is wrong with a contract's source: where, what, and how to put it right.

`ContractError` is the only error that leaves the compiler. Inside, the first problem of a statement
travels as a `ProblemError` to the nearest `Findings`, which notes it and lets the rest be checked.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Final

from typing_extensions import override

from primitives.errors import VmError

PROBLEMS_MAX: Final = 10
"""How many problems one compilation reports."""

PROBLEMS_SEEN_MAX: Final = 50
"""How many it finds before it stops to look for more."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the source, both from 1; columns count characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a source."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    @override
    def __str__(self) -> str:
        """Word the problem as one line, and the hint as a second one."""
        place = f"{self.file}:{self.line}:{self.column}: {self.message}"
        return f"{place}\n    hint: {self.hint}" if self.hint else place


class ContractError(VmError):
    """Refuse a contract's source.

    Args:
        problems: in the order of the source, at least one and at most `PROBLEMS_MAX`.
    """

    code: ClassVar[str] = "contract_source"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class ProblemError(Exception):
    """Carry one problem from where it is seen to where it is noted."""

    def __init__(self, where: ast.AST | Position, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.where = where
        self.message = message
        self.hint = hint


class NotedError(Exception):
    """Give up on a construct whose problem was noted before, such as a name that has no type."""


class Findings:
    """Collect problems; as a context manager, the one that ends its block."""

    def __init__(self, *, file: str, locate: Callable[[ast.AST], Position]) -> None:
        self._file = file
        self._locate = locate
        self._problems: dict[Problem, None] = {}
        self._cut_count = 0

    def __enter__(self) -> None:
        """Begin a block that one problem may end without ending the compilation."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if isinstance(error, ProblemError):
            self.note(error)
        is_known = isinstance(error, ProblemError | NotedError)
        self._cut_count += is_known
        return is_known

    @property
    def cut_count(self) -> int:
        """Count the blocks that ended early, so far."""
        return self._cut_count

    def note(self, error: ProblemError) -> None:
        """Keep a problem for the report.

        Raises:
            ContractError: it is one of very many; to look on would take time and help nobody.
        """
        where = error.where
        place = where if isinstance(where, Position) else self._locate(where)
        problem = Problem(self._file, place.line, place.column, error.message, error.hint)
        self._problems[problem] = None
        if len(self._problems) == PROBLEMS_SEEN_MAX:
            self.check()

    def check(self) -> None:
        """Go on if nothing was found.

        Raises:
            ContractError: something was.
        """
        if self._problems:
            ranked = sorted(self._problems, key=lambda it: (it.line, it.column, it.message))
            raise ContractError(tuple(ranked[:PROBLEMS_MAX]))
