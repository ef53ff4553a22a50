"""The `hanse` command: the root of every command group, and the one place that words an error.

An expected failure is a `HanseError`: the user sees one line that says what is wrong. Anything else
is a bug and keeps its traceback, without local variables, because those may hold keys. A group is
imported when one of its commands is used, and no group imports torch.
"""

import errno
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperGroup
from typing_extensions import override

from cli.exit_codes import MEANINGS, ExitCode, exit_code_of
from cli.lazy import LazyGroup
from cli.printing import print_error
from cli.simulate import simulate
from cli.version import version
from primitives.errors import HanseError, first_error

_MODEL: Final = "Train a model together"
_CHAIN: Final = "The chain"
_NODE: Final = "Run a node"
_TOOLS: Final = "Write and check"

GROUPS: Final = (
    ("node", "cli.node_group", "Set up, run and look after a node.", _NODE),
    ("keys", "cli.keys", "Make, import, list and export keys.", _NODE),
    ("devnet", "cli.devnet", "Run a network of real nodes on this machine.", _NODE),
    ("p2p", "cli.p2p", "Look at the network of peers.", _NODE),
    ("identity", "cli.identity", "Register who you are; sign in to a node.", _MODEL),
    ("task", "cli.task", "Offer federated tasks, and take part in them.", _MODEL),
    ("round", "cli.round", "Look at rounds while they run.", _MODEL),
    ("model", "cli.model_group", "Publish, look at, fetch and verify models.", _MODEL),
    ("update", "cli.update", "Hand in an update by hand.", _MODEL),
    ("data", "cli.examples", "Fetch public examples to learn from.", _MODEL),
    ("blob", "cli.blob", "Put, get and keep files by their content id.", _MODEL),
    ("account", "cli.account", "Look at money and send it.", _CHAIN),
    ("stake", "cli.stake", "Bond, delegate, and look at validators.", _CHAIN),
    ("tx", "cli.tx", "Send, show and await transactions.", _CHAIN),
    ("chain", "cli.chain", "Look at the head, commits and checkpoints.", _CHAIN),
    ("light", "cli.light", "Check facts of a chain without a node.", _CHAIN),
    ("contract", "cli.contract_group", "Write, deploy and call contracts.", _TOOLS),
)

_CODES: Final = "; ".join(f"{code.value} {meaning}" for code, meaning in MEANINGS.items())
_HELP: Final = (
    "Fine-tune one language model together with organisations you need not trust.\n\n"
    "A first network on this machine: `hanse devnet up`. A node of your own: `hanse node init`, "
    "then `hanse node run`. Commands ask the node of --node, HANSE_NODE, or that of --folder. "
    "Those that list or show take --json; those that cannot be undone ask, unless --yes is given."
    f"\n\nExit codes: {_CODES}."
)


class RootGroup(TyperGroup):
    """Load groups when they are used; show an expected failure as one line, more with `--debug`."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - as Typer hands them on
        super().__init__(**attributes)
        own = dict(self.commands)
        self.commands.clear()
        for name, module, summary, panel in GROUPS:
            self.add_command(LazyGroup(name=name, module=module, summary=summary, panel=panel))
        for name, command in own.items():
            self.add_command(command, name)

    @override
    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line; whatever is wrong with it is told in one line."""
        words = [*(sys.argv[1:] if args is None else args)]
        run = partial(
            super().main,
            words,
            prog_name,
            complete_var,
            standalone_mode=False,
            windows_expand_args=windows_expand_args,
            **extra,
        )
        if not standalone_mode:
            return run()
        try:
            if not all(map(_is_text, words)):
                raise typer.BadParameter("an argument is not UTF-8, or holds a NUL")
            ended = run()
        except typer.Abort:
            if not sys.stdin.isatty():
                # The question stands there without the newline that a person types.
                typer.echo(err=True)
            _end("aborted: nothing was done; --yes does not ask", ExitCode.FAILED)
        except typer.TyperException as error:
            _end(_worded(error), ExitCode(error.exit_code))
        sys.exit(ended if isinstance(ended, int) else ExitCode.DONE)

    @override
    def invoke(self, ctx: Any) -> Any:
        """Run the command and turn what is expected to fail into an exit code."""
        try:
            return self._invoked(ctx)
        except HanseError as error:
            if ctx.params["debug"]:
                traceback.print_exc()
                typer.echo(f"code: {error.code}", err=True)
            print_error(str(error))
            raise typer.Exit(exit_code_of(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                # Who reads what we print has seen enough; Typer ends without a word.
                raise
            # Mostly a path that somebody gave: too long, no file, on a disk that is full.
            if ctx.params["debug"]:
                traceback.print_exc()
            place = "" if error.filename is None else f"{error.filename}: "
            print_error(f"{place}{error.strerror or error}")
            raise typer.Exit(ExitCode.FAILED) from error

    def _invoked(self, ctx: Any) -> Any:  # noqa: ANN401 - as Typer hands it on
        """Run the command; of several tasks that fail as is expected, the first is told."""
        try:
            return super().invoke(ctx)
        except ExceptionGroup as group:
            if group.split((HanseError, OSError))[1] is not None:
                raise
            raise first_error(group) from group


def _is_text(word: str) -> bool:
    """Tell whether a word can be sent, written and shown; the system hands on any bytes."""
    try:
        return b"\0" not in word.encode()
    except UnicodeEncodeError:
        return False


def _worded(error: typer.TyperException) -> str:
    """Return what is wrong with a command line; empty where its help was printed instead."""
    text = error.format_message().replace("Value error, ", "").strip().removesuffix(".")
    text = f"{text[:1].lower()}{text[1:]}".removeprefix("invalid value: ")
    context = getattr(error, "ctx", None)
    if not text or context is None:
        return text
    words = context.command_path.split()[1:]
    return f"{text} (see {' '.join(['hanse', *words, '--help'])})"


def _end(text: str, code: ExitCode) -> NoReturn:
    if text:
        print_error(text)
    sys.exit(code)


app = typer.Typer(
    cls=RootGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=_HELP,
)


@app.callback()
def root(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Hold the options of every command."""
    # The group above reads the option when an error ends the command.
    del debug


app.command(rich_help_panel=_TOOLS)(version)
app.command(
    # The simulator parses its own options, --help included, so that it loads only when it is used.
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
    rich_help_panel=_TOOLS,
)(simulate)


if __name__ == "__main__":
    app()
