"""What a database maps into memory can be given back while it is read."""

import sys
import threading
from pathlib import Path

import lmdb
import pytest

from node.storage import residence
from node.storage.residence import mapped_bytes, release
from tests.storage.places import open_at

SIZE_BYTES = 48 << 20
ROW = bytes(1 << 16)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped")


def _filled(folder: Path) -> lmdb.Environment:
    folder.mkdir()
    opened = lmdb.open(str(folder), map_size=2 * SIZE_BYTES, sync=False)
    with opened.begin(write=True) as writing:
        for place in range(SIZE_BYTES // len(ROW)):
            writing.put(b"%08d" % place, ROW)
    return opened


def _read(opened: lmdb.Environment) -> int:
    with opened.begin(buffers=True) as reading:
        return sum(bytes(value).count(0) for _, value in reading.cursor())


def test_pages_that_were_read_leave_the_resident_set_and_come_back(tmp_path: Path) -> None:
    with _filled(tmp_path / "one") as one, _filled(tmp_path / "other") as other:
        assert _read(one) == _read(other)
        before = mapped_bytes()
        with one.begin(buffers=True) as reading:
            value = reading.get(b"00000007")
            release([tmp_path / "one", tmp_path / "nowhere"])
            released = before - mapped_bytes()
            # About that of one database: the other stays, and a reader goes on where it is.
            assert SIZE_BYTES * 0.8 < released < SIZE_BYTES * 1.2
            assert value is not None
            assert bytes(value) == ROW
        assert _read(one) == _read(other)
        assert mapped_bytes() > before - SIZE_BYTES // 2


def test_map_is_neither_moved_nor_closed_while_pages_are_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = threading.Event(), threading.Event()

    class SlowMaps:
        def read_text(self) -> str:
            began.set()
            assert go_on.wait(10)
            return ""

    monkeypatch.setattr(residence, "_MAPS", SlowMaps())
    opened = open_at(tmp_path / "db")
    releasing = threading.Thread(target=release, args=([tmp_path / "db"],))
    closing = threading.Thread(target=opened.close)
    releasing.start()
    assert began.wait(10)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive()
    go_on.set()
    for thread in (closing, releasing):
        thread.join(10)
        assert not thread.is_alive()
