from pathlib import Path

import pytest

from p2p.peer_file import load_peers, save_peers
from p2p.peer_store import PeerStore
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.records import PeerRecord
from primitives.errors import StorageError

OWN = Identity.from_seed(bytes(32)).peer_id
OTHER = Identity.from_seed(bytes([1] * 32))
ADDRESS = Multiaddr.parse("/ip4/10.1.2.3/tcp/4001")


def store_of_one() -> PeerStore:
    store = PeerStore(OWN)
    store.add_record(PeerRecord(OTHER.peer_id, 7, (ADDRESS,)).seal(OTHER), now_ms=1_000)
    store.answered(OTHER.peer_id, now_ms=2_000)
    return store


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "peers"
    save_peers(path, store_of_one())
    assert list(load_peers(path, own=OWN)) == list(store_of_one())
    assert [entry.name for entry in tmp_path.iterdir()] == ["peers"]


def test_first_run_starts_with_nobody(tmp_path: Path) -> None:
    assert not len(load_peers(tmp_path / "peers", own=OWN))


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"peers", b"\x91\x91" + bytes(9)])
def test_damaged_file_is_put_aside_and_the_next_save_works(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "peers"
    path.write_bytes(raw)
    assert not len(load_peers(path, own=OWN))
    assert path.with_name("peers.damaged").read_bytes() == raw
    save_peers(path, store_of_one())
    assert len(load_peers(path, own=OWN)) == 1


def test_file_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read the peers in"):
        load_peers(tmp_path, own=OWN)
    with pytest.raises(StorageError, match="cannot write the peers to"):
        save_peers(tmp_path / "missing" / "peers", store_of_one())
    (tmp_path / "taken").mkdir()
    with pytest.raises(StorageError, match="cannot rename"):
        save_peers(tmp_path / "taken", store_of_one())
