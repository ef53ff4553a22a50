import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app

GOOD = """
class Counter(Contract):
    total: Int

    @external
    def add(self, amount: Int) -> Int:
        self.total += amount
        emit("Added", amount=amount)
        return self.total
"""
BAD = GOOD.replace("total +=", "totl +=")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.contract"
    path.write_text(GOOD, encoding="utf-8")
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.contract"
    path.write_text(BAD, encoding="utf-8")
    return path


def _contract(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["contract", *map(str, arguments)])


def test_good_contract_is_summed_up_in_one_line(good: Path) -> None:
    result = _contract("check", good)
    assert result.exit_code == 0
    assert result.stdout == "Counter: 67 bytes, methods: 1, fields: 1, events: 1\n"


def test_good_contract_as_json_is_one_object(good: Path) -> None:
    result = _contract("check", good, "--json")
    assert json.loads(result.stdout) == {
        "contract": "Counter",
        "size_bytes": 67,
        "methods": 1,
        "fields": 1,
        "events": 1,
    }


def test_bad_contract_is_shown_with_its_line_and_a_mark(bad: Path) -> None:
    result = _contract("check", bad)
    assert result.exit_code == 1
    assert not result.stdout
    assert result.stderr == (
        f"{bad}:7:9: the contract has no field 'totl'\n"
        "            self.totl += amount\n"
        "            ^\n"
        "    hint: did you mean 'total'?\n"
    )


def test_bad_contract_as_json_lists_its_problems(bad: Path) -> None:
    result = _contract("check", bad, "--json")
    assert result.exit_code == 1
    (problem,) = json.loads(result.stdout)["problems"]
    assert problem == {
        "file": str(bad),
        "line": 7,
        "column": 9,
        "message": "the contract has no field 'totl'",
        "hint": "did you mean 'total'?",
    }


def test_control_characters_of_a_source_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "rude.contract"
    path.write_text("a = '\x1b[2J'\n", encoding="utf-8")
    result = _contract("check", path)
    assert result.exit_code == 1
    assert "\x1b" not in result.stderr
    assert "1:6: a control character" in result.stderr


def test_disassembly_shows_the_code_of_every_method(good: Path) -> None:
    result = _contract("disassemble", good)
    assert result.exit_code == 0
    assert result.stdout.startswith("module Counter 1\n")
    assert "function add external (Int) Int" in result.stdout
    assert "EMIT 0" in result.stdout


def test_disassembly_of_a_bad_contract_is_an_error(bad: Path) -> None:
    result = _contract("disassemble", bad)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {bad}:7:9: ")


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    result = _contract("check", tmp_path / "none.contract")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: cannot read ")
    assert result.stderr.count("\n") == 1


def test_file_that_is_not_text_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "odd.contract"
    path.write_bytes(b"a = 1\n\xff\n")
    result = _contract("check", path)
    assert result.exit_code == 1
    assert result.stderr == f"error: {path}:2: the file is not UTF-8\n"


def test_file_that_is_too_long_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "long.contract"
    path.write_bytes("é".encode() * 200_000)
    result = _contract("check", path)
    assert result.exit_code == 1
    assert "more than 262144" in result.stderr


def test_commands_do_not_load_the_compiler_before_they_run() -> None:
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from cli.main import app\n"
        "assert CliRunner().invoke(app, ['contract', 'check', '--help']).exit_code == 0\n"
        "print(*(name for name in sys.modules if name.split('.')[0] == 'node'))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert not loaded.stdout.strip()
