"""How the environment of blobs is laid out."""

from typing import Annotated, Final

import msgspec

from node.blobs.manifest import LEAVES_MAX, Access, Manifest
from node.storage.schema import Schema
from node.storage.table import Packed, RawBytes, Table
from primitives.codec import Codec
from primitives.ids import DIGEST_SIZE_BYTES, TimestampMs


class Entry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One blob: what it is made of, who may have it, and since when it is here."""

    manifest: Manifest
    access: Access
    arrived_ms: Annotated[TimestampMs, msgspec.Meta(ge=0, le=2**63 - 1)]


ENTRIES: Final[Table[bytes, Entry]] = Table(
    "blobs",
    key=RawBytes(),
    value=Codec(Entry, size_bytes_max=LEAVES_MAX * DIGEST_SIZE_BYTES + 128),
)
"""By blob id."""

PROGRESS: Final[Table[bytes, bytes]] = Table("progress", key=RawBytes(), value=RawBytes())
"""By id of a blob that is not whole: which chunks are here, as bits, the first one the lowest."""

LEAVES: Final[Table[tuple[bytes, int], bytes]] = Table(
    "leaves", key=Packed(f"{DIGEST_SIZE_BYTES}sI"), value=RawBytes()
)
"""By blob id and place."""

PINS: Final[Table[bytes, bytes]] = Table("pins", key=RawBytes(), value=RawBytes())
"""Blob id and reason, as one key."""

BLOB_SCHEMA: Final = Schema(purpose="blobs", tables=(ENTRIES, PROGRESS, LEAVES, PINS))
