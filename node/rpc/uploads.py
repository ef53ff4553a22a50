"""Bodies that stream to files: how much of them may be on its way, and what the disk must keep.

Guards: whatever clients send, their files together are no longer than one bound, and none of them
grows while the disk is nearly full, for the ledger needs what is left.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Final

from aiohttp import web

from node.rpc.errors import UnavailableError
from node.storage.disk import DEFAULT_RESERVE, Reserve, check_reserve
from node.storage.errors import DiskReserveError
from primitives.ids import Address

PIECE_BYTES: Final = 256 << 10
SHARES: Final = 2
"""One account gets this part of the room, or it could keep all others out by sending slowly."""


class UploadRoom:
    """Counts the bytes of uploads that are on their way, as their headers promise them."""

    def __init__(self) -> None:
        self._promised: Counter[Address | None] = Counter()

    @contextmanager
    def claimed(self, size_bytes: int, *, of: Address | None, bytes_max: int) -> Iterator[None]:
        """Keep room for an upload of somebody for as long as the body runs.

        Raises:
            UnavailableError: there is too little.
        """
        total, own, share = self._promised.total(), self._promised[of], bytes_max // SHARES
        if total + size_bytes > bytes_max:
            raise UnavailableError(
                f"{total} bytes of uploads are on their way, and {size_bytes} more are over the "
                f"limit of {bytes_max}: try again later"
            )
        if own + size_bytes > share:
            raise UnavailableError(
                f"{own} bytes of your uploads are on their way, and {size_bytes} more are over "
                f"your share of {share}: try again later"
            )
        self._promised[of] += size_bytes
        try:
            yield
        finally:
            self._promised[of] -= size_bytes
            if not self._promised[of]:
                del self._promised[of]


class Uploads:
    """A folder for uploads.

    Args:
        folder: of this node alone.
        reserve: what files leave free on its disk.
    """

    def __init__(self, folder: Path, *, reserve: Reserve = DEFAULT_RESERVE) -> None:
        self.folder = folder
        self._reserve = reserve
        self._room = UploadRoom()

    @asynccontextmanager
    async def spooled(
        self, request: web.BaseRequest, *, of: Address | None, bytes_max: int
    ) -> AsyncIterator[Path]:
        """Yield a file with the body of a request, which is gone afterwards.

        Args:
            request: its length was checked before, and nothing else ends the body.
            of: who sends it.
            bytes_max: of all uploads at a time.

        Raises:
            UnavailableError: there is no room for it, in the folder or on the disk.
        """
        size_bytes = request.content_length or 0
        try:
            with (
                self._room.claimed(size_bytes, of=of, bytes_max=bytes_max),
                tempfile.TemporaryDirectory(prefix="upload-", dir=self.folder) as place,
            ):
                path = Path(place) / "content"
                check_reserve(self.folder, self._reserve)
                with path.open("xb") as file:
                    while piece := await request.content.read(PIECE_BYTES):
                        await asyncio.to_thread(self._write, file, piece)
                yield path
        except DiskReserveError as error:
            # Where the folder is and how much is free is for the operator's eyes only.
            text = (
                "the disk of this node is nearly full, and it takes no uploads until there is room"
            )
            raise UnavailableError(text) from error

    def _write(self, file: IO[bytes], piece: bytes) -> None:
        check_reserve(self.folder, self._reserve)
        file.write(piece)
