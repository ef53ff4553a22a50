"""States in temporary folders, and what their tests put into them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from node.storage import environment as environments
from node.storage.environment import Environment, MapLimits
from node.storage.schema import Schema
from node.storage.state_store import DEFAULT_LIMITS, StateLimits, StateStore
from node.storage.state_tables import STATE_TABLES
from node.storage.writer import Writer
from primitives.ids import Digest, Height
from tests.storage.places import opened

STATE_SCHEMA: Final = Schema(purpose="state", tables=STATE_TABLES)
STATE_SCHEMA_NAME: Final = "tests.storage.state_places:STATE_SCHEMA"

Changes = Mapping[bytes, bytes | None]


@contextmanager
def environment_at(
    path: Path, *, limits: MapLimits = environments.DEFAULT_LIMITS
) -> Iterator[tuple[Environment, Writer]]:
    """Open an environment for a state, for a while."""
    with opened(path, schema=STATE_SCHEMA, limits=limits) as (environment, writer):
        yield environment, writer


@contextmanager
def store_at(path: Path, *, limits: StateLimits = DEFAULT_LIMITS) -> Iterator[StateStore]:
    """Open the state in a folder, for a while."""
    with environment_at(path) as (environment, writer):
        yield StateStore.open(environment, writer, limits=limits)


def commit_next(store: StateStore, changes: Changes) -> Digest:
    """Commit changes at the next height, with a receipt and a record that name the height."""
    height = Height(store.height + 1)
    receipts = [b"receipt %d" % height]
    return store.commit(height, changes, receipts=receipts, record=b"record %d" % height)


def value_at(store: StateStore, key: bytes, height: int | None = None) -> bytes | None:
    """Read one key at a height, the last by default."""
    with store.view(None if height is None else Height(height)) as view:
        return view.get(key)
