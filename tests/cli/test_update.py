"""An update that is handed in by hand is read by the validators, and by nobody else."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from fl.rules.update.root import blob_root
from node.blobs.manifest import BlobId
from node.blobs.sealed import SealedRoot
from node.blobs.sealing import open_envelope
from node.execution.local_chain import key_named
from tests.chain.founded import address_of
from tests.cli.live import PASSWORD, Live
from tests.cli.offers import SPONSOR, be_somebody, create, put_document, update_blob
from tests.cli.shaky import Loss, shaky_way

UPDATE, OTHER = update_blob(0), update_blob(1)


@pytest.fixture(scope="module")
def task(live: Live, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Offer a task whose round goes on with one update."""
    cid = put_document(live, tmp_path_factory.mktemp("document"))
    return create(live, cid, "--ready", "1")


def test_update_is_sealed_for_those_who_have_seats(live: Live, task: int, tmp_path: Path) -> None:
    live.json("contract", "call", "rounds", "open_round", str(task), key="validator-0")
    file = tmp_path / "update"
    file.write_bytes(UPDATE)
    words = ("update", "submit", str(task), str(file), "--yes", "--timeout", "20", "--json")
    done = live.run(*words, key="validator-0")
    assert done.exit_code == 0, done.stderr
    root = blob_root(UPDATE).digest
    # The node of the test runs in this process, and its log is on the same standard output.
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "task": task,
        "round": 0,
        "root": root.hex(),
    }
    running = live.json("round", "show", str(task))
    (update,) = running["updates"]
    assert update["root"] == root.hex()
    assert live.stage is not None
    context = live.stage.context
    assert context.blobs is not None
    assert context.envelopes is not None
    assert not context.blobs.has(BlobId(root))
    (blob,) = context.envelopes.known(SealedRoot(task, 0, BlobId(root)))
    envelope = context.blobs.read(blob)
    assert UPDATE not in envelope
    for number in range(4):
        operator = address_of(f"validator-{number}")
        key = key_named(f"validator-{number} consensus")
        assert open_envelope(envelope, operator=operator, consensus_key=key) == UPDATE


def test_node_of_somebody_else_takes_no_update(live: Live, task: int, tmp_path: Path) -> None:
    file = tmp_path / "update"
    file.write_bytes(UPDATE)
    refused = live.run("update", "submit", str(task), str(file), "--yes", key="alice")
    assert refused.exit_code == 1
    assert "is not run with your key" in refused.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"# Hanse", "is no update of this task"),
        (UPDATE[:-1], "is no update of this task"),
        (UPDATE + bytes(1 << 20), "size: expected at most"),
    ],
    ids=["something else", "cut off", "huge"],
)
def test_no_bond_is_put_down_for_what_is_no_update(
    live: Live, task: int, tmp_path: Path, content: bytes, reason: str
) -> None:
    before = live.json("account", "balance", SPONSOR)
    refused = _submit(live, task, content, tmp_path)
    assert refused.exit_code == 1
    assert reason in refused.stderr
    assert live.json("account", "balance", SPONSOR) == before


def test_update_that_is_not_there_is_named(live: Live, task: int, tmp_path: Path) -> None:
    missing = live.run("update", "submit", str(task), str(tmp_path / "none"), key=SPONSOR)
    assert missing.exit_code == 1
    assert "cannot read" in missing.stderr


def test_update_is_offered_in_its_round_only(live: Live, task: int, tmp_path: Path) -> None:
    file = tmp_path / "update"
    file.write_bytes(OTHER)
    words = ("update", "submit", str(task), str(file), "--yes", "--timeout", "1")
    late = live.run(*words, key="validator-0")
    assert late.exit_code != 0
    assert f"no round of task {task} came to commit in 1 s" in late.stderr


@pytest.fixture(scope="module")
def dora(live: Live) -> str:
    """Return the key of a second trainer."""
    be_somebody(live, "dora", role="client")
    return "dora"


@pytest.fixture
def offered(live: Live, dora: str, tmp_path: Path) -> int:
    """Offer a task and open its round, which goes on with two updates, not only that of `dora`."""
    number = create(live, put_document(live, tmp_path), "--ready", "2", "--windows", "600")
    live.json("contract", "call", "rounds", "open_round", str(number), key=SPONSOR)
    return number


def _submit(live: Live, task: int, content: bytes, folder: Path, *words: str) -> Result:
    file = folder / "update"
    file.write_bytes(content)
    options = ("--yes", "--json", "--timeout", "20", *words)
    return live.run("update", "submit", str(task), str(file), *options, key=SPONSOR)


def _commit_as_dora(live: Live, task: int) -> None:
    words = ("rounds", "commit", str(task), "11" * 32, "--value", "0.5", "--yes")
    live.json("contract", "call", *words, key="dora")


def _revealed(live: Live, task: int) -> list[str | None]:
    """Return what the sponsor has revealed, None where it only committed."""
    who = live.json("identity", "show", SPONSOR)["address"]
    updates = live.json("round", "show", str(task))["updates"]
    return [one["root"] for one in updates if one["trainer"] == who]


def test_update_that_was_committed_is_revealed_by_a_second_run(
    live: Live, offered: int, tmp_path: Path
) -> None:
    first = _submit(live, offered, UPDATE, tmp_path, "--timeout", "1")
    assert first.exit_code == 1
    assert "run the same command again" in first.stderr
    assert _revealed(live, offered) == [None]
    other = _submit(live, offered, OTHER, tmp_path)
    assert other.exit_code == 1
    assert "you committed to another update in round 0" in other.stderr
    _commit_as_dora(live, offered)
    # No bond is put down again, so nothing is asked.
    second = _submit(live, offered, UPDATE, tmp_path)
    assert second.exit_code == 0, second.stderr
    assert _revealed(live, offered) == [blob_root(UPDATE).digest.hex()]
    third = _submit(live, offered, UPDATE, tmp_path)
    assert third.exit_code == 0, third.stderr
    assert json.loads(third.stdout.splitlines()[-1])["round"] == 0


def test_node_that_goes_away_costs_no_bond(live: Live, offered: int, tmp_path: Path) -> None:
    _commit_as_dora(live, offered)
    breaks = {
        # Of the commit and of the reveal, both of which the chain takes.
        b"POST /v1/transactions": [Loss.ANSWER, Loss.ANSWER],
        b"POST /v1/tasks": [Loss.REQUEST],
    }
    file = tmp_path / "update"
    file.write_bytes(UPDATE)
    with shaky_way(live.url, breaks) as url:
        words = ("update", "submit", str(offered), str(file), "--yes", "--timeout", "20")
        environ = {"HANSE_PASSWORD": PASSWORD, "HANSE_FOLDER": str(live.folder)}
        options = ["--node", url, "--key", SPONSOR]
        done = CliRunner(env=environ).invoke(app, [*words, *options])
    assert done.exit_code == 0, done.stderr
    assert not any(breaks.values())
    assert _revealed(live, offered) == [blob_root(UPDATE).digest.hex()]


def test_round_is_waited_for_where_the_node_is_away(
    live: Live, offered: int, tmp_path: Path
) -> None:
    _commit_as_dora(live, offered)
    file = tmp_path / "update"
    file.write_bytes(UPDATE)
    # A client asks a second time by itself where a connection was used before.
    looks = f"GET /v1/tasks/{offered}/round".encode()
    breaks = {looks: [Loss.REQUEST] * 5}
    with shaky_way(live.url, breaks) as url:
        words = ("update", "submit", str(offered), str(file), "--yes", "--timeout", "20")
        environ = {"HANSE_PASSWORD": PASSWORD, "HANSE_FOLDER": str(live.folder)}
        options = ["--node", url, "--key", SPONSOR]
        done = CliRunner(env=environ).invoke(app, [*words, *options])
    assert done.exit_code == 0, done.stderr
    assert not any(breaks.values())


def test_commit_that_nobody_waits_for_is_refused(live: Live, offered: int, tmp_path: Path) -> None:
    refused = _submit(live, offered, UPDATE, tmp_path, "--no-wait")
    assert refused.exit_code == 2
    assert "loses its bond" in refused.stderr
    assert _revealed(live, offered) == []
