import json
import platform
import re
import subprocess
import sys
from importlib import metadata

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from primitives.errors import MalformedBytesError


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_version_is_one_line() -> None:
    result = _run("version")
    assert result.exit_code == 0
    assert re.fullmatch(r"hanse \d+\.\d+\.\d+ \(Python [\d.]+\S*\)\n", result.stdout)


def test_version_as_json_is_one_object() -> None:
    result = _run("version", "--json")
    expected = {"hanse": metadata.version("hanse"), "python": platform.python_version()}
    assert json.loads(result.stdout) == expected


def _fail() -> None:
    raise MalformedBytesError("not the canonical encoding")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make one command of the real application fail with an expected error."""
    registered = [*app.registered_commands]
    monkeypatch.setattr(app, "registered_commands", registered)
    app.command("fail")(_fail)


@pytest.mark.usefixtures("failing")
def test_expected_error_is_one_line_and_exit_code_one() -> None:
    result = _run("fail")
    assert result.exit_code == 1
    assert result.stderr == "error: not the canonical encoding\n"


def _fail_together() -> None:
    inner = ExceptionGroup("inner", [MalformedBytesError("one of two")])
    raise ExceptionGroup("outer", [inner, FileNotFoundError(2, "not there", "key")])


def _fail_with_a_bug() -> None:
    raise ExceptionGroup("outer", [MalformedBytesError("one of two"), ZeroDivisionError("a bug")])


def test_first_of_expected_errors_of_several_tasks_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "registered_commands", [*app.registered_commands])
    app.command("fail")(_fail_together)
    result = _run("fail")
    assert result.exit_code == 1
    assert result.stderr == "error: one of two\n"


def test_bug_beside_an_expected_error_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "registered_commands", [*app.registered_commands])
    app.command("fail")(_fail_with_a_bug)
    assert isinstance(_run("fail").exception, ExceptionGroup)


@pytest.mark.usefixtures("failing")
def test_debug_shows_where_an_expected_error_came_from() -> None:
    result = _run("--debug", "fail")
    assert result.exit_code == 1
    assert "in _fail" in result.stderr
    assert "code: malformed_bytes" in result.stderr


def test_unknown_command_is_a_usage_error() -> None:
    result = _run("simulat")
    assert result.exit_code == 2
    assert "simulate" in result.stderr


def test_simulate_hands_its_arguments_to_the_simulator() -> None:
    result = _run("simulate", "--help")
    assert result.exit_code == 0
    assert "sweep" in result.stdout
    assert "simulate [OPTIONS] COMMAND" in result.stdout


def test_simulate_keeps_the_exit_code_of_the_simulator() -> None:
    assert _run("simulate", "no-such-command").exit_code == 2


def test_help_does_not_load_the_simulator() -> None:
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(*(name for name in sys.modules if name.startswith(('devnet', 'consensus'))))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert not loaded.stdout.strip()
