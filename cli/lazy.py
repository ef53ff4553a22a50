"""Groups of commands that are imported when they are used, so that `hanse --help` stays fast."""

import importlib
from typing import Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from cli.epilogs import epilog_of


class LazyGroup(TyperGroup):
    """A group whose commands stand in a module as `app`, which is imported when they are asked for.

    Args:
        name: by which people call it.
        module: where `app` is.
        summary: what the root says about it.
        panel: under which heading the root lists it.
    """

    def __init__(self, *, name: str, module: str, summary: str, panel: str) -> None:
        super().__init__(
            name=name, help=summary, rich_help_panel=panel, no_args_is_help=True, callback=_nothing
        )
        self._module = module
        self._is_loaded = False

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        self._load()
        return super().list_commands(ctx)

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a name, None if there is none."""
        self._load()
        return super().get_command(ctx, cmd_name)

    def _load(self) -> None:
        if self._is_loaded:
            return
        group = typer.main.get_group(importlib.import_module(self._module).app)
        for name, command in group.commands.items():
            command.epilog = command.epilog or epilog_of(f"{self.name} {name}")
            self.add_command(command, name)
        self._is_loaded = True


def _nothing() -> None:
    """Do nothing before a command of a group."""
