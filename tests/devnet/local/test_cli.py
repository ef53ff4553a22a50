"""`hanse devnet`: what its commands say of a network that does not run, and of bad input."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result, _NamedTextIOWrapper

from cli.devnet import app
from cli.devnet_log import read_log
from cli.exit_codes import ExitCode, exit_code_of
from cli.main import app as root
from devnet.local.errors import NodeDiedError, NoDevnetError, PlanError
from devnet.local.latency import Latency
from devnet.local.network import LocalNetwork
from devnet.local.plan import ROUNDS_MAX, Wish, make_plan
from node.chain.opening import LEDGER_NAME
from node.rpc.schemas import LogLine
from node.running.clock import SystemClock
from primitives.errors import HanseError


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "net"
    plan = make_plan(Wish(nodes=2, rounds=0))
    asyncio.run(LocalNetwork.create(folder, plan, clock=SystemClock()))
    return folder


def _run(*words: str, folder: Path) -> Result:
    return CliRunner().invoke(app, [*words, "--folder", str(folder)])


def test_status_of_what_does_not_run_says_down(folder: Path) -> None:
    result = _run("status", folder=folder)
    assert result.exit_code == 0
    assert result.output.count("down") == 2
    view = json.loads(_run("status", "--json", folder=folder).output)
    assert [node["state"] for node in view["nodes"]] == ["down", "down"]


def test_down_of_what_does_not_run_stops_nothing(folder: Path) -> None:
    assert "stopped nothing" in _run("down", folder=folder).output
    assert json.loads(_run("down", "--json", folder=folder).output)["stopped"] == []


def test_logs_of_a_node_that_never_ran_are_empty(folder: Path) -> None:
    assert "nothing was logged" in _run("logs", "node-1", folder=folder).output
    assert not _run("logs", "node-1", "--json", folder=folder).stdout
    log = folder / "logs" / "node-1.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text("\n".join(map(str, range(100))))
    assert _run("logs", "1", "--lines", "2", folder=folder).output == "98\n99\n"


RECORD = (
    '{"time_ms": 1700000000000, "level": "info", "logger": "node.rpc", '
    '"event": "api open", "url": "http://127.0.0.1:1"}'
)


def _log(folder: Path, text: str) -> Path:
    path = folder / "logs" / "node-0.log"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_logs_read_as_those_of_the_node_command_do(folder: Path) -> None:
    _log(folder, f"{RECORD}\nready\n")
    shown = "2023-11-14 22:13:20 info    api open url=http://127.0.0.1:1\n"
    assert _run("logs", "0", folder=folder).output == f"{shown}ready\n"


def test_logs_as_json_have_the_fields_that_the_node_command_prints(folder: Path) -> None:
    _log(folder, f"{RECORD}\nTraceback (most recent call last):\n")
    lines = _run("logs", "0", "--json", folder=folder).output.splitlines()
    record, words = (msgspec.json.decode(line, type=LogLine) for line in lines)
    assert (record.event, record.logger) == ("api open", "node.rpc")
    assert record.fields == {"url": "http://127.0.0.1:1"}
    assert words.event == "Traceback (most recent call last):"
    assert words.time_ms == 0


@pytest.mark.parametrize("line", ["{}", "[1]", "7", '{"event": 7}', '{"time_ms": -1}', "{"])
def test_line_that_is_no_record_is_told_as_it_is(line: str, folder: Path) -> None:
    _log(folder, f"{line}\n")
    assert _run("logs", "0", folder=folder).output == f"{line}\n"
    assert json.loads(_run("logs", "0", "--json", folder=folder).output)["event"] == line


def test_logs_are_followed_by_whole_lines(folder: Path) -> None:
    path = _log(folder, "one\ntwo\nthr")
    steps = iter(["ee\nfour\nfi", "", "ve\n"])

    def grow(_pause_s: float) -> None:
        with path.open("a") as file:
            file.write(next(steps))

    found = read_log(path, lines=2, follow=True, sleep=grow)
    assert [next(found) for _ in range(5)] == ["one", "two", "three", "four", "five"]


def test_logs_of_a_node_that_never_ran_are_followed_once_it_does(folder: Path) -> None:
    path = folder / "logs" / "node-7.log"
    steps = iter(["", "one\n"])

    def grow(_pause_s: float) -> None:
        path.parent.mkdir(exist_ok=True)
        if text := next(steps):
            path.write_text(text)

    assert next(read_log(path, lines=2, follow=True, sleep=grow)) == "one"


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_what_does_not_run_cannot_be_paused(command: str, folder: Path) -> None:
    assert isinstance(_run(command, "node-0", folder=folder).exception, NoDevnetError)


@pytest.mark.parametrize("command", ["kill", "logs", "restart"])
def test_unknown_node_is_named(command: str, folder: Path) -> None:
    error = _run(command, "node-9", folder=folder).exception
    assert isinstance(error, NoDevnetError)
    assert "there are node-0, node-1" in str(error)


def test_load_needs_a_node_that_runs(folder: Path) -> None:
    assert isinstance(_run("load", folder=folder).exception, NoDevnetError)


@pytest.mark.parametrize("groups", ["0,1", "0|", "|"])
def test_partition_has_two_groups(groups: str, folder: Path) -> None:
    result = _run("partition", groups, folder=folder)
    assert result.exit_code == 2
    assert "two groups" in result.output


@pytest.mark.parametrize("groups", ["0,1|1", "0,node-0|1", "0|node-0"])
def test_node_is_on_one_side_of_a_partition(groups: str, folder: Path) -> None:
    error = _run("partition", groups, folder=folder).exception
    assert isinstance(error, PlanError)
    assert "is named twice" in str(error)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--learning-rate", "1e999"),
        ("--learning-rate", "nan"),
        ("--alpha", "inf"),
        ("--rounds", "9" * 400),
        ("--rounds", str(ROUNDS_MAX + 1)),
        ("--nodes", "65"),
        ("--tokens", "9" * 30),
    ],
)
def test_numbers_that_no_network_can_have_are_refused(
    option: str, value: str, tmp_path: Path
) -> None:
    result = _run("up", option, value, folder=tmp_path / "net")
    assert result.exit_code == 2
    assert option in result.output
    assert not (tmp_path / "net").exists()


def test_node_forgets_its_databases_only_when_asked_to_twice(folder: Path) -> None:
    ledger = folder / "node-1" / LEDGER_NAME
    ledger.mkdir()
    words = ["devnet", "restart", "1", "--forget", "--folder", str(folder)]
    result = CliRunner().invoke(root, words, input="n\n")
    assert result.exit_code == ExitCode.FAILED
    assert "Delete the databases of node-1?" in result.stderr
    assert ledger.exists()


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_old_network_is_not_emptied_unless_somebody_at_a_terminal_says_so(
    answer: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where nobody can be asked, up goes on, here to what it finds and must not remove.
    strange = folder / "thesis.txt"
    strange.touch()
    words = ["devnet", "up", "--folder", str(folder)]
    for unasked in (words, [*words, "--yes"]):
        result = CliRunner().invoke(root, unasked)
        assert "thesis.txt" in result.stderr
        assert "Remove" not in result.stderr
    monkeypatch.setattr(_NamedTextIOWrapper, "isatty", lambda _: True, raising=False)
    result = CliRunner().invoke(root, words, input=answer)
    assert result.exit_code == ExitCode.FAILED
    assert f"Remove the network in {folder} and its report?" in result.stderr
    assert "aborted: nothing was done" in result.stderr
    assert "thesis.txt" in CliRunner().invoke(root, [*words, "--yes"]).stderr
    strange.unlink()


def test_only_nodes_that_run_are_parted(folder: Path) -> None:
    error = _run("partition", "0|1", folder=folder).exception
    assert isinstance(error, NoDevnetError)
    assert "node-0 does not run" in str(error)


def test_exit_codes_are_those_that_the_help_lists(folder: Path, tmp_path: Path) -> None:
    for words, place, code in (
        (("status",), tmp_path, ExitCode.NOT_FOUND),
        (("kill", "node-9"), folder, ExitCode.NOT_FOUND),
        (("up", "--latency", "fast"), tmp_path / "net", ExitCode.USAGE),
        (("up", "--attackers", "signflip:9"), tmp_path / "net", ExitCode.USAGE),
    ):
        error = _run(*words, folder=place).exception
        assert isinstance(error, HanseError)
        assert exit_code_of(error) is code


def test_status_tells_the_latency_and_whether_links_carry(tmp_path: Path) -> None:
    plan = make_plan(Wish(nodes=1, rounds=0, latency=Latency(40, 10)))
    asyncio.run(LocalNetwork.create(tmp_path / "net", plan, clock=SystemClock()))
    output = _run("status", folder=tmp_path / "net").output
    assert "links: 40 +-10 ms one way; down" in output
    view = json.loads(_run("status", "--json", folder=tmp_path / "net").output)
    assert view["latency"] == {"mean_ms": 40, "jitter_ms": 10}
    assert not view["is_linked"]


def test_folder_without_a_network_says_so(tmp_path: Path) -> None:
    assert isinstance(_run("status", folder=tmp_path).exception, NoDevnetError)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--attackers", "rude:1"), "no attack 'rude'"),
        (("--attackers", "signflip"), "KIND:COUNT"),
        (("-n", "2", "--validators", "3"), "--validators is 1 to the 2 nodes"),
        (("--trainers", "0"), "rounds need trainers"),
        (("--latency", "40,50"), "cannot vary by 50 ms"),
    ],
)
def test_plan_that_cannot_be_is_refused_before_anything_is_written(
    words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    result = _run("up", *words, folder=tmp_path / "net")
    assert isinstance(result.exception, PlanError)
    assert message in str(result.exception)
    assert not (tmp_path / "net").exists()


@pytest.mark.slow
def test_node_that_dies_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    async def main() -> None:
        plan = make_plan(Wish(nodes=1, rounds=0))
        network = await LocalNetwork.create(tmp_path / "net", plan, clock=SystemClock())
        config = network.folder / "node-0" / "hanse.toml"
        config.write_text(config.read_text().replace("[network]", "[netwerk]"))
        async with network.opened():
            network.start()
            with pytest.raises(NodeDiedError, match=r"unknown section \[netwerk\]"):
                await network.wait_ready()

    asyncio.run(main())
