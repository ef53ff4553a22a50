"""Keep the peer store in a file from one run to the next.

A file is replaced as a whole, so a crash leaves the old one. A damaged one is put aside and not
overwritten: its peers are lost to us, but not to whoever wants to know what happened.
"""

import os
from pathlib import Path
from typing import Final

import structlog

from p2p.peer_store import STORE_SIZE_BYTES_MAX, PeerStore
from p2p.wire.peer_id import PeerId
from primitives.errors import MalformedBytesError, StorageError

DAMAGED_SUFFIX: Final = ".damaged"
_FRESH_SUFFIX: Final = ".new"

_log = structlog.get_logger("p2p.peer_file")


def load_peers(path: Path, *, own: PeerId) -> PeerStore:
    """Return the store in a file; an empty one if there is none or it is damaged.

    Raises:
        StorageError: the file is there and cannot be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(STORE_SIZE_BYTES_MAX + 1)
    except FileNotFoundError:
        return PeerStore(own)
    except OSError as error:
        raise StorageError(f"cannot read the peers in {path}: {error.strerror}") from error
    try:
        return PeerStore.decode(raw, own=own)
    except MalformedBytesError as error:
        aside = path.with_name(path.name + DAMAGED_SUFFIX)
        _log.warning("peer file damaged, put aside", path=str(aside), reason=str(error))
        _replace(path, aside)
        return PeerStore(own)


def save_peers(path: Path, store: PeerStore) -> None:
    """Replace the file by the store as it is now.

    Raises:
        StorageError: it cannot be written; the old file stays.
    """
    fresh = path.with_name(path.name + _FRESH_SUFFIX)
    try:
        with fresh.open("wb") as file:
            file.write(store.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(f"cannot write the peers to {fresh}: {error.strerror}") from error
    _replace(fresh, path)


def _replace(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except OSError as error:
        raise StorageError(f"cannot rename {source} to {target}: {error.strerror}") from error
