"""Bring an environment to the present schema: stamp a new one, migrate an older one.

Tables are created here and nowhere else, so that one that went missing is noticed.
"""

from collections.abc import Callable
from pathlib import Path

import lmdb
import msgspec

from node.storage.errors import DamagedDatabaseError, DatabaseFullError
from node.storage.residence import MAP_CHANGES
from node.storage.schema import Schema
from node.storage.stamp import STAMP_KEY, STAMPS, Identity, Stamp, check_stamp, first_stamp
from node.storage.table import AnyTable
from node.storage.transaction import Handle, Handles, WriteTransaction
from primitives.ids import TimestampMs


def bring_up_to_date(
    opened: lmdb.Environment,
    *,
    schema: Schema,
    identity: Identity,
    now_ms: TimestampMs,
    path: Path,
    map_bytes_max: int,
) -> Handles:
    """Stamp the environment if it is new; else check its stamp and run the missing migrations.

    Each step is one durable commit, together with the version that it leads to. Returns the
    handles of the tables of the present schema.

    Raises:
        StorageError: it is not ours, or is damaged.
    """

    def create(step: WriteTransaction) -> Stamp:
        step.create(*schema.tables)
        return first_stamp(schema, identity, now_ms=now_ms)

    def migrate(step: WriteTransaction) -> Stamp:
        assert stamp is not None, "a new environment is of the present version"
        schema.migrations[stamp.version - 1](step)
        following = msgspec.structs.replace(stamp, version=stamp.version + 1)
        if following.version == schema.version:
            step.create(*schema.tables)
        return following

    stamp = read_stamp(opened, path=path)
    if stamp is not None:
        check_stamp(stamp, schema=schema, identity=identity, path=path)
    while stamp is None or stamp.version < schema.version:
        take = create if stamp is None else migrate
        stamp = _take_step(take, opened=opened, path=path, map_bytes_max=map_bytes_max)
    return open_tables(opened, schema=schema, path=path)


def read_stamp(opened: lmdb.Environment, *, path: Path) -> Stamp | None:
    """Return the stamp; None if nothing was ever committed.

    Raises:
        StorageError: there is something and no stamp, or the stamp is damaged.
    """
    with opened.begin() as txn:
        try:
            handle = opened.open_db(STAMPS.name.encode("ascii"), txn=txn, create=False)
        except lmdb.NotFoundError as error:
            if txn.stat()["entries"]:
                raise DamagedDatabaseError(path=path, reason="it has no stamp") from error
            return None
        sealed = txn.get(STAMP_KEY, None, handle)
    if sealed is None:
        raise DamagedDatabaseError(path=path, reason="its stamp is gone")
    return STAMPS.unseal(STAMP_KEY, sealed, path=path)


def open_tables(opened: lmdb.Environment, *, schema: Schema, path: Path) -> Handles:
    """Return the handles of all tables.

    Raises:
        DamagedDatabaseError: one is not there.
    """
    return {table.name: open_table(opened, table, path=path) for table in (STAMPS, *schema.tables)}


def open_table(opened: lmdb.Environment, table: AnyTable, *, path: Path) -> Handle:
    """Return the handle of a table.

    Raises:
        DamagedDatabaseError: it is not there.
    """
    try:
        return opened.open_db(table.name.encode("ascii"), create=False)
    except lmdb.NotFoundError as error:
        reason = f"table {table.name!r} is gone"
        raise DamagedDatabaseError(path=path, reason=reason) from error


def _take_step(
    take: Callable[[WriteTransaction], Stamp],
    *,
    opened: lmdb.Environment,
    path: Path,
    map_bytes_max: int,
) -> Stamp:
    """Run a step in a transaction, again in a larger map if this one is too small."""
    while True:
        try:
            with opened.begin(write=True) as txn:
                step = WriteTransaction(txn, environment=opened, path=path)
                stamp = take(step)
                step.create(STAMPS)
                step.put(STAMPS, STAMP_KEY, stamp)
        except lmdb.MapFullError as error:
            map_bytes = opened.info()["map_size"]
            if map_bytes >= map_bytes_max:
                reason = "a migration needs more"
                raise DatabaseFullError(path=path, size_bytes=map_bytes, reason=reason) from error
            with MAP_CHANGES:
                opened.set_mapsize(min(2 * map_bytes, map_bytes_max))
        else:
            return stamp
