"""Measure how long a peer takes to answer: 32 random bytes, there and back.

Source: libp2p specs, ping. js-libp2p ends a connection whose ping waits for longer than about five
seconds, so the answer must not queue behind bulk data: yamux takes streams in turn.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from p2p.connection import Connection
from p2p.dice import Dice
from p2p.errors import PeerTimeoutError, StreamEndedError
from p2p.stream import Stream
from p2p.token_bucket import TokenBucket
from primitives.errors import PeerError, RemoteProtocolError

PING_PROTOCOL: Final = "/ipfs/ping/1.0.0"
PING_SIZE_BYTES: Final = 32
PING_TIMEOUT_S: Final = 10
PINGS_PER_S: Final = 100
PINGS_AT_ONCE: Final = 1_000
"""Pings of one stream that are answered without delay; js and go send one in ten seconds."""
IDLE_S: Final = 120
"""A stream that asks nothing for this long is closed."""

_MS_PER_S: Final = 1_000


async def answer_pings(stream: Stream) -> None:
    """Echo pings until the peer closes its direction; slowly, if there is a flood of them.

    Raises:
        PeerTimeoutError: the peer asks nothing, or does not read.
    """
    loop = asyncio.get_running_loop()
    rate = TokenBucket(per_s=PINGS_PER_S, burst=PINGS_AT_ONCE, now_ms=int(loop.time() * _MS_PER_S))
    while True:
        try:
            async with asyncio.timeout(IDLE_S):
                payload = await stream.read_exactly(PING_SIZE_BYTES)
                stream.write(payload)
                await stream.drain()
        except StreamEndedError:
            return
        except TimeoutError as error:
            raise PeerTimeoutError("a ping stream is idle", peer=stream.peer) from error
        delay_ms = rate.take(1, now_ms=int(loop.time() * _MS_PER_S))
        if delay_ms:
            await asyncio.sleep(delay_ms / _MS_PER_S)


async def ping(
    connection: Connection, *, count: int, dice: Dice, read_s: Callable[[], float]
) -> list[float]:
    """Ping a peer so many times in a row on one stream; return the round trips in ms.

    `read_s` reads a monotonic clock in seconds, finer than the event loop's, which may tick in ms.

    Raises:
        PeerTimeoutError: an answer took longer than `PING_TIMEOUT_S`.
        RemoteProtocolError: an answer was not what was sent.
    """
    stream = await connection.open_stream([PING_PROTOCOL])
    round_trips_ms: list[float] = []
    try:
        for _ in range(count):
            begun_s = read_s()
            await _ping_once(stream, dice.randbytes(PING_SIZE_BYTES))
            round_trips_ms.append((read_s() - begun_s) * _MS_PER_S)
    except BaseException:
        stream.reset()
        raise
    # The round trips are known, however the stream ends.
    with suppress(PeerError):
        await stream.finish()
    return round_trips_ms


async def _ping_once(stream: Stream, payload: bytes) -> None:
    stream.write(payload)
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            answer = await stream.read_exactly(PING_SIZE_BYTES)
    except TimeoutError as error:
        raise PeerTimeoutError("no answer to a ping", peer=stream.peer) from error
    if answer != payload:
        raise RemoteProtocolError("a ping came back changed", peer=stream.peer)
