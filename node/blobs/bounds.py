"""How much the folder of blobs may take of a disk, and how that is divided."""

from dataclasses import dataclass
from typing import Final

from node.storage.disk import DEFAULT_RESERVE, Reserve

BYTES_MAX: Final = 64 << 30
FILES_PERCENT: Final = 30
RECORDS_PERCENT: Final = 4
"""What the database takes beyond the blobs: a page for each chunk of 64, trees, free pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobBounds:
    """How the room on the disk is divided.

    Args:
        bytes_max: of the blobs.
        file_bytes_max: of the copies of blobs that workers read, beside them.
        reserve: what is left free for everything else on the disk.
    """

    bytes_max: int = BYTES_MAX
    file_bytes_max: int = BYTES_MAX
    reserve: Reserve = DEFAULT_RESERVE


DEFAULT_BOUNDS: Final = BlobBounds()


def divided(total_bytes: int, *, reserve: Reserve = DEFAULT_RESERVE) -> BlobBounds:
    """Divide the room of a whole folder."""
    return BlobBounds(
        bytes_max=total_bytes * (100 - FILES_PERCENT - RECORDS_PERCENT) // 100,
        file_bytes_max=total_bytes * FILES_PERCENT // 100,
        reserve=reserve,
    )
