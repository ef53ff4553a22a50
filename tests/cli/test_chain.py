from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from node.execution.local_chain import key_named
from node.ledger.transaction import SIGNED_TRANSACTION_CODEC, Transfer
from primitives.ids import Address, Grain
from tests.cli.live import Live

ALICE = key_named("alice").public
BOB = key_named("bob").public


def _sent(live: Live) -> str:
    receipt = live.json("account", "transfer", BOB.did_key, "1grain", "--yes", key="alice")
    name = receipt["receipt"]["transaction_id"]
    assert isinstance(name, str)
    return name


def test_head_names_the_chain(live: Live) -> None:
    head = live.json("chain", "head")
    text = live.run("chain", "head").stdout
    assert head["chain_id"] in text
    assert head["certified_height"] <= head["height"]


def test_commit_lists_what_it_did(live: Live) -> None:
    sent = _sent(live)
    height = live.json("tx", "show", sent)["receipt"]["height"]
    commit = live.json("chain", "commit", str(height))
    assert [one["transaction_id"] for one in commit["receipts"]] == [sent]
    text = live.run("chain", "commit", str(height)).stdout
    assert sent[:12] in text
    assert max(map(len, text.splitlines())) <= 80


def test_commit_that_is_not_there_is_not_found(live: Live) -> None:
    result = live.run("chain", "commit", "999999")
    assert result.exit_code == 3
    assert result.stderr == "error: commit 999999 is not here: pruned, or not yet executed\n"


def test_newest_checkpoint_can_be_asked_for_by_its_number(live: Live) -> None:
    newest = live.json("chain", "checkpoint")
    number = newest["checkpoint"]["number"]
    assert live.json("chain", "checkpoint", str(number))["checkpoint"] == newest["checkpoint"]
    assert newest["checkpoint"]["digest"] in live.run("chain", "checkpoint").stdout
    assert live.run("chain", "checkpoint", "999999").exit_code == 3


def test_exported_files_prove_a_balance_and_a_receipt_without_the_node(
    live: Live, tmp_path: Path
) -> None:
    sent = _sent(live)
    out = str(tmp_path / "files")
    files = live.json("chain", "export", out, "--account", BOB.did_key, "--transaction", sent)
    for proof, fact in (("account", ["--account", BOB.did_key]), ("receipt", ["--receipt"])):
        words = ["--genesis", files["genesis"], "--proof", files[f"{proof}.proof"]]
        words += ["--certificates", files[f"{proof}.certificates"]]
        result = CliRunner().invoke(app, ["light", "verify", *words, *fact])
        assert result.exit_code == 0, result.output


def test_transaction_is_shown_with_its_fee(live: Live) -> None:
    sent = _sent(live)
    text = live.run("tx", "show", sent).stdout
    assert sent in text
    assert "HANSE" in text


@pytest.mark.parametrize("name", ["", "zz", "ab" * 31])
def test_id_that_is_none_is_a_usage_error(name: str, live: Live) -> None:
    assert live.run("tx", "show", name).exit_code == 2


def test_unknown_transaction_is_not_found(live: Live) -> None:
    assert live.run("tx", "show", "ab" * 32).exit_code == 3
    result = live.run("tx", "wait", "ab" * 32, "--timeout", "1")
    assert result.exit_code == 1
    assert "no commit has the transaction after 1 s" in result.stderr


@pytest.mark.parametrize("is_hex", [True, False])
def test_transaction_that_was_signed_elsewhere_is_sent(
    is_hex: bool, live: Live, tmp_path: Path
) -> None:
    assert live.stage is not None
    signed = live.stage.sign(Transfer(Address(BOB.raw), Grain(1)), sender="bob")
    raw = SIGNED_TRANSACTION_CODEC.encode(signed)
    file = tmp_path / "transaction"
    file.write_bytes(raw.hex().encode() if is_hex else raw)
    sent = live.json("tx", "send", str(file))["transaction"]
    assert live.run("tx", "wait", sent).exit_code == 0


def test_what_is_no_transaction_is_one_line(live: Live, tmp_path: Path) -> None:
    file = tmp_path / "garbage"
    file.write_bytes(b"garbage")
    for path in (file, tmp_path / "nothing"):
        result = live.run("tx", "send", str(path))
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 1


def test_no_node_is_exit_code_five() -> None:
    words = ["chain", "head", "--node", "http://127.0.0.1:1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 5
    assert result.stderr.startswith("error: no node answers at http://127.0.0.1:1: ")
    assert result.stderr.count("\n") == 1
