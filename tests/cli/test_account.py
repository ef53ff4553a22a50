import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from devnet.local.purse import Purse
from node.config.load import CONFIG_NAME
from node.execution.local_chain import key_named
from node.ledger.genesis import chain_id_of
from node.ledger.transaction import Transfer
from node.rpc.client import NodeClient
from primitives.ids import Address, ChainId, Digest, Gas, Grain
from tests.cli.live import Live, write_named_key

ALICE = key_named("alice").public
DAVE = key_named("dave").public


def test_balance_is_shown_in_hanse(live: Live) -> None:
    result = live.run("account", "balance", ALICE.did_key)
    assert result.exit_code == 0, result.output
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert lines["account"] == ALICE.did_key
    assert lines["balance"].endswith(" HANSE")


@pytest.mark.parametrize("who", ["alice", ALICE.did_key, ALICE.raw.hex()])
def test_account_is_named_in_three_ways(who: str, live: Live) -> None:
    assert live.json("account", "balance", who)["address"] == ALICE.did_key


def test_transfer_moves_money_and_prints_the_receipt(live: Live) -> None:
    before = int(live.json("account", "balance", DAVE.did_key)["balance"])
    receipt = live.json("account", "transfer", DAVE.did_key, "1.5", "--yes", key="alice")["receipt"]
    assert receipt["status"] == "done"
    after = int(live.json("account", "balance", DAVE.did_key)["balance"])
    assert after - before == 1_500_000_000


def test_transfer_asks_first_and_is_called_off(live: Live) -> None:
    result = live.run("account", "transfer", DAVE.did_key, "1", key="alice", text="n\n")
    assert result.exit_code == 1
    assert "Send 1 HANSE to did:key:" in result.stderr
    assert result.stderr.endswith("\nerror: aborted: nothing was done; --yes does not ask\n")


def test_transfer_of_too_much_is_refused_by_the_chain(live: Live) -> None:
    result = live.run("account", "transfer", DAVE.did_key, "9000000", "--yes", key="bob")
    assert result.exit_code == 4
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_transfer_that_is_not_awaited_prints_its_id(live: Live) -> None:
    words = ("account", "transfer", DAVE.did_key, "1grain", "--yes", "--no-wait")
    sent = live.json(*words, key="alice")["transaction"]
    result = live.run("tx", "wait", sent)
    assert result.exit_code == 0, result.output
    assert live.json("tx", "show", sent)["receipt"]["transaction_id"] == sent


async def _leave_waiting(live: Live) -> Digest:
    """Have a transaction of bob wait behind a gap, as after the one before it was dropped."""
    bob = key_named("bob")
    async with NodeClient(live.url) as client:
        head, account = await client.head(), await client.account(bob.public.did_key)
        purse = Purse(client, bob, ChainId(bytes.fromhex(head.chain_id)))
        waiting = purse.signed(
            Transfer(Address(DAVE.raw), Grain(7)),
            nonce=int(account.next_nonce) + 1,
            gas_limit=Gas(50_000),
            now_ms=head.time_ms,
        )
        return await client.submit(waiting)


def test_transaction_fills_the_gap_before_one_that_waits(live: Live) -> None:
    waiting = asyncio.run(_leave_waiting(live))
    sent = live.json("account", "transfer", DAVE.did_key, "1grain", "--yes", key="bob")
    assert sent["receipt"]["status"] == "done"
    result = live.run("tx", "wait", waiting.hex())
    assert result.exit_code == 0, result.output


def test_amount_that_is_none_is_a_usage_error(live: Live) -> None:
    result = live.run("account", "transfer", DAVE.did_key, "one", "--yes", key="alice")
    assert result.exit_code == 2
    assert "write HANSE as 1.5, or grains as" in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    "words", [("account", "transfer", DAVE.did_key, "1", "--yes"), ("identity", "token")]
)
def test_nothing_is_signed_for_another_chain_than_that_of_the_folder(
    words: tuple[str, ...], live: Live, tmp_path: Path
) -> None:
    write_named_key(tmp_path, "alice")
    (tmp_path / CONFIG_NAME).touch()
    here = replace(live, folder=tmp_path)
    assert live.stage is not None
    (tmp_path / "genesis").write_bytes(b"another")
    refused = here.run(*words, key="alice")
    assert refused.exit_code == 1
    assert f"is of the chain {live.stage.chain.chain_id.hex()[:16]}, " in refused.stderr
    assert f"{tmp_path / 'genesis'} of {chain_id_of(b'another').hex()[:16]}" in refused.stderr
    assert refused.stderr.count("\n") == 1
    (tmp_path / "genesis").unlink()
    assert here.run(*words, key="alice").exit_code == 0
