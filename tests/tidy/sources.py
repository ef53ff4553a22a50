"""The files of the project, parsed once, and the shape of what a check reports about them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from typing_extensions import override

ROOT = Path(__file__).parents[2]
ROOMS = ("primitives", "consensus", "p2p", "fl", "node", "devnet", "cli", "benchmarks")
# Written by tools and ignored by git, as are the folders whose name starts with a dot.
GENERATED = frozenset({"__pycache__", "build", "devnet-network", "dist", "node_modules"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule; `place` is what a row of the table of exceptions names."""

    check: str
    place: str
    detail: str

    @override
    def __str__(self) -> str:
        """Word the finding as one line."""
        return f"{self.check}: {self.place}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file: its path from the root of the repository, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, text: str, *, path: str = "consensus/snippet.py") -> Self:
        """Parse a text as the file at `path`."""
        return cls(path, text, ast.parse(text))

    @property
    def module(self) -> str:
        """The dotted name under which the file is imported."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def room(self) -> str:
        """The top-level folder of the file."""
        return self.path.split("/", 1)[0]


def project_paths(folder: Path = ROOT) -> Iterator[Path]:
    """Yield the files that belong to the project, whether or not they are committed yet."""
    for path in sorted(folder.iterdir()):
        if path.is_file():
            if not path.name.startswith(".coverage"):
                yield path
        elif path.is_dir() and not _is_generated(path.name):
            yield from project_paths(path)


def python_sources() -> list[Source]:
    """Read every Python file of the rooms and of the tests."""
    inside = (path for path in project_paths() if path.suffix == ".py")
    return [
        Source.of(path.read_text(encoding="utf-8"), path=path.relative_to(ROOT).as_posix())
        for path in inside
        if path.relative_to(ROOT).parts[0] in (*ROOMS, "tests")
    ]


def scopes(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Yield every class and function with its dotted name inside the module."""
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        name, scope = waiting.pop()
        for child in ast.iter_child_nodes(scope):
            inner = name
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                inner = f"{name}.{child.name}".lstrip(".")
                yield inner, child
            waiting.append((inner, child))


def _is_generated(folder: str) -> bool:
    hidden = folder.startswith(".") and folder != ".ci"
    return hidden or folder in GENERATED or folder.endswith(".egg-info")
