"""The signer journal: a file per epoch that tells which rounds a key has signed, apart from LMDB.

Guards: an append is durable when it returns; the last round never goes down; a journal that is
missing, damaged or another key's is an error and never an empty journal, or a node would sign a
round twice. The file is one header and then records of one size. A record is chained to those
before it by its checksum, so none can be left out or moved. Only a record that was cut short at
the end of the file is forgiven: its append never returned, so nothing was signed for it.
Source: EIP-3076, minimal slashing protection.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from consensus.events import JournalEntry
from node.storage.disk import disk_failure, sync_folder
from node.storage.errors import (
    ForeignDatabaseError,
    JournalBackwardError,
    JournalDamagedError,
    JournalLostError,
    StorageInUseError,
    WriterStoppedError,
)
from primitives.errors import StorageError
from primitives.ids import Digest, Epoch, Round

MAGIC: Final = b"hanse/signed/1\0\0"
CHECKSUM: Final = struct.Struct(">I")
HEADER: Final = struct.Struct(">16sQ32s32s")
"""Magic, epoch, genesis digest of the epoch, public key; a checksum follows."""

RECORD: Final = struct.Struct(">Q32s")
"""Round, digest of the block; a checksum of these and of everything before follows."""

HEADER_SIZE_BYTES: Final = HEADER.size + CHECKSUM.size
RECORD_SIZE_BYTES: Final = RECORD.size + CHECKSUM.size
READ_RECORDS_MAX: Final = 16_384
FILE_MODE: Final = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalOwner:
    """Whose signatures a journal records, and in which epoch.

    Args:
        genesis: genesis digest of the epoch; it binds chain, committee and parameters.
        public_key: the consensus key, 32 bytes.
    """

    epoch: Epoch
    genesis: Digest
    public_key: bytes

    @property
    def header(self) -> bytes:
        """Return how the file begins."""
        fields = HEADER.pack(MAGIC, self.epoch, self.genesis, self.public_key)
        return fields + CHECKSUM.pack(zlib.crc32(fields))


class FileJournal:
    """Implements `consensus.ports.SignerJournal` for one epoch; holds the file locked."""

    def __init__(self, descriptor: int, *, path: Path, owner: JournalOwner) -> None:
        self._descriptor = descriptor
        self._path = path
        self._owner = owner
        self._checksum = zlib.crc32(owner.header)
        self._last: JournalEntry | None = None
        self._failure: str | None = None

    @classmethod
    def create(cls, path: Path, owner: JournalOwner) -> Self:
        """Make an empty journal, for an epoch that begins now, and open it.

        Raises:
            StorageError: there is one already, or it cannot be made.
        """
        draft = path.with_suffix(".new")
        with _disk_errors(path):
            if path.exists():
                raise StorageError(f"there is a signer journal at {path} already")
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
            try:
                _write_all(descriptor, owner.header)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            # The journal appears whole or not at all.
            draft.rename(path)
            sync_folder(path.parent)
        return cls.open(path, owner)

    @classmethod
    def open(cls, path: Path, owner: JournalOwner) -> Self:
        """Open the journal of an epoch that has begun.

        Raises:
            JournalLostError: there is none.
            JournalDamagedError: it is not what was written.
            ForeignDatabaseError: it is of another key or another epoch.
            StorageInUseError: it is open already.
        """
        with _disk_errors(path):
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
            except FileNotFoundError as error:
                raise JournalLostError(path=path) from error
            journal = cls(descriptor, path=path, owner=owner)
            try:
                journal._read()
            except BaseException:
                journal.close()
                raise
        return journal

    def append(self, entries: tuple[JournalEntry, ...]) -> None:
        """Append and make durable before returning.

        Raises:
            JournalBackwardError: a round is not above the one before; nothing was written.
            StorageError: the node must stop and must not sign.
        """
        self._check_usable()
        records = []
        checksum, last = self._checksum, self._last
        for entry in entries:
            self._check_above(last, entry)
            record = RECORD.pack(entry.round, entry.digest)
            checksum, last = zlib.crc32(record, checksum), entry
            records.append(record + CHECKSUM.pack(checksum))
        try:
            _write_all(self._descriptor, b"".join(records))
            os.fdatasync(self._descriptor)
        except OSError as error:
            failure = disk_failure(error, path=self._path.parent)
            self._failure = str(failure)
            raise failure from error
        self._checksum, self._last = checksum, last

    def last(self) -> JournalEntry | None:
        """Return the last durable entry; None for a journal that was created and never used."""
        self._check_usable()
        return self._last

    def close(self) -> None:
        """Close and unlock the file; harmless if it is closed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._failure = self._failure or "it was closed"

    def _read(self) -> None:
        """Lock the file, read it to its end, and cut off a record that was cut short."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageInUseError(path=self._path, holder="another process") from error
        self._check_header(os.pread(self._descriptor, HEADER_SIZE_BYTES, 0))
        offset = HEADER_SIZE_BYTES
        while chunk := os.pread(self._descriptor, READ_RECORDS_MAX * RECORD_SIZE_BYTES, offset):
            whole = len(chunk) - len(chunk) % RECORD_SIZE_BYTES
            for start in range(0, whole, RECORD_SIZE_BYTES):
                self._take(chunk[start : start + RECORD_SIZE_BYTES], offset + start)
            offset += whole
            if whole < len(chunk):
                os.ftruncate(self._descriptor, offset)
        # A killed process leaves records that only the operating system holds.
        os.fsync(self._descriptor)

    def _check_header(self, raw: bytes) -> None:
        fields, checksum = raw[: HEADER.size], raw[HEADER.size :]
        if CHECKSUM.pack(zlib.crc32(fields)) != checksum or not fields.startswith(MAGIC):
            raise self._damaged(0, "it does not begin as a signer journal")
        _, epoch, genesis, public_key = HEADER.unpack(fields)
        for subject, expected, actual in (
            ("epoch", f"{self._owner.epoch}", f"{epoch}"),
            ("chain or committee", self._owner.genesis.hex(), genesis.hex()),
            ("key", self._owner.public_key.hex(), public_key.hex()),
        ):
            if expected != actual:
                raise ForeignDatabaseError(
                    path=self._path, subject=subject, expected=expected, actual=actual
                )

    def _take(self, raw: bytes, offset: int) -> None:
        checksum = zlib.crc32(raw[: RECORD.size], self._checksum)
        if CHECKSUM.pack(checksum) != raw[RECORD.size :]:
            raise self._damaged(offset, "the checksum does not match")
        number, digest = RECORD.unpack_from(raw)
        entry = JournalEntry(self._owner.epoch, Round(number), Digest(digest))
        self._check_above(self._last, entry)
        self._checksum, self._last = checksum, entry

    def _check_above(self, last: JournalEntry | None, entry: JournalEntry) -> None:
        last_round = 0 if last is None else last.round
        if entry.epoch != self._owner.epoch or entry.round <= last_round:
            raise JournalBackwardError(
                path=self._path, epoch=entry.epoch, last_round=last_round, refused=entry.round
            )

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise WriterStoppedError(path=self._path, reason=self._failure)

    def _damaged(self, offset: int, reason: str) -> JournalDamagedError:
        return JournalDamagedError(path=self._path, offset=offset, reason=reason)


class LostJournal:
    """What stands in for a journal that cannot be used: the node runs, and signs nothing."""

    def __init__(self, failure: StorageError) -> None:
        self._failure = failure

    def append(self, entries: tuple[JournalEntry, ...]) -> None:
        """Refuse."""
        raise self._failure

    def last(self) -> JournalEntry | None:
        """Refuse."""
        raise self._failure


def open_or_mourn(path: Path, owner: JournalOwner) -> FileJournal | LostJournal:
    """Open the journal of an epoch that has begun, or return what stands in for it.

    Raises:
        StorageInUseError: another process signs with it.
    """
    try:
        return FileJournal.open(path, owner)
    except StorageInUseError:
        raise
    except StorageError as error:
        return LostJournal(error)


def _write_all(descriptor: int, raw: bytes) -> None:
    while raw:
        raw = raw[os.write(descriptor, raw) :]


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"signer journal {path}: {error.strerror}") from error
