"""`hanse contract test`: run pytest with a chain in one object, for every test anew."""

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from cli.exit_codes import ExitCode

_CODES: Final = {0: ExitCode.DONE, 4: ExitCode.USAGE, 5: ExitCode.NOT_FOUND}
"""What the exit codes of pytest mean for us: passed, used wrongly, no tests."""
PLUGIN: Final = "cli.contract_fixture"

Arguments: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATH... [-- PYTEST ARGUMENTS]", help="Tests, by default all of here."),
]
Gas: TypeAlias = Annotated[bool, typer.Option("--gas", help="Tell what each method used.")]


def run_tests(*, arguments: Arguments = None, gas: Gas = False) -> None:
    """Run tests of contracts with pytest; each may ask for the fixture `chain`.

    `chain.deploy("token", ...)` deploys token.contract, which stands next to the test.
    """
    from primitives.errors import ConfigurationError

    try:
        import pytest
    except ImportError as error:
        raise ConfigurationError("pytest is not installed: pip install pytest") from error
    given = arguments or []
    _check_paths(given)
    own = ["-p", PLUGIN, "--import-mode=importlib", *(["--gas"] if gas else [])]
    raise typer.Exit(_CODES.get(int(pytest.main([*own, *given])), ExitCode.FAILED))


def _check_paths(arguments: list[str]) -> None:
    from primitives.errors import ConfigurationError

    for argument in arguments:
        if argument.startswith("-"):
            # From here on they are for pytest, and some take a word of their own.
            return
        path = Path(argument.partition("::")[0])
        if not path.exists():
            raise ConfigurationError(f"there is no {path}")
