"""What docs/contracts.md shows is what happens."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from node.vm.lang.builtins import BUILTINS, RULED, STATEMENTS

TEXT = (Path(__file__).parents[3] / "docs" / "contracts.md").read_text(encoding="utf-8")
SOURCES = dict(re.findall(r"```python title=(\S+)\n(.*?)```", TEXT, flags=re.DOTALL))
SESSIONS = re.findall(r"```console\n\$ hanse (.*?)\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, source in SOURCES.items():
        (tmp_path / name).write_text(source, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("command", "shown"), SESSIONS)
def test_session_shows_what_the_command_prints(command: str, shown: str) -> None:
    assert CliRunner().invoke(app, command.split()).output == shown


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", [name for name in SOURCES if name != "wrong.contract"])
def test_contract_of_the_document_compiles(name: str) -> None:
    assert CliRunner().invoke(app, ["contract", "check", name]).exit_code == 0


@pytest.mark.parametrize("name", [*BUILTINS, *RULED, *STATEMENTS])
def test_built_in_function_is_named_in_the_document(name: str) -> None:
    assert re.search(rf"\b{name}\b", TEXT)
