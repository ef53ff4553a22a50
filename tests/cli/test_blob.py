from pathlib import Path

import pytest

from primitives.cid import Cid
from tests.cli.live import Live, write_named_key

CONTENT = bytes(range(256)) * 2_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


def test_file_comes_back_by_its_content_id(live: Live, file: Path, tmp_path: Path) -> None:
    put = live.json("blob", "put", str(file), key="validator-0")
    assert put["size_bytes"] == len(CONTENT)
    for number, name in enumerate((put["cid"], put["id"])):
        out = tmp_path / f"out{number}"
        got = live.json("blob", "get", name, "--out", str(out))
        assert got["bytes"] == len(CONTENT)
        assert out.read_bytes() == CONTENT
    assert not list(tmp_path.glob(".*"))


def test_blob_is_pinned_from_another_node(live: Live, file: Path) -> None:
    cid = live.json("blob", "put", str(file), key="validator-0")["cid"]
    pinned = live.json("blob", "pin", cid, "--from", live.url, key="validator-0")
    assert pinned["cid"] == cid


def test_file_is_not_written_over(live: Live, file: Path) -> None:
    result = live.run("blob", "get", str(Cid.of_raw(b"x")), "--out", str(file))
    assert result.exit_code == 1
    assert "exists already" in result.stderr
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize("place", ["nowhere/out", "file/out"])
def test_file_that_cannot_be_written_is_no_matter_of_the_node(
    place: str, live: Live, file: Path, tmp_path: Path
) -> None:
    cid = live.json("blob", "put", str(file), key="validator-0")["cid"]
    result = live.run("blob", "get", cid, "--out", str(tmp_path / place))
    assert result.exit_code == 1
    assert f"cannot write {tmp_path / place}: " in result.stderr
    assert result.stderr.count("\n") == 1


def test_blob_that_nobody_has_is_not_found(live: Live, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = live.run("blob", "get", str(Cid.of_raw(b"never put")), "--out", str(out))
    assert result.exit_code == 3
    assert not out.exists()


@pytest.mark.parametrize("cid", ["", "b", "nonsense", "zz" * 32])
def test_content_id_that_is_none_is_one_line(cid: str, live: Live, tmp_path: Path) -> None:
    result = live.run("blob", "get", cid, "--out", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_stranger_puts_no_files(live: Live, file: Path) -> None:
    write_named_key(live.folder, "stranger")
    result = live.run("blob", "put", str(file), key="stranger")
    assert result.exit_code == 1
    assert "the account has no role: register an identity first" in result.stderr
    missing = live.run("blob", "put", "nothing here", key="validator-0")
    assert missing.exit_code == 1
    assert "there is no file nothing here" in missing.stderr
