"""Measure raw throughput: upload some bytes, then download some. For tests; off by default.

Source: libp2p specs, perf: a big-endian u64 says how many bytes are wanted back, then the upload
follows up to the end of our direction, then the server sends.
"""

from dataclasses import dataclass
from typing import Final

from p2p.connection import Connection
from p2p.stream import Stream
from primitives.errors import RemoteProtocolError

PERF_PROTOCOL: Final = "/perf/1.0.0"

_CHUNK: Final = bytes(64 * 1024)
_COUNT_SIZE_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Exchange:
    """How much a peer sent us and how much it wanted back."""

    up_bytes: int
    down_bytes: int


async def serve_perf(stream: Stream) -> Exchange:
    """Read to the end, then send as many zero bytes as were asked for."""
    wanted_bytes = int.from_bytes(await stream.read_exactly(_COUNT_SIZE_BYTES), "big")
    came_bytes = await _count(stream)
    await _send_zeros(stream, wanted_bytes)
    stream.close_write()
    return Exchange(came_bytes, wanted_bytes)


async def measure_perf(connection: Connection, *, up_bytes: int, down_bytes: int) -> None:
    """Upload and download so many bytes; the caller watches the clock.

    Raises:
        RemoteProtocolError: another number of bytes came back.
    """
    stream = await connection.open_stream([PERF_PROTOCOL])
    try:
        stream.write(down_bytes.to_bytes(_COUNT_SIZE_BYTES, "big"))
        await _send_zeros(stream, up_bytes)
        stream.close_write()
        came_bytes = await _count(stream)
    except BaseException:
        stream.reset()
        raise
    if came_bytes != down_bytes:
        raise RemoteProtocolError(
            f"asked for {down_bytes} bytes, {came_bytes} came", peer=stream.peer
        )


async def _count(stream: Stream) -> int:
    """Read to the end and return how many bytes came."""
    came_bytes = 0
    while chunk := await stream.read():
        came_bytes += len(chunk)
    return came_bytes


async def _send_zeros(stream: Stream, size_bytes: int) -> None:
    left_bytes = size_bytes
    while left_bytes:
        sent_bytes = min(left_bytes, len(_CHUNK))
        stream.write(_CHUNK if sent_bytes == len(_CHUNK) else _CHUNK[:sent_bytes])
        await stream.drain()
        left_bytes -= sent_bytes
