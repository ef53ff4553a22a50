"""/interop/echo/1.0.0: whatever is sent comes back, up to the end of the sender's direction."""

import asyncio
from typing import Final

from p2p.connection import Connection
from p2p.dice import Dice
from p2p.stream import Stream

ECHO_PROTOCOL: Final = "/interop/echo/1.0.0"

_CHUNK_BYTES: Final = 64 * 1024


async def serve_echo(stream: Stream) -> None:
    """Send back what comes."""
    while chunk := await stream.read():
        stream.write(chunk)
        await stream.drain()
    stream.close_write()


async def echo(connection: Connection, size_bytes: int, *, dice: Dice) -> tuple[bytes, bytes]:
    """Send random bytes and return them and what came back."""
    stream = await connection.open_stream([ECHO_PROTOCOL])
    sent = dice.randbytes(size_bytes)
    try:
        # Both at a time: the other side may stop to read while nobody reads what it sends.
        async with asyncio.TaskGroup() as halves:
            halves.create_task(_send(stream, sent), name="echo: send")
            answer = halves.create_task(stream.read_to_end(size_bytes), name="echo: read")
    except BaseException:
        stream.reset()
        raise
    return sent, answer.result()


async def _send(stream: Stream, raw: bytes) -> None:
    for start in range(0, len(raw), _CHUNK_BYTES):
        stream.write(raw[start : start + _CHUNK_BYTES])
        await stream.drain()
    stream.close_write()
