"""Keep the folder of blobs below its bound, a little at a time.

The store itself makes room for what comes, and refuses what would need the room of pinned blobs.
This drops what nobody has pinned or used for days before the room is needed, so that a node which
saw a few large rounds does not keep their bytes on the disk of its operator for ever.
"""

import asyncio
from typing import Final

import structlog

from node.blobs.store import COLLECTED_MAX, BlobStore
from node.storage.errors import DiskReserveError

COLLECT_S: Final = 600
"""Between two looks; a blob may stay for days, so nothing depends on it."""

REST_S: Final = 0.2
"""Between two portions of one look, for whoever waits for the store."""

_log: Final = structlog.get_logger("node.blobs")


class BlobCollector:
    """Collects what nobody needs, until cancelled."""

    def __init__(self, store: BlobStore, *, collect_s: float = COLLECT_S) -> None:
        self._store = store
        self._collect_s = collect_s

    async def run(self) -> None:
        """Look now and then.

        Raises:
            StorageError: the database cannot be written.
        """
        while True:
            await asyncio.sleep(self._collect_s)
            try:
                dropped = await self._collect()
            except DiskReserveError as error:
                # Even dropping writes pages first. The node waits for room, and so does this.
                _log.warning("no blobs were dropped", reason=str(error))
                continue
            if dropped:
                _log.info("dropped blobs that nobody needs", blobs=dropped)

    async def _collect(self) -> int:
        dropped = 0
        while True:
            portion = await asyncio.to_thread(self._store.collect)
            dropped += portion
            if portion < COLLECTED_MAX:
                return dropped
            await asyncio.sleep(REST_S)
