"""The stamp of an environment: for which chain, node and purpose it was made, and its version.

A disk that is moved to another machine, or a folder that is copied, must not be taken for one's
own; a database of a newer program must not be written to.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from node.storage.errors import DatabaseTooNewError, ForeignDatabaseError
from node.storage.schema import Schema
from node.storage.table import RawBytes, Table
from primitives.codec import Codec
from primitives.ids import ChainId, TimestampMs

STAMP_KEY: Final = b"stamp"
NODE_ID_BYTES_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose database it is.

    Args:
        node_id: the name of the node, at most 64 bytes; its network key.
    """

    chain_id: ChainId
    node_id: bytes


class Stamp(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """What an environment says about itself; grows only at the end."""

    purpose: Annotated[str, msgspec.Meta(max_length=64)]
    version: Annotated[int, msgspec.Meta(ge=1, le=2**31)]
    chain_id: Annotated[ChainId, msgspec.Meta(min_length=32, max_length=32)]
    node_id: Annotated[bytes, msgspec.Meta(max_length=NODE_ID_BYTES_MAX)]
    created_ms: TimestampMs


STAMPS: Final[Table[bytes, Stamp]] = Table(
    "stamp", key=RawBytes(), value=Codec(Stamp, size_bytes_max=512)
)


def first_stamp(schema: Schema, identity: Identity, *, now_ms: TimestampMs) -> Stamp:
    """Return the stamp of an environment that is created now."""
    return Stamp(
        purpose=schema.purpose,
        version=schema.version,
        chain_id=identity.chain_id,
        node_id=identity.node_id,
        created_ms=now_ms,
    )


def check_stamp(stamp: Stamp, *, schema: Schema, identity: Identity | None, path: Path) -> None:
    """Refuse an environment that is not ours; without an identity, any chain and node is.

    Raises:
        ForeignDatabaseError: it is of another purpose, chain or node.
        DatabaseTooNewError: a newer program wrote it.
    """
    pairs = [("purpose", schema.purpose, stamp.purpose)]
    if identity is not None:
        pairs.append(("chain", identity.chain_id.hex(), stamp.chain_id.hex()))
        pairs.append(("node", identity.node_id.hex(), stamp.node_id.hex()))
    for subject, expected, actual in pairs:
        if expected != actual:
            raise ForeignDatabaseError(path=path, subject=subject, expected=expected, actual=actual)
    if stamp.version > schema.version:
        raise DatabaseTooNewError(path=path, found=stamp.version, supported=schema.version)
