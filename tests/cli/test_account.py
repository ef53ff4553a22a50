import pytest

from node.execution.local_chain import key_named
from tests.cli.live import Live

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


def test_amount_that_is_none_is_a_usage_error(live: Live) -> None:
    result = live.run("account", "transfer", DAVE.did_key, "one", "--yes", key="alice")
    assert result.exit_code == 2
    assert "write HANSE as 1.5, or grains as" in " ".join(result.stderr.replace("│", " ").split())
