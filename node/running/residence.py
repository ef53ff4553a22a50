"""Keep the part of a node's memory that is only a map of its databases below a bound."""

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Final

import structlog

from node.storage.residence import mapped_bytes, release

LOOK_S: Final = 10.0
MAPPED_BYTES_MAX: Final = 96 << 20
"""Of which libraries are about 40 MiB."""

_log: Final = structlog.get_logger("node.running")


class ResidenceKeeper:
    """Gives mapped pages back when there are many, until cancelled."""

    def __init__(
        self,
        folders: Collection[Path],
        *,
        look_s: float = LOOK_S,
        mapped_bytes_max: int = MAPPED_BYTES_MAX,
    ) -> None:
        self._folders = tuple(folders)
        self._look_s = look_s
        self._mapped_bytes_max = mapped_bytes_max

    async def run(self) -> None:
        """Look now and then."""
        while True:
            await asyncio.sleep(self._look_s)
            mapped = mapped_bytes()
            if mapped > self._mapped_bytes_max:
                await asyncio.to_thread(release, self._folders)
                _log.debug("mapped pages given back", mapped_bytes=mapped)
