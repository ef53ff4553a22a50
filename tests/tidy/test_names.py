import pytest

from tests.tidy import names
from tests.tidy.sources import Source


@pytest.mark.parametrize(
    "text",
    [
        "class PeerManager: ...",
        "class SubDagData: ...",
        "class HTTPInfo: ...",
        "class Dag:\n    def process_block(self): ...",
        "def do(): ...",
        "async def fetch_data(): ...",
        "def outer():\n    def helper(): ...",
        "class BlockUtils: ...",
    ],
)
def test_name_with_an_empty_word_is_reported(text: str) -> None:
    assert len(list(names.empty_names([Source.of(text)]))) == 1


@pytest.mark.parametrize("path", ["p2p/utils.py", "p2p/peer_manager.py", "node/common/wire.py"])
def test_module_with_an_empty_word_is_reported(path: str) -> None:
    (finding,) = names.empty_names([Source.of("", path=path)])
    assert finding.place == path


@pytest.mark.parametrize(
    "text",
    [
        "class Committee: ...",
        "def encode_base58btc(): ...",
        "def undo_commit(): ...",
        "class Database: ...",
        "def domain(): ...",
        "data = 1",
    ],
)
def test_word_inside_a_longer_word_is_accepted(text: str) -> None:
    assert not list(names.empty_names([Source.of(text)]))
