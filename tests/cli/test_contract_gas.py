import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from node.execution.local_chain import LocalChain

SOURCE = """
class Counter(Contract):
    total: Int

    @external
    def add(self, amount: Int) -> Int:
        require(amount > 0, "amount must be positive")
        for _ in range(amount):
            self.total += self.twice(amount)
        return self.total

    def twice(self, amount: Int) -> Int:
        return 2 * amount
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "counter.contract"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def _gas(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["contract", "gas", *map(str, arguments)])


def test_every_method_is_told_run_by_run(file: Path) -> None:
    result = _gas(file)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Counter: ")
    assert any(line.startswith("external add(Int) -> Int: ") for line in lines)
    assert any(line.startswith("internal twice(Int) -> Int: ") for line in lines)
    assert "STORE: the weighted size of the encoded value" in result.stdout
    assert "calls twice" in result.stdout
    assert "each time round" in result.stdout


def test_gas_as_json_is_one_object(file: Path) -> None:
    found = json.loads(_gas(file, "--json").stdout)
    add, twice = found["functions"]
    assert (add["name"], add["kind"]) == ("add", "external")
    assert add["gas_once"] == sum(run["gas"] for run in add["runs"])
    assert [run["gas"] for run in twice["runs"]] == [twice["gas_once"]]
    stores = [part for run in add["runs"] for part in run["dynamic"] if part["op"] == "STORE"]
    assert stores == [
        {"op": "STORE", "count": 1, "gas": 1, "per": 1, "of": "weighted size of the encoded value"}
    ]


def test_deployment_costs_what_the_chain_charges(file: Path) -> None:
    found = json.loads(_gas(file, "--json").stdout)
    chain = LocalChain()
    chain.deploy(SOURCE)
    # Numbers in a transaction take a byte more or less.
    assert abs(chain.receipts[-1].gas_used - found["deployment_gas"]) < 200


@pytest.mark.parametrize("text", ["class Broken(Contract)", "\x00"])
def test_contract_that_does_not_compile_is_an_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.contract"
    path.write_text(text, encoding="utf-8")
    result = _gas(path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {path}:1:")
    assert not result.stdout


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    result = _gas(tmp_path / "none.contract")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
