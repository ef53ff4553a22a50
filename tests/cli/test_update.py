"""An update that is handed in by hand is read by the validators, and by nobody else."""

import json
from pathlib import Path

import pytest

from fl.rules.update.root import blob_root
from node.blobs.manifest import BlobId
from node.blobs.sealed import SealedRoot
from node.blobs.sealing import open_envelope
from node.execution.local_chain import key_named
from node.federation.document import write_document
from tests.chain.founded import address_of
from tests.cli.live import Live
from tests.cli.test_task import DOCUMENT, TERMS

UPDATE = b"what somebody has learnt" * 100


@pytest.fixture(scope="module")
def task(live: Live, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Offer a task whose round goes on with one update."""
    live.run("identity", "register", "sponsor", "--organisation", "lab", key="validator-0")
    file = tmp_path_factory.mktemp("document") / "document"
    file.write_bytes(write_document(DOCUMENT))
    cid = live.json("blob", "put", str(file), key="validator-0")["cid"]
    words = ("task", "create", "--document", cid, *TERMS, "--ready", "1", "--no-list", "--yes")
    number = live.json(*words, key="validator-0")["task"]
    assert isinstance(number, int)
    return number


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


def test_update_is_offered_in_its_round_only(live: Live, task: int, tmp_path: Path) -> None:
    file = tmp_path / "update"
    file.write_bytes(UPDATE)
    words = ("update", "submit", str(task), str(file), "--yes", "--timeout", "1")
    late = live.run(*words, key="validator-0")
    assert late.exit_code != 0
    assert f"no round of task {task} came to commit in 1 s" in late.stderr
