"""An interop peer on py-libp2p: the flags and the events of `hanse p2p peer`, as far as it can."""

import argparse
import hashlib
import signal
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial

import trio
from libp2p import generate_new_ed25519_identity, new_host
from libp2p.abc import IHost, INetConn, INetwork, INotifee
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.host.ping import PingService
from libp2p.identity.identify.pb.identify_pb2 import Identify
from libp2p.network.stream.net_stream import NetStream
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo, info_from_p2p_addr
from libp2p.pubsub.pb import rpc_pb2
from libp2p.tools.anyio_service import background_trio_service
from libp2p.utils.varint import read_length_prefixed_protobuf
from multiaddr import Multiaddr

from p2p.probe.events import (
    ENCODER,
    Connected,
    DialFailed,
    Disconnected,
    Done,
    Identified,
    Listening,
    MessageReceived,
    Pinged,
    ProbeEvent,
    Published,
    Redialled,
    Stats,
    Subscribed,
)
from p2p.probe.payload import index_of, payload_of
from tests.interop.py.flags import read_flags
from tests.interop.py.router import make_pubsub
from tests.interop.py.streams import ECHO, PERF, echo, perf, serve_echo, serve_perf

IDENTIFY = "/ipfs/id/1.0.0"
POLL_S = 0.02


def emit(event: ProbeEvent) -> None:
    sys.stdout.write(ENCODER.encode(event).decode() + "\n")
    sys.stdout.flush()


class Watcher(INotifee):  # type: ignore[misc] # its types are in another environment
    """Tell who comes and goes."""

    def __init__(self) -> None:
        self.came: deque[ID] = deque()

    async def connected(self, network: INetwork, conn: INetConn) -> None:
        peer_id = conn.muxed_conn.peer_id
        emit(
            Connected(
                peer_id.to_base58(),
                conn.direction.name.lower(),
                str(conn.get_negotiated_security_protocol()),
                str(conn.get_negotiated_muxer_protocol()),
            )
        )
        self.came.append(peer_id)

    async def disconnected(self, network: INetwork, conn: INetConn) -> None:
        direction = conn.direction.name.lower()
        emit(Disconnected(conn.muxed_conn.peer_id.to_base58(), direction))

    async def opened_stream(self, network: INetwork, stream: NetStream) -> None: ...

    async def closed_stream(self, network: INetwork, stream: NetStream) -> None: ...

    async def listen(self, network: INetwork, multiaddr: Multiaddr) -> None: ...

    async def listen_close(self, network: INetwork, multiaddr: Multiaddr) -> None: ...


class Peer:
    """The goals of one run."""

    def __init__(self, host: IHost, flags: argparse.Namespace) -> None:
        self.host = host
        self.flags = flags
        self.author = host.get_id().to_base58()
        self.pings = PingService(host)
        self.watcher = Watcher()
        self.fails: list[str] = []
        self.received = self.size = self.corrupt = 0
        self.begun = self.ended = (0.0, 0.0)
        self.via: dict[bytes, str] = {}
        self.identified: list[ID] = []
        self.pubsub, self.router = make_pubsub(host, flags)

    async def run(self, ready: Callable[[], None]) -> None:
        self.host.get_network().register_notifee(self.watcher)
        self.host.set_stream_handler(ECHO, serve_echo)
        self.host.set_stream_handler(PERF, self.serve_perf)
        async with AsyncExitStack() as services:
            await services.enter_async_context(background_trio_service(self.pubsub))
            await services.enter_async_context(background_trio_service(self.router))
            await self.pubsub.wait_until_ready()
            ready()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.identify_newcomers)
                if self.flags.topic:
                    nursery.start_soon(self.receive)
                    nursery.start_soon(self.follow_subscriptions)
                with trio.move_on_after(self.flags.timeout):
                    if self.flags.serve_only:
                        await trio.sleep_forever()
                    await self.reach()
                emit(self.stats())
                if not self.fails:
                    await trio.sleep(self.flags.linger)
                nursery.cancel_scope.cancel()

    async def serve_perf(self, stream: NetStream) -> None:
        await serve_perf(stream, emit)

    async def reach(self) -> None:
        goals: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            (f"dial {address}", partial(self.dial, address)) for address in self.flags.dial
        ]
        exercises = self.flags.pings + self.flags.echo + self.flags.perf_up + self.flags.perf_down
        if exercises and not self.flags.dial:
            goals.append(("exercise", self.exercise_first))
        goals += [("publish", self.publish), ("expect", self.expect)]
        self.fails = [f"{name}: not in time" for name, _ in goals]
        async with trio.open_nursery() as nursery:
            for name, goal in goals:
                nursery.start_soon(self.attempt, name, goal)

    async def attempt(self, name: str, goal: Callable[[], Awaitable[None]]) -> None:
        place = self.fails.index(f"{name}: not in time")
        try:
            await goal()
            self.fails.remove(f"{name}: not in time")
        except Exception as error:  # noqa: BLE001 - whatever it is, the goal is missed
            self.fails[place] = f"{name}: {error!r}"

    async def dial(self, address: str) -> None:
        target = info_from_p2p_addr(Multiaddr(address))
        try:
            await self.host.connect(target)
        except Exception as error:
            emit(DialFailed(address, repr(error)))
            raise
        await _until(lambda: target.peer_id in self.identified)
        await self.exercise(target.peer_id)
        await self.redial(target)

    async def redial(self, target: PeerInfo) -> None:
        if not self.flags.redials:
            return
        await self.host.disconnect(target.peer_id)
        begun = _meter()
        for _ in range(self.flags.redials):
            await self.host.connect(target)
            await self.host.disconnect(target.peer_id)
        ended = _meter()
        emit(
            Redialled(
                peer=target.peer_id.to_base58(),
                n=self.flags.redials,
                seconds=ended[0] - begun[0],
                cpu_s=ended[1] - begun[1],
            )
        )

    async def exercise_first(self) -> None:
        await _until(lambda: bool(self.identified))
        await self.exercise(self.identified[0])

    async def identify_newcomers(self) -> None:
        while True:
            while self.watcher.came:
                peer_id = self.watcher.came.popleft()
                if peer_id not in self.identified:
                    # Who is gone before it said what it is misses its own goals.
                    with suppress(Exception):
                        await self.identify(peer_id)
                        self.identified.append(peer_id)
            await trio.sleep(POLL_S)

    async def identify(self, peer_id: ID) -> None:
        stream = await self.host.new_stream(peer_id, [IDENTIFY])
        message = Identify()
        message.ParseFromString(await read_length_prefixed_protobuf(stream))
        await stream.close()
        emit(
            Identified(
                peer=peer_id.to_base58(),
                agent=message.agent_version or None,
                protocol=message.protocol_version or None,
                protocols=tuple(message.protocols),
                addrs=tuple(str(Multiaddr(raw)) for raw in message.listen_addrs),
                observed=str(Multiaddr(message.observed_addr)) if message.observed_addr else None,
                record=bool(message.signedPeerRecord),
            )
        )

    async def exercise(self, peer_id: ID) -> None:
        peer = peer_id.to_base58()
        for _ in range(self.flags.pings):
            begun = time.perf_counter()
            await self.pings.ping(peer_id)
            emit(Pinged(peer, (time.perf_counter() - begun) * 1000))
        if self.flags.echo:
            stream = await self.host.new_stream(peer_id, [ECHO])
            answer = await echo(stream, peer, self.flags.echo)
            emit(answer)
            if not answer.same:
                raise ValueError("the echo differs")
        if self.flags.perf_up or self.flags.perf_down:
            stream = await self.host.new_stream(peer_id, [PERF])
            emit(await perf(stream, peer, self.flags.perf_up, self.flags.perf_down))

    async def follow_subscriptions(self) -> None:
        known: set[ID] = set()
        while True:
            now = set(self.pubsub.peer_topics.get(self.flags.topic, set()))
            for peer_id in now ^ known:
                emit(Subscribed(peer_id.to_base58(), self.flags.topic, peer_id in now))
            known = now
            await trio.sleep(POLL_S)

    async def publish(self) -> None:
        flags = self.flags
        if not flags.topic:
            return
        # Unlike the others, py-libp2p sends its own messages to its mesh only.
        mesh = self.router.mesh
        await _until(lambda: len(mesh.get(flags.topic, ())) >= flags.min_peers)
        await trio.sleep(flags.settle)
        begun = _meter()
        for index in range(flags.publish):
            if flags.rate:
                await trio.sleep(max(0.0, begun[0] + index / flags.rate - time.perf_counter()))
            payload = payload_of(self.author, index, size_bytes=flags.size)
            await self.pubsub.publish(flags.topic, payload)
        ended = _meter()
        if flags.publish:
            emit(Published(flags.publish, ended[0] - begun[0], ended[1] - begun[1]))

    async def expect(self) -> None:
        await _until(lambda: self.received >= self.flags.expect)
        if self.corrupt:
            raise ValueError(f"{self.corrupt} payloads are not what was published")

    async def receive(self) -> None:
        def remember(forwarder: ID, message: rpc_pb2.Message) -> bool:
            self.via[self.pubsub.get_message_id(message)] = forwarder.to_base58()
            return True

        self.pubsub.set_topic_validator(self.flags.topic, remember, is_async_validator=False)
        async for message in await self.pubsub.subscribe(self.flags.topic):
            if message.from_id != self.host.get_id().to_bytes():
                self.take(message)

    def take(self, message: rpc_pb2.Message) -> None:
        if not self.received:
            self.begun = _meter()
        message_id = self.pubsub.get_message_id(message)
        index = index_of(message.data)
        self.received += 1
        self.size += len(message.data)
        self.corrupt += index is None
        self.ended = _meter()
        via = self.via.pop(message_id, "")
        if not self.flags.quiet:
            emit(
                MessageReceived(
                    topic=self.flags.topic,
                    id=message_id.hex(),
                    author=ID(message.from_id).to_base58() if message.from_id else None,
                    via=via,
                    seqno=str(int.from_bytes(message.seqno)) if message.seqno else None,
                    signed=bool(message.signature),
                    size=len(message.data),
                    sha256=hashlib.sha256(message.data).hexdigest(),
                    index=index,
                    intact=index is not None,
                )
            )

    def stats(self) -> Stats:
        return Stats(
            received=self.received,
            bytes=self.size,
            corrupt=self.corrupt,
            seconds=self.ended[0] - self.begun[0],
            cpu_s=self.ended[1] - self.begun[1],
        )


def _meter() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - py-libp2p tells nobody when it becomes so
        await trio.sleep(POLL_S)


async def main() -> int:
    flags = read_flags()
    keys = create_new_key_pair(flags.seed) if flags.seed else generate_new_ed25519_identity()
    host = new_host(key_pair=keys, muxer_preference="YAMUX")
    peer = Peer(host, flags)
    listen = [] if flags.no_listen else [Multiaddr(flags.listen)]

    def ready() -> None:
        addrs = () if flags.no_listen else tuple(str(address) for address in host.get_addrs())
        emit(Listening(peer.author, addrs))

    async with host.run(listen_addrs=listen), trio.open_nursery() as nursery:
        nursery.start_soon(_end_on_signal, nursery.cancel_scope)
        await peer.run(ready)
        nursery.cancel_scope.cancel()
    emit(Done(not peer.fails, tuple(peer.fails)))
    return 1 if peer.fails else 0


async def _end_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()


if __name__ == "__main__":
    sys.exit(trio.run(main))
