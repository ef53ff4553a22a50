"""/interop/echo/1.0.0 and /perf/1.0.0 for py-libp2p, whose own perf says nothing of the CPU."""

import secrets
import time
from collections.abc import Awaitable, Callable

import trio
from libp2p.network.stream.exceptions import StreamEOF
from libp2p.network.stream.net_stream import NetStream

from p2p.probe.events import Echoed, Performed, PerfServed

ECHO = "/interop/echo/1.0.0"
PERF = "/perf/1.0.0"
BLOCK_BYTES = 64 * 1024
HEAD_BYTES = 8


async def serve_echo(stream: NetStream) -> None:
    """Send back what comes."""
    await _read_to_end(stream, stream.write)
    await stream.close_write()


async def echo(stream: NetStream, peer: str, size: int) -> Echoed:
    """Send bytes and take them back."""
    sent = secrets.token_bytes(size)
    answer = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_read_to_end, stream, _into(answer))
        await _write(stream, sent)
        await stream.close_write()
    return Echoed(peer, len(answer), bytes(answer) == sent)


async def serve_perf(stream: NetStream, served: Callable[[PerfServed], None]) -> None:
    """Take what comes, then send as much as its head asks for."""
    cpu_s, seconds = time.process_time(), time.perf_counter()
    received = 0
    head = bytearray()

    async def take(chunk: bytes) -> None:
        nonlocal received
        received += len(chunk)
        head.extend(chunk[: HEAD_BYTES - len(head)])

    await _read_to_end(stream, take)
    down = int.from_bytes(head)
    await _write(stream, bytes(down))
    await stream.close_write()
    served(
        PerfServed(
            peer=stream.muxed_conn.peer_id.to_base58(),
            up=received - HEAD_BYTES,
            down=down,
            seconds=time.perf_counter() - seconds,
            cpu_s=time.process_time() - cpu_s,
        )
    )


async def perf(stream: NetStream, peer: str, up: int, down: int) -> Performed:
    """Send `up` bytes, then take `down` bytes."""
    cpu_s, seconds = time.process_time(), time.perf_counter()
    received = bytearray()
    await stream.write(down.to_bytes(HEAD_BYTES))
    await _write(stream, bytes(up))
    await stream.close_write()
    await _read_to_end(stream, _into(received))
    if len(received) != down:
        raise ValueError(f"{len(received)} bytes came back, not {down}")
    return Performed(
        peer=peer,
        up=up,
        down=down,
        seconds=time.perf_counter() - seconds,
        cpu_s=time.process_time() - cpu_s,
    )


def _into(target: bytearray) -> Callable[[bytes], Awaitable[None]]:
    async def take(chunk: bytes) -> None:
        target.extend(chunk)

    return take


async def _write(stream: NetStream, raw: bytes) -> None:
    for start in range(0, len(raw), BLOCK_BYTES):
        await stream.write(raw[start : start + BLOCK_BYTES])


async def _read_to_end(stream: NetStream, take: Callable[[bytes], Awaitable[None]]) -> None:
    while True:
        try:
            chunk = await stream.read(BLOCK_BYTES)
        except StreamEOF:
            return
        if not chunk:
            return
        await take(chunk)
