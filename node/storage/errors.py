"""What can go wrong with what is stored, one class per cause, each with the facts as fields.

StorageError
    StorageInUseError         another process, or this one, has the environment open
    StorageClosedError        it was closed, or this process is a fork of the one that opened it
    DatabaseTooNewError       written by a newer program
    ForeignDatabaseError      belongs to another chain, another node, or another purpose
    DamagedDatabaseError      the pages do not make sense
    CorruptRecordError        one record is not what was written
    KeySizeError              a key that LMDB cannot hold
    DatabaseFullError         the map may not grow any further
    SnapshotLimitError        more snapshots would be open than may be
    DiskFullError             the disk has no room for a commit
    DiskReserveError          the disk is nearly full, so nothing is written until there is room
    CommitFailedError         a commit failed for another reason
    WriterBusyError           more writes wait than may wait
    WriterStoppedError        a commit failed earlier, and nothing is written any more
    JournalLostError          there is no signer journal where one was
    JournalDamagedError       the signer journal is not what was written
    JournalBackwardError      a round at or below the last one would be journalled
"""

from pathlib import Path
from typing import ClassVar

from primitives.errors import StorageError


class StorageInUseError(StorageError):
    """Refuse to open what is open already: two nodes on one database would destroy it."""

    code: ClassVar[str] = "storage_in_use"

    def __init__(self, *, path: Path, holder: str) -> None:
        super().__init__(f"{path} is in use by {holder}")
        self.path = path
        self.holder = holder


class StorageClosedError(StorageError):
    """Refuse to use an environment that was closed, or that a fork inherited."""

    code: ClassVar[str] = "storage_closed"


class DatabaseTooNewError(StorageError):
    """Refuse a database that a newer program wrote."""

    code: ClassVar[str] = "storage_too_new"

    def __init__(self, *, path: Path, found: int, supported: int) -> None:
        super().__init__(
            f"{path} has schema version {found}, this program knows up to {supported}: "
            "use a newer program"
        )
        self.path = path
        self.found = found
        self.supported = supported


class ForeignDatabaseError(StorageError):
    """Refuse a database that was made for something else.

    Args:
        subject: what differs: "purpose", "chain" or "node".
    """

    code: ClassVar[str] = "storage_foreign"

    def __init__(self, *, path: Path, subject: str, expected: str, actual: str) -> None:
        super().__init__(f"{path} belongs to another {subject}: {actual}, not {expected}")
        self.path = path
        self.subject = subject
        self.expected = expected
        self.actual = actual


class DamagedDatabaseError(StorageError):
    """Report pages that make no sense; what is stored must be fetched anew."""

    code: ClassVar[str] = "storage_damaged"

    def __init__(self, *, path: Path, reason: str) -> None:
        super().__init__(f"{path} is damaged: {reason}")
        self.path = path
        self.reason = reason


class CorruptRecordError(StorageError):
    """Report a record that is not what was written.

    Args:
        key: as stored.
    """

    code: ClassVar[str] = "storage_corrupt_record"

    def __init__(self, *, path: Path, table: str, key: bytes, reason: str) -> None:
        super().__init__(f"{path}: table {table!r}, key {key.hex()}: {reason}")
        self.path = path
        self.table = table
        self.key = key
        self.reason = reason


class KeySizeError(StorageError):
    """Refuse a key that is empty or too long for LMDB."""

    code: ClassVar[str] = "storage_key_size"

    def __init__(self, *, table: str, size_bytes: int, limit: int) -> None:
        super().__init__(f"table {table!r}: a key of {size_bytes} bytes, not 1 to {limit}")
        self.table = table
        self.size_bytes = size_bytes
        self.limit = limit


class DatabaseFullError(StorageError):
    """Report that the map cannot grow, or may not grow any further."""

    code: ClassVar[str] = "storage_database_full"

    def __init__(self, *, path: Path, size_bytes: int, reason: str) -> None:
        super().__init__(f"{path} is full at {size_bytes} bytes: {reason}")
        self.path = path
        self.size_bytes = size_bytes
        self.reason = reason


class SnapshotLimitError(StorageError):
    """Refuse one more snapshot; the database is sound, and later there is room again."""

    code: ClassVar[str] = "storage_snapshot_limit"

    def __init__(self, *, path: Path, limit: int) -> None:
        super().__init__(f"{path}: {limit} snapshots are open already")
        self.path = path
        self.limit = limit


class DiskFullError(StorageError):
    """Report a disk without room; whatever was committed before is intact."""

    code: ClassVar[str] = "storage_disk_full"

    def __init__(self, *, path: Path, free_bytes: int, reason: str) -> None:
        super().__init__(
            f"{path}: the disk is full ({free_bytes} bytes free): {reason}; "
            "nothing that was committed is lost"
        )
        self.path = path
        self.free_bytes = free_bytes
        self.reason = reason


class DiskReserveError(StorageError):
    """Refuse a write while the disk is nearly full; nothing of it was written, reading goes on.

    Unlike after a commit that failed, writing goes on by itself once there is room.
    """

    code: ClassVar[str] = "storage_disk_reserve"

    def __init__(self, *, path: Path, free_bytes: int, reserve_bytes: int) -> None:
        super().__init__(
            f"{path} is read-only: {free_bytes} bytes are free on its disk, fewer than the "
            f"{reserve_bytes} that must stay free; make room, and writing goes on by itself"
        )
        self.path = path
        self.free_bytes = free_bytes
        self.reserve_bytes = reserve_bytes


class CommitFailedError(StorageError):
    """Report a commit that failed: it is unknown what the disk holds, so the node must stop."""

    code: ClassVar[str] = "storage_commit_failed"

    def __init__(self, *, path: Path, reason: str) -> None:
        super().__init__(f"{path}: a commit failed: {reason}")
        self.path = path
        self.reason = reason


class WriterBusyError(StorageError):
    """Refuse a write, since as many wait as may wait."""

    code: ClassVar[str] = "storage_writer_busy"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"{limit} writes wait for the disk already")
        self.limit = limit


class WriterStoppedError(StorageError):
    """Refuse everything after a commit that failed.

    Args:
        reason: what failed first.
    """

    code: ClassVar[str] = "storage_writer_stopped"

    def __init__(self, *, path: Path, reason: str) -> None:
        super().__init__(f"{path}: the writer has stopped: {reason}")
        self.path = path
        self.reason = reason


class JournalLostError(StorageError):
    """Report that there is no signer journal, so that nothing may be signed."""

    code: ClassVar[str] = "storage_journal_lost"

    def __init__(self, *, path: Path) -> None:
        super().__init__(f"there is no signer journal at {path}: nothing may be signed")
        self.path = path


class JournalDamagedError(StorageError):
    """Report a signer journal that is not what was written, so that nothing may be signed."""

    code: ClassVar[str] = "storage_journal_damaged"

    def __init__(self, *, path: Path, offset: int, reason: str) -> None:
        super().__init__(f"signer journal {path}, byte {offset}: {reason}: nothing may be signed")
        self.path = path
        self.offset = offset
        self.reason = reason


class JournalBackwardError(StorageError):
    """Refuse a round that is not above the last one of its epoch, or is of another epoch."""

    code: ClassVar[str] = "storage_journal_backward"

    def __init__(self, *, path: Path, epoch: int, last_round: int, refused: int) -> None:
        super().__init__(
            f"signer journal {path}: round {refused} of epoch {epoch} is not above {last_round}"
        )
        self.path = path
        self.epoch = epoch
        self.last_round = last_round
        self.refused = refused
