import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from cli import home
from cli.main import app
from fl.jobs.subject import ExampleSource
from node.config.load import load_config
from node.config.sections import Role
from node.duties.outfit import learning_of
from node.keystore.key_file import KeyKind, open_key
from node.keystore.password import find_password
from node.keystore.phrase import seed_of
from node.keystore.secret import Secret
from node.ledger.genesis import chain_id_of
from node.running.own_keys import OwnKeys
from primitives.keys import PrivateKey
from tests.chain.founded import genesis_file


@pytest.fixture
def genesis(tmp_path: Path) -> Path:
    path = tmp_path / "genesis.file"
    path.write_bytes(genesis_file())
    return path


def _init(folder: Path, genesis: Path, *words: str) -> Result:
    environ = {"HANSE_PASSWORD": None, "HANSE_FOLDER": None}
    options = ["--folder", str(folder), "--genesis", str(genesis)]
    return CliRunner(env=environ).invoke(app, ["node", "init", *options, *words])


def test_folder_of_a_node_is_made_ready_to_run(tmp_path: Path, genesis: Path) -> None:
    folder = tmp_path / "node"
    words = ("--name", "one", "--role", "validator", "--make-password", "--json")
    result = _init(folder, genesis, *words, "--rpc", "127.0.0.1:0")
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert made["chain"] == chain_id_of(genesis.read_bytes()).hex()
    config = load_config(folder, {})
    assert (config.node.name, config.node.roles) == ("one", (Role.VALIDATOR,))
    assert config.path(config.network.genesis).read_bytes() == genesis.read_bytes()
    password = find_password(file=config.path(config.keys.password_file), environ={})
    paths = {
        KeyKind.ACCOUNT: config.keys.account,
        KeyKind.CONSENSUS: config.keys.consensus,
        KeyKind.NODE: config.keys.node,
    }
    for kind, path in paths.items():
        key = open_key(config.path(path), password=password, kind=kind)
        assert kind is not KeyKind.ACCOUNT or key.public.did_key == made["account"]
    assert folder.stat().st_mode & 0o077 == 0


def test_paths_of_options_count_from_where_the_command_runs(
    tmp_path: Path, genesis: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("pw").write_text("correct horse\n")
    Path("pw").chmod(0o600)
    folder = tmp_path / "node"
    words = ("--role", "trainer", "--examples", "./data", "--password-file", "pw")
    assert _init(folder, genesis, *words).exit_code == 0
    monkeypatch.chdir(tmp_path)
    config = load_config(folder, {})
    keys = OwnKeys.open(config, environ={})
    assert keys.account is not None
    assert learning_of(config).train == ExampleSource(spec=str(tmp_path / "here" / "data"))


def test_examples_that_are_no_folder_are_written_as_they_are(tmp_path: Path, genesis: Path) -> None:
    words = ("--role", "trainer", "--examples", "hub:owner/name", "--make-password")
    assert _init(tmp_path / "node", genesis, *words).exit_code == 0
    assert load_config(tmp_path / "node", {}).training.examples == "hub:owner/name"


def _check_whole(folder: Path, phrase: str) -> None:
    """Check that there is a node, whose keys the words restore, and nothing of a draft."""
    config = load_config(folder, {})
    keys = OwnKeys.open(config, environ={})
    assert keys.account is not None
    seed = seed_of(Secret(phrase.encode()), KeyKind.ACCOUNT)
    assert keys.account.public == PrivateKey.from_seed(seed.reveal()).public
    assert sorted(path.name for path in folder.iterdir()) == [
        "genesis",
        "hanse.toml",
        "keys",
        "password",
    ]


@pytest.mark.parametrize("links", range(10))
def test_init_that_broke_off_can_be_run_again(
    links: int, tmp_path: Path, genesis: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, link, left = tmp_path / "node", os.link, [links]

    def breaking(source: Path, target: Path) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        link(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", breaking)
        broken = _init(folder, genesis, "--make-password", "--json")
    assert broken.exit_code != 0
    assert not (folder / "hanse.toml").exists()
    made = _init(folder, genesis, "--make-password", "--json")
    assert made.exit_code == 0, made.stderr
    _check_whole(folder, json.loads(made.stdout)["phrase"])


_KILLED = """
import os, sys
from cli.main import app
link, left = os.link, [int(sys.argv.pop(1))]
def ending(source, target):
    if not left[0]:
        os._exit(9)
    left[0] -= 1
    link(source, target)
os.link = ending
app()
"""


@pytest.mark.slow
@pytest.mark.parametrize("links", [2, 4, 6, 8])
def test_init_that_was_killed_can_be_run_again(links: int, tmp_path: Path, genesis: Path) -> None:
    folder = tmp_path / "node"
    words = ["node", "init", "--folder", str(folder), "--genesis", str(genesis)]
    command = [sys.executable, "-c", _KILLED, str(links), *words, "--make-password"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 9
    made = _init(folder, genesis, "--make-password", "--json")
    assert made.exit_code == 0, made.stderr
    _check_whole(folder, json.loads(made.stdout)["phrase"])


def test_words_are_told_before_the_keys_have_their_names(
    tmp_path: Path, genesis: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "node"
    found: list[bool] = []
    echo = typer.echo

    def watching(*said: Any, **how: Any) -> None:  # noqa: ANN401 - as Typer has them
        found.append((folder / "keys").exists())
        echo(*said, **how)

    monkeypatch.setattr(typer, "echo", watching)
    assert _init(folder, genesis, "--make-password").exit_code == 0
    assert found
    assert not any(found)


@pytest.mark.parametrize("name", ["keys/account.key", "password"])
def test_key_that_is_there_is_kept(name: str, tmp_path: Path, genesis: Path) -> None:
    path = tmp_path / "node" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    refused = _init(tmp_path / "node", genesis, "--make-password")
    assert refused.exit_code == 1
    assert f"{path} exists already" in refused.stderr
    assert path.read_bytes() == b"mine"
    assert not (tmp_path / "node" / "hanse.toml").exists()


def test_genesis_file_may_lie_in_the_folder_already_and_of_another_chain_not(
    tmp_path: Path, genesis: Path
) -> None:
    folder = tmp_path / "node"
    folder.mkdir()
    (folder / "genesis").write_bytes(genesis_file(validators=1))
    refused = _init(folder, genesis, "--make-password")
    assert "is of another chain" in refused.stderr
    genesis.replace(folder / "genesis")
    assert _init(folder, folder / "genesis", "--make-password").exit_code == 0


def test_node_is_not_made_twice(tmp_path: Path, genesis: Path) -> None:
    folder = tmp_path / "node"
    assert _init(folder, genesis, "--make-password").exit_code == 0
    again = _init(folder, genesis, "--make-password")
    assert again.exit_code == 1
    assert "exists: this folder has a node already" in again.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--role", "trainer"], "training.examples is empty, but a trainer learns from examples"),
        (["--name", "a b"], "node.name wants 1 to 64 letters"),
        (["--listen", "here"], "network.listen holds an address that is none"),
        (["--peer", "/ip4/127.0.0.1/tcp/1"], "wants addresses that end in /p2p/ID"),
        (["--rpc", "here"], "rpc.listen wants HOST:PORT"),
        (["--password-file", "nowhere"], "there is no such file"),
        ([], "no password for the keys"),
    ],
)
def test_what_the_node_would_refuse_is_refused_first(
    words: list[str], reason: str, tmp_path: Path, genesis: Path
) -> None:
    folder = tmp_path / "node"
    password = [] if not words or "--password-file" in words else ["--make-password"]
    result = _init(folder, genesis, *words, *password)
    assert result.exit_code == 1
    assert reason in result.stderr
    assert not (folder / "hanse.toml").exists()


@pytest.mark.parametrize(("content", "reason"), [(b"x", "not a genesis file"), (None, "cannot")])
def test_other_genesis_file_is_one_line(content: bytes | None, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    result = _init(tmp_path / "node", file, "--make-password")
    assert result.exit_code == 1
    assert reason in result.stderr


def test_run_becomes_the_node(
    tmp_path: Path, genesis: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "node"
    _init(folder, genesis, "--make-password")
    became: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, words: became.append(words))
    assert CliRunner().invoke(app, ["node", "run", "--folder", str(folder)]).exit_code == 0
    assert became[0][1:] == ["-m", "node", "--folder", str(folder)]


def test_run_says_what_is_wrong_before_it_becomes_the_node(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["node", "run", "--folder", str(tmp_path)])
    assert result.exit_code == 1
    assert "there is no such file; `hanse node init` makes one" in result.stderr
    (tmp_path / "hanse.toml").write_text("[rpc]\nlistn = 1\n")
    result = CliRunner().invoke(app, ["node", "run", "--folder", str(tmp_path)])
    assert "hanse.toml:2: unknown key rpc.listn; did you mean listen?" in result.stderr


def test_settings_lists_every_key() -> None:
    rows = json.loads(CliRunner().invoke(app, ["node", "settings", "--json"]).stdout)
    keys = {row["key"] for row in rows}
    assert {"node.name", "rpc.listen", "training.examples"} <= keys
    assert CliRunner().invoke(app, ["node", "settings"]).exit_code == 0


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:1", "http://127.0.0.1:1"),
        ("0.0.0.0:2", "http://127.0.0.1:2"),
        ("[::1]:3", "http://[::1]:3"),
        ("[::]:4", "http://127.0.0.1:4"),
    ],
)
def test_node_of_a_folder_is_asked_where_it_listens(listen: str, url: str, tmp_path: Path) -> None:
    (tmp_path / "hanse.toml").write_text(f'[rpc]\nlisten = "{listen}"\n')
    assert home.url_of(None, tmp_path) == url
    assert home.url_of("http://other", tmp_path) == "http://other"


def test_without_a_node_the_default_is_asked(tmp_path: Path) -> None:
    assert home.url_of(None, tmp_path) == home.DEFAULT_URL
