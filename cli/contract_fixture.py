"""A pytest plugin: the fixture `chain` of contract tests, and the gas that their calls used.

Loaded by `hanse contract test`, or by `pytest -p cli.contract_fixture`.
"""

from pathlib import Path
from typing import Final

import pytest

from cli.contract_gas_log import GasLog, GasLogChain
from primitives.errors import ConfigurationError

GAS_LOG: Final = pytest.StashKey[GasLog]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--gas`."""
    parser.addoption("--gas", action="store_true", help="tell what each method used")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to log."""
    config.stash[GAS_LOG] = GasLog()


@pytest.fixture
def chain(request: pytest.FixtureRequest) -> GasLogChain:
    """Return a new chain, on which `chain.deploy("token", ...)` deploys `token.contract`.

    The file is looked for next to the test.
    """
    folder = request.path.parent

    def read_source(name: str) -> str:
        return _read(folder, name)

    return GasLogChain(read_source=read_source, log=request.config.stash[GAS_LOG])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what each method used, over all tests."""
    if config.getoption("--gas"):
        terminalreporter.section("gas")
        for line in config.stash[GAS_LOG].lines():
            terminalreporter.write_line(line)


def _read(folder: Path, name: str) -> str:
    path = folder / f"{name}.contract"
    if not name.isidentifier():
        raise ConfigurationError(f"{name!r} is not the name of a contract file")
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
