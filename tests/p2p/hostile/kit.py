"""What an attacker is made of: bare bytes, or our own machines without our manners."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from random import Random
from typing import Final

from p2p.channel import Channel
from p2p.errors import MuxerError
from p2p.memory import MemoryNetwork
from p2p.noise.handshake import NoiseKeys
from p2p.upgrade import Upgrade, Upgraded
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.multistream import encode_message
from p2p.wire.peer_id import PeerId
from p2p.wire.role import Role
from p2p.yamux.events import PayloadReceived, SessionClosed
from p2p.yamux.session import YamuxSession
from tests.p2p.yamux.frames import carrying, opening

HEADER: Final = encode_message("/multistream/1.0.0")
NOISE: Final = encode_message("/noise")
VARINT_4_GIB: Final = bytes.fromhex("ffffffff0f")


def identity_of(name: str) -> Identity:
    return Identity.from_seed(name.encode().ljust(32, b"."))


def proposal(protocol: str) -> bytes:
    """Return what opens a stream of a protocol, without waiting for the answer."""
    return HEADER + encode_message(protocol)


class Stranger:
    """A channel to the victim on which anything can be said; what is answered is kept.

    Attributes:
        heard: every byte of the victim.
        is_cut: whether the victim has ended the channel.
    """

    def __init__(self, channel: Channel) -> None:
        self.heard = bytearray()
        self.is_cut = False
        self._channel = channel

    @classmethod
    async def knock(cls, network: MemoryNetwork, door: Multiaddr, *, ip: str) -> "Stranger":
        """Open a channel to a door; say nothing yet."""
        stranger = cls(await network.host(ip).dial(door))
        stranger._channel.start(stranger)
        return stranger

    def say(self, raw: bytes) -> None:
        self._channel.write(raw)

    def stop_reading(self) -> None:
        self._channel.pause_reading()

    def leave(self) -> None:
        self._channel.abort()

    def bytes_received(self, chunk: bytes) -> None:
        self.heard += chunk

    def writing_resumed(self) -> None:
        """Say whatever is to be said without waiting."""

    def channel_ended(self, error: Exception | None) -> None:
        del error
        self.is_cut = True


class Intruder:
    """A peer with a valid identity that shook hands in order; from then on it says anything.

    Attributes:
        answers: what came on each stream.
        goodbye: the code of the victim's go away, if one came.
    """

    def __init__(self, channel: Channel, identity: Identity, *, expected: PeerId) -> None:
        self.peer_id = identity.peer_id
        self.is_cut = False
        self.goodbye: int | None = None
        self.answers: defaultdict[int, bytes] = defaultdict(bytes)
        self._channel = channel
        dice = Random(identity.peer_id)
        self._upgrade = Upgrade(
            role=Role.DIALER,
            identity=identity,
            keys=NoiseKeys(static=dice.randbytes(32), ephemeral=dice.randbytes(32)),
            expected=expected,
            peer="victim",
        )
        self._outcome: Upgraded | None = None
        self._ready: asyncio.Future[Upgraded] = asyncio.get_running_loop().create_future()
        # It listens to the victim's frames; it does not hold our side to any rule.
        self._session = YamuxSession(role=Role.DIALER, peer="victim")
        self._next_stream_id = 1

    @classmethod
    async def enter(
        cls, network: MemoryNetwork, door: Multiaddr, *, expected: PeerId, name: str, ip: str
    ) -> "Intruder":
        """Come through a door and shake hands."""
        channel = await network.host(ip).dial(door)
        intruder = cls(channel, identity_of(name), expected=expected)
        channel.start(intruder)
        channel.write(intruder._upgrade.start())
        await intruder._ready
        await asyncio.sleep(0.01)
        return intruder

    def say(self, *raws: bytes) -> None:
        """Send yamux frames, or what is none."""
        assert self._outcome is not None
        self._channel.write(self._outcome.sealer.seal(b"".join(raws)))

    def say_bare(self, raw: bytes) -> None:
        """Send bytes that are not encrypted."""
        self._channel.write(raw)

    def say_pieces(self, raws: Iterable[bytes]) -> None:
        """Send each in a segment of its own."""
        for raw in raws:
            self.say(raw)

    def open(self, *firsts: bytes) -> int:
        """Open a stream and say something on it at once."""
        stream_id = self._next_stream_id
        self._next_stream_id += 2
        # Known here as well, so that answers are understood.
        self._session.open_stream()
        self._session.take(1 << 20)
        self.say(opening(stream_id), *(carrying(stream_id, first) for first in firsts))
        return stream_id

    def open_streams(self, count: int, *firsts: bytes) -> None:
        """Open many streams whose answers do not matter."""
        for _ in range(count):
            stream_id = self._next_stream_id
            self._next_stream_id += 2
            self.say(opening(stream_id), *(carrying(stream_id, first) for first in firsts))

    def stop_reading(self) -> None:
        self._channel.pause_reading()

    def leave(self) -> None:
        self._channel.abort()

    def bytes_received(self, chunk: bytes) -> None:
        if self._outcome is None:
            self._channel.write(self._upgrade.receive(chunk))
            self._outcome = self._upgrade.outcome
            if self._outcome is None:
                return
            plaintext = self._outcome.leftover
            self._ready.set_result(self._outcome)
        else:
            plaintext = self._outcome.opener.open(chunk)
        try:
            events = self._session.receive(plaintext)
        except MuxerError:
            # It gets answers to pings that its own session knows nothing of.
            return
        for event in events:
            if isinstance(event, PayloadReceived):
                self.answers[event.stream_id] += event.payload
            elif isinstance(event, SessionClosed):
                self.goodbye = event.code

    def writing_resumed(self) -> None:
        """Say whatever is to be said without waiting."""

    def channel_ended(self, error: Exception | None) -> None:
        del error
        self.is_cut = True
        if not self._ready.done():
            self._ready.set_exception(ConnectionError("the victim hung up"))
