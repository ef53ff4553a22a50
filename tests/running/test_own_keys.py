import asyncio
import shutil
from pathlib import Path

import pytest

from node.config.load import load_config
from node.keystore.errors import KeyFileError, PasswordError
from node.running.own_keys import OwnKeys
from tests.running.places import FULL, VALIDATOR, founded


@pytest.fixture(name="network", scope="module")
def _network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(founded(tmp_path_factory.mktemp("network") / "net"))


def opened(home: Path, environ: dict[str, str]) -> OwnKeys:
    return OwnKeys.open(load_config(home, environ), environ=environ)


def test_a_validator_has_all_keys_and_a_full_node_no_consensus_key(network: Path) -> None:
    validator, full = opened(network / VALIDATOR, {}), opened(network / FULL, {})
    assert validator.account is not None
    assert validator.consensus is not None
    assert full.account is not None
    assert full.consensus is None
    assert validator.peer.peer_id != full.peer.peer_id


def test_a_full_node_needs_no_account(network: Path) -> None:
    home = network / FULL
    assert opened(home, {"HANSE_KEYS_ACCOUNT": ""}).account is None
    assert opened(home, {"HANSE_KEYS_ACCOUNT": "keys/nowhere.key"}).account is None


def test_a_validator_without_its_account_is_told_which_file_is_missing(network: Path) -> None:
    with pytest.raises(KeyFileError, match=r"nowhere\.key"):
        opened(network / VALIDATOR, {"HANSE_KEYS_ACCOUNT": "keys/nowhere.key"})


def test_a_key_of_another_kind_is_no_node_key(network: Path) -> None:
    with pytest.raises(KeyFileError, match="the node key belongs here"):
        opened(network / FULL, {"HANSE_KEYS_NODE": "keys/account.key"})


def test_another_password_opens_nothing(network: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(network, tmp_path / "net")) / FULL
    environ = {"HANSE_KEYS_PASSWORD_FILE": "", "HANSE_PASSWORD": "another"}
    with pytest.raises((PasswordError, KeyFileError)):
        opened(home, environ)
