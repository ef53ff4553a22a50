from node.execution.local_chain import key_named
from tests.cli.live import Live, write_named_key


def test_identity_is_registered_shown_and_revoked(live: Live) -> None:
    write_named_key(live.folder, "erin")
    erin = key_named("erin").public.did_key
    live.json("account", "transfer", erin, "100", "--yes", key="alice")
    words = ("identity", "register", "erin", "--role", "agent", "--organisation", "acme", "--yes")
    done = live.json(*words, key="erin")
    assert (done["receipt"]["status"], done["name"]) == ("done", "erin")
    shown = live.json("identity", "show", "erin")
    assert (shown["name"], shown["role"], shown["organisation"]) == ("erin", "agent", "acme")
    assert shown["roles"] == ["agent", "organisation"]
    assert "acme" in live.run("identity", "show", "erin").stdout
    again = live.run("identity", "register", "erin2", "--yes", key="erin")
    assert again.exit_code == 4
    assert "the account has an identity" in again.stderr
    assert live.json("identity", "revoke", "--yes", key="erin")["receipt"]["status"] == "done"
    assert live.json("identity", "show", "erin")["name"] == ""


def test_member_is_admitted_to_an_organisation(live: Live) -> None:
    live.json("identity", "register", "alice", "--organisation", "guild", "--yes", key="alice")
    bob = key_named("carol").public.did_key
    assert live.json("identity", "admit", "guild", bob, key="alice")["receipt"]["status"] == "done"


def test_registration_asks_first(live: Live) -> None:
    result = live.run("identity", "register", "nobody", key="bob", text="n\n")
    assert result.exit_code == 1
    assert "for ever?" in result.stderr
    assert live.json("identity", "show", "bob")["name"] == ""


def test_revocation_asks_first(live: Live) -> None:
    result = live.run("identity", "revoke", key="alice", text="n\n")
    assert result.exit_code == 1


def test_token_signs_in(live: Live) -> None:
    token = live.run("identity", "token", key="validator-0").stdout.strip()
    assert token.count(".") == 2
    assert live.json("identity", "token", "--life", "60", key="validator-0")["life_s"] == 60
    logs = live.run("node", "logs", "--lines", "5", key="validator-0")
    assert logs.exit_code == 0, logs.output


def test_logs_are_for_the_operator(live: Live) -> None:
    result = live.run("node", "logs", key="bob")
    assert result.exit_code == 1
    assert "only the operator of this node may do this" in result.stderr


def test_status_and_peers_are_shown(live: Live) -> None:
    status = live.run("node", "status")
    assert status.exit_code == 0, status.output
    assert "test node" in status.stdout
    assert live.json("node", "status")["name"] == "test node"
    assert live.run("node", "peers").stdout == "no peers\n"
    assert live.json("node", "peers")["peers"] == []
