import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.contract_gas_log import DEPLOYMENT, GasLog, GasLogChain
from cli.exit_codes import ExitCode
from cli.main import app
from node.execution.local_chain import TransactionFailedError
from node.ledger.transaction import Transfer
from primitives.ids import Gas, Grain
from tests.tidy.sources import ROOT

COUNTER = """
class Counter(Contract):
    total: Int

    @external
    def add(self, amount: Int) -> Int:
        require(amount > 0, "amount must be positive")
        self.total += amount
        return self.total
"""
TESTS = """
import pytest

from node.execution.local_chain import TransactionFailedError


def test_adds(chain):
    counter = chain.deploy("counter")
    assert counter.add(5) == 5
    assert counter.add(6) == 11


def test_refuses(chain):
    counter = chain.deploy("counter")
    with pytest.raises(TransactionFailedError, match="must be positive"):
        counter.add(0)


def test_wrong(chain):
    assert chain.deploy("counter").add(1) == 2


def test_missing(chain):
    chain.deploy("nothing")


def test_outside(chain):
    chain.deploy("../counter")
"""


# Of the plugins of this project's tests, one asks for a setting.
INI = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "counter.contract").write_text(COUNTER, encoding="utf-8")
    (tmp_path / "test_counter.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(INI, encoding="utf-8")
    return tmp_path


def _test(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own: this one is a run of pytest already."""
    command = [sys.executable, "-m", "cli.main", "contract", "test", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
    )


def test_tests_run_on_a_chain_with_the_contract_next_to_them(folder: Path) -> None:
    ended = _test(folder, "--gas", "--", "-q", "-k", "adds or refuses")
    assert ended.returncode == 0, ended.stdout
    assert "2 passed, 3 deselected" in ended.stdout
    rows = [line.split() for line in ended.stdout.splitlines() if line.startswith("Counter.")]
    assert [row[:3] for row in rows] == [
        ["Counter.add", "2", "1"],
        ["Counter.deployment", "2", "0"],
    ]
    least, middle, most = map(int, rows[0][3:])
    assert least <= middle <= most


def test_document_shows_what_its_test_prints(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
    for name, content in re.findall(
        r"```python (?:title|test)=(\S+)\n(.*?)```", text, flags=re.DOTALL
    ):
        (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(INI, encoding="utf-8")
    ((command, shown),) = re.findall(
        r"```shell-session\n\$ hanse contract test (.*?)\n(.*?)```", text, flags=re.DOTALL
    )
    file, *options = command.split()
    ended = _test(tmp_path / file, *options)
    assert ended.returncode == 0, ended.stdout
    without_time = re.compile(r" in [\d.]+s")
    assert without_time.sub("", ended.stdout) == without_time.sub("", shown)


@pytest.mark.slow
def test_failures_keep_the_exit_code_of_pytest_and_say_why(folder: Path) -> None:
    ended = _test(f"{folder}/test_counter.py::test_adds", folder, "-q")
    assert ended.returncode == 1
    assert "3 failed, 2 passed" in ended.stdout
    assert "assert 1 == 2" in ended.stdout
    assert f"cannot read {folder}/nothing.contract: No such file" in ended.stdout
    assert "'../counter' is not the name of a contract file" in ended.stdout
    assert "Counter.add" not in ended.stdout


@pytest.mark.slow
def test_no_test_is_not_a_success(folder: Path) -> None:
    assert _test(folder, "-k", "nothing-like-it").returncode == ExitCode.NOT_FOUND


def test_path_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["contract", "test", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert result.stderr == f"error: there is no {tmp_path / 'none'}\n"


def test_missing_pytest_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytest", None)
    result = CliRunner().invoke(app, ["contract", "test"])
    assert result.exit_code == 1
    assert result.stderr == "error: pytest is not installed: pip install pytest\n"


def test_log_tells_least_middle_and_greatest_gas() -> None:
    log = GasLog()
    for gas in (7, 9, 1):
        log.add("Token", "transfer", Gas(gas))
    log.add_failed("Token", "transfer")
    log.add_failed("Token", "approve")
    head, approve, transfer = (line.split() for line in log.lines())
    assert head == ["method", "calls", "failed", "min", "median", "max"]
    assert approve == ["Token.approve", "0", "1", "-", "-", "-"]
    assert transfer == ["Token.transfer", "3", "1", "1", "7", "9"]


def test_log_without_calls_says_so() -> None:
    assert list(GasLog().lines()) == ["no contract was called"]


def test_chain_logs_what_receipts_say_and_only_of_contracts() -> None:
    log = GasLog()
    chain = GasLogChain(read_source=lambda _: COUNTER, log=log)
    counter = chain.deploy("counter")
    deployment = chain.receipts[-1].gas_used
    counter.add(3)
    used = counter.gas_used
    chain.send(Transfer(chain.account("bob"), Grain(5)))
    with pytest.raises(TransactionFailedError):
        chain.send(Transfer(counter.address, Grain(5)))
    rows = [line.split() for line in log.lines()][1:]
    assert rows == [
        ["Counter.add", "1", "0", *[str(used)] * 3],
        [f"Counter.{DEPLOYMENT}", "1", "0", *[str(deployment)] * 3],
    ]
