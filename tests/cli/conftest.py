"""One node for all commands of this folder: founding its chain takes a second."""

from collections.abc import Iterator

import pytest

from node.keystore import key_file
from tests.cli.live import CHEAP, Live, live_node


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_node(tmp_path_factory.mktemp("live")) as running:
        yield running


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a guess at a password cost nothing: the real cost is a second for each key."""
    monkeypatch.setattr(key_file, "FOR_PEOPLE", CHEAP)
    monkeypatch.setattr(key_file, "FOR_NODES", CHEAP)
