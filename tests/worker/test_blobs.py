"""Blobs on disk: what is read is what was named, what is written is whole."""

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
from fl.worker.errors import BlobFileError
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
        pytest.raises(BlobFileError, match="cannot be written: File too large"),
    ):
        write_blob(os.urandom(1 << 16), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BlobFileError, match=r"file/blobs/.*Not a directory"):
        write_blob(b"x", folder=tmp_path / "file" / "blobs")
