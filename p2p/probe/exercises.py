"""What a probe does with a peer that it knows: ping it, hear its echo, measure it, redial it."""

import time

from p2p.dice import Dice
from p2p.host import Host
from p2p.perf import PERF_PROTOCOL, measure_perf, serve_perf
from p2p.ping import PING_PROTOCOL, answer_pings, ping
from p2p.probe.echo import ECHO_PROTOCOL, echo, serve_echo
from p2p.probe.events import Echoed, Emit, Performed, PerfServed, Pinged, Redialled
from p2p.probe.meter import Meter
from p2p.probe.plan import Exercise
from p2p.stream import Stream
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId, peer_id_text
from primitives.errors import RemoteProtocolError

_PING_STREAMS_MAX = 2


class Exercises:
    """The protocols of a probe, both ends of them."""

    def __init__(self, host: Host, plan: Exercise, *, dice: Dice, emit: Emit) -> None:
        self._host = host
        self._plan = plan
        self._dice = dice
        self._emit = emit

    def serve(self) -> None:
        """Answer pings, echoes and measurements of others."""
        self._host.handle(PING_PROTOCOL, answer_pings, streams_max=_PING_STREAMS_MAX)
        self._host.handle(ECHO_PROTOCOL, serve_echo)
        self._host.handle(PERF_PROTOCOL, self._serve_perf)

    async def run(self, peer_id: PeerId) -> None:
        """Do with a connected peer what the plan says.

        Raises:
            PeerError: the peer did not take part, or changed what it should send back.
        """
        plan, peer = self._plan, peer_id_text(peer_id)
        connection = await self._host.connect(peer_id)
        if plan.pings:
            read_s = time.perf_counter
            rtts_ms = await ping(connection, count=plan.pings, dice=self._dice, read_s=read_s)
            for rtt_ms in rtts_ms:
                self._emit(Pinged(peer, round(rtt_ms, 3)))
        if plan.echo_bytes:
            sent, answer = await echo(connection, plan.echo_bytes, dice=self._dice)
            self._emit(Echoed(peer, len(answer), sent == answer))
            if sent != answer:
                raise RemoteProtocolError("the echo differs", peer=peer)
        if plan.has_perf:
            up_bytes, down_bytes = plan.up_bytes, plan.down_bytes
            begun = Meter.read()
            await measure_perf(connection, up_bytes=up_bytes, down_bytes=down_bytes)
            took = Meter.read().since(begun)
            self._emit(
                Performed(
                    peer=peer,
                    up=up_bytes,
                    down=down_bytes,
                    seconds=took.seconds,
                    cpu_s=took.cpu_s,
                )
            )

    async def redial(self, peer_id: PeerId, address: Multiaddr) -> None:
        """Open a connection that is ready for streams and close it, again and again.

        Raises:
            DialError: one of them failed.
        """
        count = self._plan.redials
        if not count:
            return
        await self._host.disconnect(peer_id)
        begun = Meter.read()
        for _ in range(count):
            await self._host.connect(peer_id, (address,))
            await self._host.disconnect(peer_id)
        took = Meter.read().since(begun)
        peer = peer_id_text(peer_id)
        self._emit(Redialled(peer=peer, n=count, seconds=took.seconds, cpu_s=took.cpu_s))

    async def _serve_perf(self, stream: Stream) -> None:
        begun = Meter.read()
        exchange = await serve_perf(stream)
        took = Meter.read().since(begun)
        self._emit(
            PerfServed(
                peer=stream.peer,
                up=exchange.up_bytes,
                down=exchange.down_bytes,
                seconds=took.seconds,
                cpu_s=took.cpu_s,
            )
        )
