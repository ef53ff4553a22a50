"""What can go wrong with blobs.

StorageError
    NoSuchBlobError           it is not here, or not whole
    BlobRoomError             the store may not grow, and all that could go is pinned
HanseError
    BadBlobError              the content may not be a blob
        BlobTooLongError      it is longer than whoever wants it allows
    BlobUnavailableError      no peer gave it in time
    BadEnvelopeError          a sealed update that this key does not open
"""

from typing import ClassVar

from primitives.errors import HanseError, StorageError


class NoSuchBlobError(StorageError):
    """Report a blob that is not here, or not whole."""

    code: ClassVar[str] = "blob_missing"


class BlobRoomError(StorageError):
    """Refuse a blob, since what is kept may not go and no more may come."""

    code: ClassVar[str] = "blob_room"

    def __init__(self, *, needed_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"no room for {needed_bytes} bytes among {limit_bytes}, all else is pinned or in use: "
            "raise blob_bytes_max"
        )
        self.needed_bytes = needed_bytes
        self.limit_bytes = limit_bytes


class BadBlobError(HanseError):
    """Refuse content that is too long, is not what it should be, or that has two readings."""

    code: ClassVar[str] = "blob_bad"


class BlobTooLongError(BadBlobError):
    """Refuse a blob that is longer than whoever wants it allows; no peer is to blame."""

    code: ClassVar[str] = "blob_too_long"


class BlobUnavailableError(HanseError):
    """Report that no peer gave a blob in time; what came of it is kept for the next attempt."""

    code: ClassVar[str] = "blob_unavailable"


class BadEnvelopeError(HanseError):
    """Refuse an envelope that is malformed, is not for us, or holds something else."""

    code: ClassVar[str] = "envelope_bad"
