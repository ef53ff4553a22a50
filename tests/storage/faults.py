"""A disk that fails, for real: the files of an open LMDB environment are exchanged under it.

LMDB writes pages through one descriptor and meta pages through another. Putting `/dev/full` in
the place of one makes every write through it fail with ENOSPC, a descriptor that is only for
reading with EBADF; the map of the file is not affected.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from node.storage.environment import Environment


class Fault(Enum):
    """What a write through an exchanged descriptor does."""

    NO_ROOM = "ENOSPC"
    BROKEN = "EBADF"


@contextmanager
def failing_disk(environment: Environment, fault: Fault) -> Iterator[None]:
    """Let every write of the environment fail for a while."""
    path = environment.path / "data.mdb"
    exchanged = []
    for descriptor in _descriptors_of(path):
        exchanged.append((os.dup(descriptor), descriptor))
        source = (
            os.open("/dev/full", os.O_WRONLY)
            if fault is Fault.NO_ROOM
            else os.open(path, os.O_RDONLY)
        )
        os.dup2(source, descriptor)
        os.close(source)
    assert exchanged, "the environment has no file open"
    try:
        yield
    finally:
        for saved, descriptor in exchanged:
            os.dup2(saved, descriptor)
            os.close(saved)


@contextmanager
def busy_disk(environment: Environment) -> Iterator[None]:
    """Let every commit of another thread wait, by holding LMDB's own write lock."""
    with environment._lmdb.begin(write=True) as txn:  # noqa: SLF001 - there is no other way to hold it
        yield
        txn.abort()


def _descriptors_of(path: Path) -> list[int]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            if link.readlink() == path.resolve():
                found.append(int(link.name))
        except FileNotFoundError:
            continue
    return found
