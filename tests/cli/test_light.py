import datetime as dt
import functools
import json
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from node.contracts import read_source
from node.contracts.standard import ACQUAINTANCES, standard_contract
from node.execution.founding import compiled_contract
from node.execution.local_chain import key_named
from node.ledger.account import account_key, read_account
from node.ledger.chain import read_chain
from node.ledger.contract import genesis_contract_address, storage_key
from node.ledger.light_client import CHAIN_FILE_BYTES_MAX
from node.ledger.transaction import Transfer
from node.vm.lang.compiler import compile_contract
from node.vm.stored import StoredField
from node.vm.verifier import verify
from primitives.ids import Grain, TimestampMs
from tests.contracts.cast import ROUNDS
from tests.execution.certified_chain import CertifiedChain

HOUR_MS: Final = 3_600_000
ALICE: Final = key_named("alice").public
TASK, VERSION = 3, 1
CONTRACTS: Final = ("identity", "registry", "reputation")


@functools.cache
def history() -> CertifiedChain:
    """Return a chain in its second epoch, whose registry has a model."""
    addresses = [genesis_contract_address(name) for name in ACQUAINTANCES["rounds"]]
    rounds = compiled_contract("rounds", ROUNDS, *addresses)
    chain = CertifiedChain(contracts=(*map(standard_contract, CONTRACTS), rounds))
    chain.advance(HOUR_MS)
    contract = chain.contract("rounds")
    contract.note(TASK, ALICE.raw, 1, 40_000)
    contributors, roots = [ALICE.raw], [bytes(32)]
    contract.add_version(
        TASK, VERSION, 9, b"parent", b"model", 7, 8, 0, contributors, roots, [5], [6]
    )
    chain.send(Transfer(chain.account("bob"), Grain(5)))
    return chain


def _slot_key(contract: str, field: str, *keys: int | str | bytes) -> bytes:
    module = verify(compile_contract(read_source(contract), filename=contract))
    slot = StoredField(module, field).slot(keys)
    return storage_key(genesis_contract_address(contract), slot)


@functools.cache
def _proofs() -> dict[str, bytes]:
    chain = history()
    keys = {
        "alice": account_key(chain.account("alice")),
        "nobody": account_key(chain.account("nobody")),
        "latest": _slot_key("registry", "latest", TASK),
        "model": _slot_key("registry", "models", TASK, VERSION),
        "standing": _slot_key("reputation", "standings", TASK, ALICE.raw, 1),
        "name": _slot_key("identity", "names", "nobody"),
        "holder": _slot_key("identity", "holders", b"\x07\xff"),
        "no model": _slot_key("registry", "models", TASK, VERSION + 1),
    }
    proofs = {name: chain.key_proof_file(key) for name, key in keys.items()}
    return {**proofs, "receipt": chain.receipt_proof_file(0)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the files of the chain, and one file for each proof."""
    (tmp_path / "genesis").write_bytes(history().genesis_file)
    (tmp_path / "certificates").write_bytes(history().chain_file())
    for name, raw in _proofs().items():
        (tmp_path / name).write_bytes(raw)
    (tmp_path / "garbage").write_bytes(b"garbage")
    return tmp_path


def _verify(
    folder: Path,
    proof: str,
    *options: str,
    genesis: str = "genesis",
    certificates: str = "certificates",
) -> Result:
    files = {"--genesis": genesis, "--certificates": certificates, "--proof": proof}
    named = [word for option, name in files.items() for word in (option, str(folder / name))]
    return CliRunner().invoke(app, ["light", "verify", *named, *options])


def _proven(folder: Path, proof: str, *options: str) -> dict[str, object]:
    result = _verify(folder, proof, *options, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("account", [ALICE.raw.hex(), ALICE.did_key])
def test_balance_is_proven(account: str, folder: Path) -> None:
    held = read_account(history().state, history().account("alice"))
    record = read_chain(history().state)
    moment = dt.datetime.fromtimestamp(record.time_ms // 1_000, tz=dt.UTC)
    proven = _proven(folder, "alice", "--account", account)
    age_s = proven.pop("age_s")
    assert isinstance(age_s, int)
    assert age_s > 10**8
    assert proven == {
        "chain": history().chain_id.hex(),
        "epoch": 1,
        "height": record.height,
        "time": moment.isoformat(),
        "account": ALICE.raw.hex(),
        "balance": held.balance,
        "nonce": held.nonce,
    }


def test_account_that_never_was_is_proven_empty(folder: Path) -> None:
    nobody = history().account("nobody").hex()
    proven = _proven(folder, "nobody", "--account", nobody)
    assert (proven["balance"], proven["nonce"]) == (0, 0)


def test_fact_is_printed_line_by_line(folder: Path) -> None:
    result = _verify(folder, "alice", "--account", ALICE.did_key)
    assert result.exit_code == 0
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert list(lines) == [
        *("chain", "epoch", "height", "time", "age_s"),
        *("account", "balance", "nonce"),
    ]
    assert lines["account"] == ALICE.raw.hex()


def test_receipt_is_proven(folder: Path) -> None:
    receipt = history().receipts[-1]
    proven = _proven(folder, "receipt", "--receipt")
    assert proven["transaction"] == receipt.transaction_id.hex()
    assert (proven["status"], proven["code"], proven["events"]) == ("done", "", [])
    assert (proven["gas_used"], proven["fee"]) == (receipt.gas_used, receipt.fee)


def test_stored_value_is_proven(folder: Path) -> None:
    proven = _proven(folder, "latest", "--stored", "registry.latest", "--key", str(TASK))
    assert (proven["stored"], proven["keys"]) == ("registry.latest", [str(TASK)])
    assert proven["value"] == VERSION


def test_model_is_proven_with_its_lineage(folder: Path) -> None:
    keys = ("--key", str(TASK), "--key", str(VERSION))
    model = _proven(folder, "model", "--stored", "registry.models", *keys)["value"]
    assert isinstance(model, dict)
    assert model["model"] == b"model".hex()
    assert model["contributors"] == [ALICE.raw.hex()]
    assert (model["round"], model["weights"]) == (9, [5])


def test_model_that_is_not_there_is_proven_absent(folder: Path) -> None:
    keys = ("--key", str(TASK), "--key", str(VERSION + 1))
    assert _proven(folder, "no model", "--stored", "registry.models", *keys)["value"] is None


@pytest.mark.parametrize("account", [ALICE.raw.hex(), ALICE.did_key])
def test_key_may_be_an_account(account: str, folder: Path) -> None:
    options = _stored("reputation.standings", str(TASK), account, "1")
    standing = _proven(folder, "standing", *options)["value"]
    assert isinstance(standing, dict)
    assert 40_000 in standing.values()


def test_key_may_be_text_or_bytes(folder: Path) -> None:
    for proof, options in (
        ("name", _stored("identity.names", "nobody")),
        ("holder", _stored("identity.holders", "07ff")),
    ):
        assert _proven(folder, proof, *options)["value"] is None


def _stored(name: str, *keys: str) -> list[str]:
    return ["--stored", name, *(word for key in keys for word in ("--key", key))]


@pytest.mark.parametrize(
    ("proof", "options", "reason"),
    [
        ("alice", [], "name one of --account, --receipt and --stored"),
        ("alice", ["--receipt", "--account", "00"], "name one of"),
        ("none", ["--receipt"], "cannot read "),
        ("garbage", ["--receipt"], "the receipt is not proven: "),
        ("garbage", ["--account", ALICE.did_key], "the entry is not proven: "),
        ("alice", ["--receipt"], "the receipt is not proven: "),
        ("alice", ["--account", "11" * 32], "about the key"),
        ("alice", ["--account", "alice"], "neither a did:key nor 64 hexadecimal digits"),
        ("alice", ["--account", "ab" * 31], "neither a did:key nor 64 hexadecimal digits"),
        ("alice", ["--account", "did:key:z6Mk"], "did:key"),
        ("alice", ["--account", "did:web:example"], "did:key"),
        ("latest", _stored("nothing.latest", "3"), "'nothing' is no standard contract"),
        ("latest", _stored("../registry.latest", "3"), "'' is no standard contract"),
        ("latest", _stored("registry.nothing", "3"), "stores no 'nothing'"),
        ("latest", _stored("registry", "3"), "stores no ''"),
        ("latest", _stored("registry.latest"), "takes the keys Int, got 0"),
        ("latest", _stored("registry.latest", "3", "4"), "takes the keys Int, got 2"),
        ("latest", _stored("registry.latest", "three"), "the key 'three' is no Int"),
        ("latest", _stored("registry.latest", "4"), "about the key"),
        ("standing", _stored("reputation.standings", "3", "abc", "1"), "neither a did:key nor"),
        ("name", _stored("identity.holders", "no hexadecimal"), "is no Bytes"),
        ("name", _stored("identity.keys", ALICE.did_key), "'keys' is a list"),
    ],
)
def test_what_is_not_proven_is_one_line_and_exit_code_one(
    proof: str, options: list[str], reason: str, folder: Path
) -> None:
    result = _verify(folder, proof, *options)
    assert result.exit_code == 1
    assert not result.stdout
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert reason in result.stderr


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"genesis": "garbage"}, "not a genesis file"),
        ({"genesis": "none"}, "cannot read"),
        ({"genesis": "certificates"}, "not a genesis file"),
        ({"certificates": "garbage"}, "not a certificate chain"),
        ({"certificates": "none"}, "cannot read"),
    ],
)
def test_file_that_is_another_is_one_line(files: dict[str, str], reason: str, folder: Path) -> None:
    result = _verify(folder, "alice", "--account", ALICE.did_key, **files)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert reason in result.stderr


def test_file_that_is_too_long_is_not_read_to_its_end(folder: Path) -> None:
    with (folder / "certificates").open("r+b") as file:
        file.truncate(CHAIN_FILE_BYTES_MAX + 1)
    result = _verify(folder, "alice", "--account", ALICE.did_key)
    assert result.exit_code == 1
    assert "is longer than any file of a light client" in result.stderr


def test_options_are_told_apart_from_facts() -> None:
    result = CliRunner().invoke(app, ["light", "verify", "--receipt"])
    assert result.exit_code == 2
    assert "--genesis" in result.stderr


def test_old_certificates_are_refused_if_they_must_be_fresh(folder: Path) -> None:
    result = _verify(folder, "alice", "--account", ALICE.did_key, "--fresh")
    assert result.exit_code == 1
    assert "ms old, must be 0 to" in result.stderr


def test_old_certificates_are_believed_with_a_warning(folder: Path) -> None:
    result = _verify(folder, "alice", "--account", ALICE.did_key)
    assert result.exit_code == 0
    assert "warning: the certificates are" in result.stderr
    assert "warning" not in result.stdout


def test_fresh_certificates_are_believed(folder: Path) -> None:
    chain = CertifiedChain()
    chain.now_ms = TimestampMs(int(dt.datetime.now(tz=dt.UTC).timestamp() * 1_000) - 60_000)
    chain.commit(())
    chain.send(Transfer(chain.account("bob"), Grain(5)))
    (folder / "genesis").write_bytes(chain.genesis_file)
    (folder / "certificates").write_bytes(chain.chain_file())
    (folder / "fresh").write_bytes(chain.key_proof_file(account_key(chain.account("bob"))))
    bob = chain.account("bob")
    proven = _proven(folder, "fresh", "--account", bob.hex(), "--fresh")
    assert proven["balance"] == chain.balance(bob)
