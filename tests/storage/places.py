"""Environments in temporary folders, for tests that need any."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from node.storage.batch import WriteBatch
from node.storage.disk import Reserve
from node.storage.environment import DEFAULT_LIMITS, Environment, MapLimits
from node.storage.schema import Schema
from node.storage.stamp import Identity
from node.storage.table import Number, Packed, RawBytes, Table
from node.storage.writer import Writer
from primitives.hashing import Domain, tagged_hash
from primitives.ids import ChainId, TimestampMs

IDENTITY: Final = Identity(
    chain_id=ChainId(tagged_hash(Domain.CHAIN, b"storage")), node_id=b"this node"
)
CREATED_MS: Final = TimestampMs(1_700_000_000_000)

NOTES: Final[Table[int, bytes]] = Table("notes", key=Number(), value=RawBytes())
PAIRS: Final[Table[tuple[int, int], bytes]] = Table("pairs", key=Packed("QI"), value=RawBytes())
SCHEMA: Final = Schema(purpose="test", tables=(NOTES, PAIRS))
UNRESERVED: Final = MapLimits(reserve=Reserve(bytes_max=0))
"""For who fills a disk to the last byte."""

SMALL: Final = MapLimits(bytes_first=1 << 20, bytes_max=1 << 24, early_wait_seconds=0.02)


def open_at(
    path: Path,
    *,
    schema: Schema = SCHEMA,
    identity: Identity = IDENTITY,
    limits: MapLimits = DEFAULT_LIMITS,
) -> Environment:
    """Open the environment in a folder, or begin it."""
    return Environment.open(
        path, schema=schema, identity=identity, now_ms=CREATED_MS, limits=limits
    )


@contextmanager
def opened(
    path: Path, *, schema: Schema = SCHEMA, limits: MapLimits = DEFAULT_LIMITS
) -> Iterator[tuple[Environment, Writer]]:
    """Open an environment with its writer, for a while."""
    with (
        open_at(path, schema=schema, limits=limits) as environment,
        Writer.start(environment) as writer,
    ):
        yield environment, writer


def notes(*items: tuple[int, bytes]) -> WriteBatch:
    """Return a batch that writes some notes."""
    batch = WriteBatch()
    for key, value in items:
        batch.put(NOTES, key, value)
    return batch


def read_note(environment: Environment, key: int) -> bytes | None:
    """Return a note as the last commit left it."""
    with environment.snapshot() as snapshot:
        return snapshot.get(NOTES, key)


def image_of(folder: Path, image: Path) -> Path:
    """Copy a folder as it is on disk now: what a process that starts now would find."""
    shutil.copytree(folder, image, ignore=shutil.ignore_patterns("lock.mdb"))
    return image
