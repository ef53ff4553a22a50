"""Raw bytes to a server on loopback, and what comes back before it hangs up."""

import asyncio
import re
from contextlib import suppress


async def exchange(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Send pieces, close our side, and return everything that the server sends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause_s)
        answers = b""
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(3):
                while piece := await reader.read(65_536):
                    answers += piece
        return answers
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def statuses(answers: bytes) -> list[int]:
    """Return the status of each answer in a row; bodies here never hold a status line."""
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", answers)]
