"""Blobs on disk: what is read is what was named, what is written is whole."""

import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from fl.jobs.bounds import StoredBlob
from fl.rules.update.errors import MalformedBlobError
from fl.worker.blobs import read_content, read_vector, write_blob
from fl.worker.errors import BlobFileError, BlobWriteError
from primitives.cid import Cid
from tests.worker.vectors import expected, store, vectors


def test_blob_is_named_by_its_content_and_read_back(tmp_path: Path) -> None:
    (blob,) = store(tmp_path, vectors(1)[0])
    assert Path(blob.path).name == str(Cid.decode(blob.cid))
    np.testing.assert_array_equal(read_vector(blob, expected=expected()), vectors(1)[0])


def test_writing_twice_leaves_one_file(tmp_path: Path) -> None:
    assert write_blob(b"same", folder=tmp_path) == write_blob(b"same", folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_missing_file_is_named(tmp_path: Path) -> None:
    blob = StoredBlob(str(tmp_path / "gone"), Cid.of_raw(b"").encode())
    with pytest.raises(BlobFileError, match=r"gone: No such file.*fetch the blob again"):
        read_content(blob, size_bytes_max=10)


@pytest.mark.parametrize("damage", [b"", b"longer", b"sbme"])
def test_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path, damage: bytes) -> None:
    blob = write_blob(b"same", folder=tmp_path)
    Path(blob.path).write_bytes(damage)
    with pytest.raises(BlobFileError, match="the job names"):
        read_content(blob, size_bytes_max=10)


def test_file_over_the_limit_is_not_read_to_its_end(tmp_path: Path) -> None:
    blob = write_blob(b"longer than it may be", folder=tmp_path)
    with pytest.raises(BlobFileError, match="21 bytes, over the limit of 4"):
        read_content(blob, size_bytes_max=4)


@pytest.mark.parametrize("content", [b"", b"\x80\x04\x95", b"PK\x03\x04" + bytes(40)])
def test_file_that_is_no_blob_is_refused_by_what_it_is(tmp_path: Path, content: bytes) -> None:
    blob = write_blob(content, folder=tmp_path)
    with pytest.raises(MalformedBlobError):
        read_vector(blob, expected=expected())


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """Let a write beyond that fail, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_write_that_fails_halfway_leaves_nothing(tmp_path: Path) -> None:
    with (
        files_of_at_most(1_000),
        pytest.raises(BlobWriteError, match="cannot be written: File too large"),
    ):
        write_blob(os.urandom(1 << 16), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BlobWriteError, match=r"file/blobs/.*Not a directory"):
        write_blob(b"x", folder=tmp_path / "file" / "blobs")


def test_pipe_in_place_of_a_blob_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    blob = StoredBlob(str(tmp_path / "pipe"), Cid.of_raw(b"").encode())
    with pytest.raises(BlobFileError, match="pipe: not a regular file"):
        read_content(blob, size_bytes_max=10)


def test_path_that_is_none_is_one_clear_error() -> None:
    blob = StoredBlob("/a\0b", Cid.of_raw(b"").encode())
    with pytest.raises(BlobFileError, match=r"'/a\\x00b' is no path: embedded null"):
        read_content(blob, size_bytes_max=10)
    with pytest.raises(BlobWriteError, match=r"'/a\\x00b' is no path: embedded null"):
        write_blob(b"x", folder=Path("/a\0b"))


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not(
    tmp_path: Path,
) -> None:
    (tmp_path / ".killed.part").write_bytes(b"half of a blob")
    (tmp_path / ".just-made.part").touch()
    with (tmp_path / ".living.part").open("wb") as living:
        fcntl.flock(living, fcntl.LOCK_EX)
        living.write(b"half of a blob")
        living.flush()
        blob = write_blob(b"x", folder=tmp_path)
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {".just-made.part", ".living.part", Path(blob.path).name}


def test_every_new_folder_on_the_way_is_made_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def heard(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", heard)
    write_blob(b"x", folder=tmp_path / "one" / "two")
    places = [str(tmp_path), str(tmp_path / "one"), str(tmp_path / "one" / "two")]
    assert [name for name in synced if name in places] == places
