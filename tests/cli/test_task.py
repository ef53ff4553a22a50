import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from node.config.load import load_config
from tests.cli.live import Live
from tests.cli.offers import DOCUMENT, TERMS, put_document


@pytest.fixture(scope="module")
def document(live: Live, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Put a task document; return its content id. The sponsor has an organisation."""
    return put_document(live, tmp_path_factory.mktemp("document"))


@pytest.fixture(scope="module")
def task(live: Live, document: str) -> int:
    words = ("task", "create", "--document", document, *TERMS, "--yes")
    number = live.json(*words, key="validator-0")["task"]
    assert isinstance(number, int)
    return number


def test_created_task_is_listed_and_shown(live: Live, task: int) -> None:
    shown = live.json("task", "show", str(task))
    assert (shown["title"], shown["organisation"]) == ("small task", "lab")
    assert shown["escrow"] == str(10 * 10**9)
    assert shown["terms"]["windows"] == [2_000] * 7
    assert shown["model"] == DOCUMENT.start.hex()
    assert task in [one["task"] for one in live.json("task", "list")]
    listing = live.run("task", "list").stdout
    assert "small task" in listing
    assert max(map(len, listing.splitlines())) <= 80
    assert "lab" in live.run("task", "show", str(task)).stdout


def test_task_that_is_not_there_is_not_found(live: Live) -> None:
    for words in (["task", "show"], ["round", "show"], ["model", "list"], ["task", "join"]):
        result = live.run(*words, "99")
        assert result.exit_code == 3, words
        assert "there is no task 99" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["--windows", "x"], 2, "--windows takes seconds"),
        (["--windows", "nan"], 2, "--windows takes seconds"),
        (["--windows", "1e999"], 2, "--windows takes seconds"),
        (["--windows", "1,2,3,4,5,6,1e300"], 2, "--windows takes seconds"),
        (["--windows", "1,2"], 2, "one number of seconds, or 7"),
        (["--guard", "x"], 2, "whole numbers with commas"),
        (["--ready", "4"], 2, "--ready is at most --slots, 3"),
        (["--windows", "0.1"], 4, "the terms are out of bounds"),
        (["--document", "nonsense"], 1, "not a cid"),
        (["--document", "ab" * 32], 3, "no public blob"),
    ],
)
def test_terms_that_are_wrong_are_refused(
    words: list[str], code: int, reason: str, live: Live, document: str
) -> None:
    first = [] if "--document" in words else ["--document", document]
    result = live.run("task", "create", *first, *TERMS, *words, "--yes", key="validator-0")
    assert reason in " ".join(result.stderr.replace("│", " ").split())
    assert result.exit_code == code


def test_creation_asks_first(live: Live, document: str) -> None:
    words = ("task", "create", "--document", document, *TERMS)
    result = live.run(*words, key="validator-0", text="n\n")
    assert result.exit_code == 1
    assert "Offer 'small task' for 10 HANSE, enough for 10 rounds?" in result.stderr


def test_round_is_shown_while_it_runs(live: Live, task: int) -> None:
    assert live.run("round", "show", str(task)).stdout == "no round is running\n"
    assert live.json("round", "show", str(task)) is None
    opened = live.json("contract", "call", "rounds", "open_round", str(task), key="alice")
    assert opened["receipt"]["status"] == "done"
    running = live.json("round", "show", str(task))
    assert (running["number"], running["phase"], len(running["seats"])) == (0, "commit", 4)
    text = live.run("round", "show", str(task)).stdout
    assert "no updates yet" in text
    assert max(map(len, text.splitlines())) <= 80
    history = live.json("round", "show", str(task), "0")
    assert history["phases"][0]["phase"] == "commit"
    assert "running" in live.run("round", "show", str(task), "0").stdout


def test_model_of_a_task_without_a_round_is_as_it_began(live: Live, task: int) -> None:
    for words in (["model", "list"], ["model", "lineage"]):
        assert "the model is as the task began" in live.run(*words, str(task)).stdout
    result = live.run("model", "show", str(task))
    assert result.exit_code == 3
    assert "no round has made one yet" in result.stderr


def test_sponsor_closes_a_task(live: Live, document: str) -> None:
    words = ("task", "create", "--document", document, *TERMS, "--no-list", "--yes")
    number = live.json(*words, key="validator-0")["task"]
    closed = live.json("task", "close", str(number), "--yes", key="validator-0")
    assert closed["receipt"]["status"] == "done"
    assert live.json("task", "show", str(number))["is_closed"]
    refused = live.run("task", "close", str(number), "--yes", key="bob")
    assert refused.exit_code == 4


def _in_folder(live: Live, folder: Path, *words: str) -> Result:
    environ = {"HANSE_NODE": live.url, "HANSE_FOLDER": str(folder)}
    return CliRunner(env=environ).invoke(app, ["task", *words])


def test_node_joins_and_leaves_tasks_in_its_file(live: Live, task: int, tmp_path: Path) -> None:
    (tmp_path / "hanse.toml").write_text('# mine\n[training]\n#tasks = "all"\n')
    refused = _in_folder(live, tmp_path, "leave", str(task))
    assert 'the node takes part in "all" tasks' in refused.stderr
    joined = _in_folder(live, tmp_path, "join", str(task), "--json")
    assert json.loads(joined.stdout)["tasks"] == [task]
    assert joined.stderr.count("leaves all but") == 1
    assert "leaves" not in _in_folder(live, tmp_path, "join", str(task)).stderr
    assert load_config(tmp_path, {}).training.tasks == (task,)
    left = _in_folder(live, tmp_path, "leave", str(task)).stdout
    assert left == "tasks of this node: none\n"
    assert load_config(tmp_path, {}).training.tasks == ()
    assert (tmp_path / "hanse.toml").read_text().startswith("# mine\n")


def test_folder_without_a_node_joins_nothing(live: Live, task: int, tmp_path: Path) -> None:
    result = _in_folder(live, tmp_path, "join", str(task))
    assert result.exit_code == 1
    assert "there is no node in" in result.stderr
