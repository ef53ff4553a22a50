import pytest

from node.execution.local_chain import key_named
from node.keystore.key_file import KeyKind
from tests.cli.live import Live, write_named_key

VALIDATOR = key_named("validator-1").public
ALICE = key_named("alice").public


def test_validators_are_listed_with_their_power(live: Live) -> None:
    found = live.json("stake", "validators")
    assert len(found["validators"]) >= 4
    result = live.run("stake", "validators")
    assert "25.0 %" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_delegation_is_seen_before_it_becomes_stake(live: Live) -> None:
    who = VALIDATOR.did_key
    sent = live.json("stake", "delegate", who, "10", "--yes", key="alice")
    assert sent["receipt"]["status"] == "done"
    (holding,) = live.json("stake", "rewards", "alice")["holdings"]
    assert (holding["validator"], holding["entering"]) == (who, str(10 * 10**9))
    assert "10 HANSE" in live.run("stake", "rewards", "alice").stdout
    early = live.run("stake", "undelegate", who, "4", key="alice")
    assert early.exit_code == 4
    assert "stake-insufficient: the delegation is worth 0 grains" in early.stderr


def test_account_without_stake_has_no_rewards(live: Live) -> None:
    result = live.run("stake", "rewards", key_named("carol").public.did_key)
    assert result.stdout == "nothing is staked\n"


def test_what_the_chain_forbids_is_refused_with_its_code(live: Live) -> None:
    for words in (
        ["stake", "unjail"],
        ["stake", "unbond", "1", "--yes"],
        ["stake", "delegate", ALICE.did_key, "1", "--yes"],
        ["stake", "withdraw", VALIDATOR.did_key],
    ):
        result = live.run(*words, key="bob")
        assert result.exit_code == 4, words
        assert result.stderr.startswith("error: the transaction ")


def test_bond_makes_a_validator_with_the_keys_of_the_folder(live: Live) -> None:
    consensus = write_named_key(live.folder, "bob consensus", kind=KeyKind.CONSENSUS)
    peer = write_named_key(live.folder, "bob node", kind=KeyKind.NODE)
    keys = ("--consensus-key", str(consensus), "--node-key", str(peer))
    done = live.json("stake", "bond", "1000", "--yes", *keys, key="bob")
    assert done["receipt"]["status"] == "done"
    operators = [one["operator"] for one in live.json("stake", "validators")["validators"]]
    assert key_named("bob").public.did_key in operators
    more = live.json("stake", "bond", "5", "--more", "--yes", key="bob")
    assert more["receipt"]["status"] == "done"


@pytest.mark.parametrize("words", [["bond"], ["delegate", VALIDATOR.did_key]])
def test_who_locks_money_is_asked_first(live: Live, words: list[str]) -> None:
    result = live.run("stake", *words, "1", key="alice", text="n\n")
    assert result.exit_code == 1
    assert "only after the unbonding period" in result.stderr
