"""`python -m devnet.local.links FOLDER`: links between nodes that take as long as the plan says.

Each node tells its peers a port of ours, where we take connections for it; what we read there we
write to its own port, and what it answers back, a delay later. Nodes know each other by their keys
and encrypt from end to end, so they cannot tell us from a slow network:

    node-1 --- dials ---> link port of node-0 === a delay each way === p2p port of node-0

Whoever does not read is not read for: a full line stops the reading at its other end, so that
pressure goes back to the sender as it does over a long cable. Not imitated: loss, and a limit of
bandwidth.
"""

import asyncio
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, assert_never, cast

from typing_extensions import override

from devnet.local.latency import DelayLine, Ending, Latency
from devnet.local.record import NodeRecord, read_record
from primitives.errors import HanseError

LINKS: Final = "links"
"""What the process is called among the nodes of a network."""

MODULE: Final = "devnet.local.links"
HOST: Final = "127.0.0.1"
READ_BYTES_MAX: Final = 64 << 10
LOOK_S: Final = 0.2
EXIT_REFUSED: Final = 1
_MS_PER_S: Final = 1_000


def links_command(folder: Path) -> tuple[str, ...]:
    """Return the command line of the links of a network."""
    return (sys.executable, "-X", "faulthandler", "-m", MODULE, str(folder))


class _End(asyncio.BufferedProtocol):
    """One of the two sockets of a link; nothing is read before `begin`."""

    def __init__(self) -> None:
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = bytearray(READ_BYTES_MAX)
        self._outward: _Way | None = None
        self._inward: _Way | None = None
        self._is_read = False
        self._is_written = False

    def begin(self, *, outward: "_Way", inward: "_Way") -> None:
        """Read from now on; what comes goes into the one way, what the other brings is written."""
        self._outward, self._inward = outward, inward
        if self.gone.done():
            outward.put(Ending.LOST)
        else:
            self.transport.resume_reading()

    def finish(self) -> None:
        """Write no more; the socket goes once its other side has said everything as well."""
        self._is_written = True
        self.transport.write_eof()
        self._close_if_over()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.pause_reading()

    @override
    def get_buffer(self, sizehint: int) -> bytearray:
        del sizehint
        return self._buffer

    @override
    def buffer_updated(self, nbytes: int) -> None:
        assert self._outward is not None, "nothing is read before there is a way"
        self._outward.put(bytes(memoryview(self._buffer)[:nbytes]))

    @override
    def eof_received(self) -> bool:
        assert self._outward is not None, "nothing is read before there is a way"
        self._outward.put(Ending.FINISHED)
        self._is_read = True
        self._close_if_over()
        # The other direction may go on.
        return True

    @override
    def pause_writing(self) -> None:
        if self._inward is not None:
            self._inward.hold()

    @override
    def resume_writing(self) -> None:
        if self._inward is not None:
            self._inward.go_on()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set_result(None)
        if self._outward is not None:
            self._outward.put(Ending.LOST)

    def _close_if_over(self) -> None:
        if self._is_read and self._is_written:
            self.transport.close()


class _Way:
    """One direction of a link: what one end reads, the other writes a delay later."""

    def __init__(self, line: DelayLine, *, source: _End, sink: _End) -> None:
        self._line = line
        self._source = source
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_held = False

    def put(self, parcel: bytes | Ending) -> None:
        """Send off what was read, and read no more while the line is full."""
        self._line.put(parcel, now_s=self._loop.time())
        if self._line.is_full:
            self._source.transport.pause_reading()
        self._wait()

    def hold(self) -> None:
        """Deliver nothing for now: whoever should read does not."""
        self._is_held = True

    def go_on(self) -> None:
        """Deliver again."""
        self._is_held = False
        self._wait()

    def _wait(self) -> None:
        due_s = self._line.next_due_s
        if due_s is not None and self._timer is None and not self._is_held:
            self._timer = self._loop.call_at(due_s, self._deliver)

    def _deliver(self) -> None:
        self._timer = None
        # The clock of the loop fires up to its resolution early.
        now_s = max(self._loop.time(), self._line.next_due_s or 0.0)
        while not self._is_held and (parcel := self._line.take(now_s=now_s)) is not None:
            self._hand_over(parcel)
        if not self._line.is_full and not self._source.gone.done():
            self._source.transport.resume_reading()
        self._wait()

    def _hand_over(self, parcel: bytes | Ending) -> None:
        transport = self._sink.transport
        if self._sink.gone.done() or transport.is_closing():
            return
        match parcel:
            case bytes():
                transport.write(parcel)
            case Ending.FINISHED:
                self._sink.finish()
            case Ending.LOST:
                transport.close()
            case _:
                assert_never(parcel)


@dataclass(slots=True)
class Links:
    """The links of a network; whoever opens one more node does it in the same task group."""

    latency: Latency
    group: asyncio.TaskGroup
    dice: random.Random
    _doors: dict[str, asyncio.Server] = field(default_factory=dict)

    async def open(self, node: NodeRecord) -> None:
        """Take connections for a node, once.

        Raises:
            OSError: its link port is in use.
        """
        if node.name in self._doors or node.link_port is None:
            return
        port = node.p2p_port

        def accept() -> _End:
            near = _End()
            self.group.create_task(self._join(near, port), name=f"link to {node.name}")
            return near

        loop = asyncio.get_running_loop()
        self._doors[node.name] = await loop.create_server(accept, HOST, node.link_port)

    def close(self) -> None:
        """Take no more connections."""
        for door in self._doors.values():
            door.close()

    async def _join(self, near: _End, port: int) -> None:
        """Carry bytes between a connection and a node until both ends are gone."""
        loop = asyncio.get_running_loop()
        # As long as a handshake of TCP takes over the link; here, ours took no time.
        await asyncio.sleep(2 * self.latency.mean_ms / _MS_PER_S)
        try:
            _, far = await loop.create_connection(_End, HOST, port)
        except OSError:
            near.transport.abort()
            return
        there = _Way(DelayLine(self.latency, dice=self.dice), source=near, sink=far)
        back = _Way(DelayLine(self.latency, dice=self.dice), source=far, sink=near)
        near.begin(outward=there, inward=back)
        far.begin(outward=back, inward=there)
        await asyncio.wait([near.gone, far.gone])


async def serve(folder: Path) -> None:
    """Carry for all nodes of a network, those that join late as well, until cancelled.

    Raises:
        NoDevnetError: there is no network in the folder.
        OSError: a link port is in use.
    """
    record = read_record(folder)
    plan = record.plan
    async with asyncio.TaskGroup() as group:
        links = Links(plan.latency, group, random.Random(plan.seed))
        try:
            while True:
                for node in read_record(folder).nodes:
                    await links.open(node)
                await asyncio.sleep(LOOK_S)
        finally:
            links.close()


def main(arguments: Sequence[str]) -> int:
    """Carry until killed; return the exit status."""
    status = 0
    try:
        asyncio.run(serve(Path(arguments[0])))
    except* (HanseError, OSError) as group:
        sys.stderr.write(f"links: {group.exceptions[0]}\n")
        status = EXIT_REFUSED
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
