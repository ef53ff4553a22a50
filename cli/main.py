"""The `hanse` command: the root of every command group, and the one place that words an error.

An expected failure is a `HanseError`: the user sees one line that says what is wrong. Anything else
is a bug and keeps its traceback, without local variables, because those may hold keys.
"""

import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from cli.contract import app as contract
from cli.contract_gas import gas
from cli.contract_testing import run_tests
from cli.light import app as light
from cli.node import app as node
from cli.p2p import app as p2p
from cli.simulate import simulate
from cli.version import version
from primitives.errors import HanseError


class RootGroup(TyperGroup):
    """Show an expected failure as one line, and the rest of it with `--debug`."""

    @override
    def invoke(self, ctx: Any) -> Any:
        """Run the command and turn a `HanseError` into exit code 1."""
        try:
            return super().invoke(ctx)
        except HanseError as error:
            if ctx.params["debug"]:
                traceback.print_exc()
                typer.echo(f"code: {error.code}", err=True)
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=RootGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def root(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Fine-tune one language model together with organisations you need not trust."""
    # The group above reads the option when an error ends the command.
    del debug


app.command()(version)
contract.command()(gas)
contract.command("test", context_settings={"ignore_unknown_options": True})(run_tests)
app.add_typer(contract, name="contract")
app.add_typer(light, name="light")
app.add_typer(node, name="node")
app.add_typer(p2p, name="p2p")
app.command(
    # The simulator parses its own options, --help included, so that it loads only when it is used.
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)(simulate)


if __name__ == "__main__":
    app()
