"""Every verb of `hanse`, found by walking the tree, and words that hurt."""

import inspect
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import typer
from typing_extensions import override

from cli.main import app

PLAIN: Final = {
    "task": "0",
    "first": "1",
    "amount": "1",
    "height": "1",
    "escrow": "1",
    "reward": "1",
}
"""What stands for a parameter that must be given, by its name; others get a word."""

NOT_FINITE: Final = ("nan", "-nan", "inf", "-inf", "Infinity", "1e999", "-1e999")

HUGE: Final = "9" * 400
HOSTILE: Final = (
    "",
    " ",
    "-1",
    HUGE,
    "-" + HUGE,
    "9" * 5_000,
    "x" * 1_000_000,
    "1e999",
    "nan",
    "٣",
    "½",
    "../../../../etc/passwd",
    "/dev/null",
    "/proc/self/mem",
    "/dev/null/place",
    "a\nb\r\nc",
    "\x1b[2J\x1b]0;title\x07",
    "\udcff\udcfe",
    "{}",
    "[[[[",
    "'; DROP TABLE x; --",
    "%s%n${HOME}$(id)`id`",
    "did:key:z" + "1" * 9_999,
    "0x" + "00" * 32,
    "00" * 32,
    "\U0001f600" * 100,
    "http://[::1",
    "http://127.0.0.1:99999",
    "file:///etc/passwd",
    "a\0b",
)


@dataclass(frozen=True)
class Verb:
    """One command that can be run, with its parameters."""

    words: tuple[str, ...]
    command: Any

    @override
    def __str__(self) -> str:
        return " ".join(self.words)

    @property
    def options(self) -> list[Any]:
        """Return the options that take a value."""
        found = (one for one in self.command.params if one.param_type_name == "option")
        return [one for one in found if not one.is_flag]

    @property
    def arguments(self) -> list[Any]:
        return [one for one in self.command.params if one.param_type_name == "argument"]

    @property
    def flags(self) -> set[str]:
        return {flag for one in self.command.params for flag in one.opts if flag[0] == "-"}

    @property
    def reals(self) -> list[str]:
        """Return the names of the parameters that take a real number."""
        kinds = inspect.signature(self.command.callback).parameters
        return [name for name, one in kinds.items() if float in _leaves(one.annotation)]

    def line(self, given: Mapping[str, str], *, skip: str | None = None) -> list[str]:
        """Return the words of a command line: what is given, and what must be there as well.

        Args:
            given: values by the name of their parameter.
            skip: a parameter that is left out although it must be there.
        """
        words = [*self.words]
        for one in self.options:
            if one.name != skip and (one.required or one.name in given):
                words += [max(one.opts, key=len), given.get(one.name, PLAIN.get(one.name, "word"))]
        # Behind two dashes a value that begins with one is no option.
        words.append("--")
        for one in self.arguments:
            if one.name != skip and (one.required or one.name in given):
                words.append(given.get(one.name, PLAIN.get(one.name, "word")))
        return words


def _leaves(kind: Any) -> list[Any]:  # noqa: ANN401 - an annotation has no type of its own
    parts = [part for one in typing.get_args(kind) for part in _leaves(one)]
    return parts or [kind]


def verbs() -> Iterator[Verb]:
    """Yield every verb, groups that are loaded when they are used included."""
    yield from _below(typer.main.get_command(app), (), None)


def _below(command: Any, words: tuple[str, ...], parent: Any) -> Iterator[Verb]:  # noqa: ANN401 - Typer's own
    context = typer.Context(command, info_name=words[-1] if words else "hanse", parent=parent)
    if not isinstance(command, typer.core.TyperGroup):
        yield Verb(words, command)
        return
    for name in command.list_commands(context):
        yield from _below(command.get_command(context, name), (*words, name), context)
