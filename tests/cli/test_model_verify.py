"""A model is made again from what a live node gives; `rounds` says what a test wants."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.blobs.manifest import Access, BlobId
from node.blobs.store import BlobStore
from node.contracts.standard import ACQUAINTANCES, standard_contract
from node.execution.founding import compiled_contract
from node.execution.local_chain import key_named
from node.ledger.contract import genesis_contract_address
from primitives.ids import ChainId
from tests.chain.founded import StillClock, genesis_file
from tests.cli.live import Live, live_node
from tests.federation.history import ROUNDS, History
from tests.federation.history import Version as Made

# The stand-in with the storage of the real contract, for proofs are about slots.
MAPPED = (
    ROUNDS.replace(
        "    task: Task\n    terms: Terms\n",
        "    tasks: Map[Int, Task]\n    terms: Map[Int, Terms]\n",
    )
    .replace(
        "        self.task.model = model\n\n",
        "        self.task.model = model\n        self.task.version = version\n\n",
    )
    .replace("self.task.", "self.tasks[0].")
    .replace("self.terms.", "self.terms[0].")
    .replace("return self.task\n", "return self.tasks[0]\n")
    .replace("return self.terms\n", "return self.terms[0]\n")
)


def _genesis() -> bytes:
    others = [genesis_contract_address(name) for name in ACQUAINTANCES["rounds"]]
    contracts = [standard_contract(name) for name in ACQUAINTANCES if name != "rounds"]
    return genesis_file(contracts=[*contracts, compiled_contract("rounds", MAPPED, *others)])


@dataclass
class Town:
    """A node whose chain has a task with two versions."""

    live: Live
    versions: list[Made]
    genesis: Path

    def verify(self, *words: str) -> tuple[int, str, str]:
        result = self.live.run("model", "verify", "0", "--genesis", str(self.genesis), *words)
        return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("verify")
    raw = _genesis()
    genesis = folder / "genesis"
    genesis.write_bytes(raw)
    with live_node(folder, genesis=raw) as live, _store(folder / "made") as store:
        history = History(store, folder / "jobs")
        history.folder.mkdir()
        document = history.begin()
        _put(live, store.path(document))
        start = store.path(BlobId(history.document.start))
        _put(live, start)
        words = [document.hex(), history.document.start.hex()]
        live.json("contract", "call", "rounds", "begin", *words, key="alice")
        for number in range(2):
            version = asyncio.run(history.add(number))
            for root in (*version.roots, version.model):
                _put(live, store.path(BlobId(root)))
            _record(live, number + 1, version)
        yield Town(live, history.versions, genesis)


def _store(folder: Path) -> BlobStore:
    chain_id = ChainId(bytes(32))
    return BlobStore.open(folder, chain_id=chain_id, node_id=b"n", clock=StillClock())


def _put(live: Live, path: Path) -> None:
    assert live.stage is not None
    assert live.stage.context.blobs is not None
    live.stage.context.blobs.put_file(path, access=Access.PUBLIC)


def _record(live: Live, number: int, made: Made) -> None:
    words = [
        *map(str, (number, made.round)),
        made.parent.hex(),
        made.model.hex(),
        str(made.limit),
        str(made.halvings),
        json.dumps([_hex(name) for name in ("alice", "bob", "carol")]),
        json.dumps([root.hex() for root in made.roots]),
        json.dumps(list(made.weights)),
    ]
    live.json("contract", "call", "rounds", "add_version", *words, key="alice")


def _hex(name: str) -> str:
    return key_named(name).public.raw.hex()


def test_every_version_is_made_again_and_every_hash_is_named(town: Town) -> None:
    code, out, err = town.verify()
    assert code == 0, err
    lines = out.splitlines()
    assert lines[-1] == "verified: version 2 of task 0 follows from its blobs, bit for bit"
    for made in town.versions:
        for digest in (made.model, *made.roots):
            assert any(digest.hex() in line for line in lines)


@pytest.mark.slow
def test_earlier_version_is_verified_as_json(town: Town) -> None:
    code, out, _ = town.verify("1", "--json")
    found = json.loads(out)
    assert (code, found["verified"], found["version"]) == (0, True, 1)
    assert [one["what"] for one in found["checked"]].count("update") == len(town.versions[0].roots)


def test_version_that_is_not_there_is_one_line(town: Town) -> None:
    code, _, err = town.verify("9")
    assert code == 1
    assert "task 0 has the versions 0 to 2, not 9" in err


def test_other_genesis_file_is_not_believed(town: Town, tmp_path: Path) -> None:
    other = tmp_path / "genesis"
    other.write_bytes(genesis_file(validators=1, contracts=[standard_contract("registry")]))
    result = town.live.run("model", "verify", "0", "--genesis", str(other))
    assert result.exit_code == 1
    assert "the chain was founded without the contract 'rounds'" in result.stderr


def test_genesis_of_the_node_is_taken_with_a_warning(town: Town) -> None:
    result = town.live.run("model", "verify", "0", "0")
    assert result.exit_code == 0, result.stderr
    assert "warning: the genesis file is taken from the node" in result.stderr


def test_task_that_is_not_there_is_one_line(town: Town) -> None:
    result = town.live.run("model", "verify", "7", "--genesis", str(town.genesis))
    assert result.exit_code == 1
    assert "there is no task 7: 1 were created" in result.stderr


def test_versions_are_listed_shown_and_compared(town: Town) -> None:
    live = town.live
    listed = live.json("model", "list", "0")
    assert [one["model"] for one in listed] == [made.model.hex() for made in town.versions]
    assert live.json("model", "show", "0")["version"] == 2
    assert live.json("model", "show", "0", "1")["model"] == town.versions[0].model.hex()
    changes = live.json("model", "diff", "0", "0", "2")
    assert changes
    assert all(row["norm"] > 0 for row in changes)
    assert live.json("model", "diff", "0", "1", "1") == []
    for words in (["list", "0"], ["show", "0"], ["lineage", "0"], ["diff", "0", "0", "1"]):
        result = live.run("model", *words)
        assert result.exit_code == 0, result.output
        assert words[0] == "lineage" or max(map(len, result.stdout.splitlines())) <= 80


def test_lineage_names_every_contributor(town: Town) -> None:
    out = town.live.run("model", "lineage", "0").stdout
    assert town.versions[1].model.hex() in out
    assert key_named("carol").public.did_key in out
    assert len(town.live.json("model", "lineage", "0", "1")) == 1


def test_beyond_the_most_that_is_asked_for_the_newest_versions_are_told(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = town.live.json("model", "diff", "0", "1", "2")
    monkeypatch.setattr("cli.model.VERSIONS_MAX", 1)
    for verb in ("list", "lineage"):
        told = town.live.run("model", verb, "0", "--json")
        assert [one["version"] for one in json.loads(told.stdout)] == [2]
        assert "the first 1 versions are left out" in told.stderr
    assert town.live.json("model", "diff", "0", "1") == changes != []


def test_version_that_is_not_there_is_not_found(town: Town) -> None:
    assert town.live.run("model", "lineage", "0", "9").exit_code == 3
    result = town.live.run("model", "show", "0", "9")
    assert result.exit_code == 3
    assert "task 0 has no version 9: there are 1 to 2" in result.stderr
