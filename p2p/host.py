"""One peer among peers: it listens, dials, serves protocols, and knows who is connected.

The host owns every connection and every task that serves one: leaving `async with` says goodbye to
all and leaves nothing running. A peer that breaks a protocol loses its connection and earns a
strike; too many end in a ban for a while. Services such as gossip watch who comes and goes.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Protocol, Self

import structlog

from p2p.bans import BanList
from p2p.channel import Channel, Transport
from p2p.connection import Connection
from p2p.connection_table import ConnectionTable
from p2p.dialer import Dialer
from p2p.dice import Dice
from p2p.doorway import Doorway
from p2p.errors import ConnectionLostError, DialError
from p2p.gate import Gate, Refusal
from p2p.handlers import Handlers, StreamHandler
from p2p.identify import Introductions
from p2p.identify_message import IDENTIFY_PROTOCOL, PUSH_PROTOCOL, IdentifyMessage
from p2p.limits import Limits, TimeLimits
from p2p.peer_store import PeerStore, StoredPeer
from p2p.penalties import BAN_MS, Penalties
from p2p.portrait import Features, Portrait
from p2p.stream import Stream
from p2p.task_group import leave
from p2p.upgrader import Upgrader
from p2p.usage import UsageTable
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId, peer_id_text
from p2p.wire.role import Direction, Role
from primitives.clock import Clock
from primitives.errors import ConfigurationError, HanseError, PeerError, RemoteProtocolError

TEND_INTERVAL_S: Final = 1.0
TRIAL_MS: Final = 5_000
"""Who does not say who it is, but keeps a connection that we dialled for so long, has room for us;
one that ends before counts as a dial that failed."""
PUSH_PAUSE_MS: Final = 6_000
"""Between two pushes: a peer like us ignores one that follows the last within 5 s."""

_log = structlog.get_logger("p2p.host")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """What an operator may choose.

    Attributes:
        agent_version: "name/version", as identify shows it.
        protocol_version: "<chain>/<network id>/<version>", as identify shows it.
        announce: where peers are told to reach us; empty: where we listen and where they see us.
    """

    limits: Limits = field(default_factory=Limits)
    times: TimeLimits = field(default_factory=TimeLimits)
    agent_version: str = "hanse"
    protocol_version: str = "hanse/1"
    announce: tuple[Multiaddr, ...] = ()


DEFAULT_SETTINGS: Final = HostSettings()


class HostWatcher(Protocol):
    """Who wants to know which peers come and go; the calls come from the event loop."""

    def peer_connected(self, connection: Connection) -> None:
        """Learn of the first connection to a peer, before any of its streams is served."""
        ...

    def peer_disconnected(self, peer_id: PeerId) -> None:
        """Learn that the last connection to a peer ended."""
        ...

    def peer_identified(self, peer_id: PeerId, message: IdentifyMessage) -> None:
        """Learn what a peer says it is; may be called again when that changes."""
        ...


class Host:
    """A libp2p peer; use it as an async context manager.

    Args:
        identity: who we are.
        transports: how to reach others; the first that can reach an address is used.
        dice: a source of secrets, except where a test wants the same ones every time.
        peers: those of the last run, see `peer_file`; without them nobody is known.

    Attributes:
        score_of: what a peer is worth when connections have to go; higher stays.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        transports: Sequence[Transport],
        clock: Clock,
        dice: Dice,
        settings: HostSettings = DEFAULT_SETTINGS,
        peers: PeerStore | None = None,
    ) -> None:
        self.identity = identity
        self.clock = clock
        self.dice = dice
        self.limits = settings.limits
        self.times = settings.times
        self.bans = BanList()
        self.usages = UsageTable()
        self.peers = PeerStore(identity.peer_id) if peers is None else peers
        self.connections = ConnectionTable(identity.peer_id, self.limits)
        self.handlers = Handlers(self.limits, self.times, self.usages)
        self.score_of: Callable[[PeerId], float] = lambda _: 0.0
        self._addresses_told = settings.announce
        self.introductions = self._introductions_for(settings)
        self._transports = tuple(transports)
        self._penalties = Penalties(self.bans, self.connections, clock=clock)
        self._dialer = Dialer(
            self.limits,
            self.times,
            clock=clock,
            can_reach=lambda address: self._transport_for(address) is not None,
            dial=self._dial_address,
        )
        # Connections that we dialled and the peer may still throw out, as one does that is full.
        self._on_trial: set[Connection] = set()
        self._watchers: list[HostWatcher] = []
        self._tasks = asyncio.TaskGroup()
        self._doorway = Doorway(
            Gate(self.limits, self.bans),
            self._tasks,
            clock=clock,
            connections=self.connections,
            visit=self._visit,
            strike=self._penalties.strike_address,
        )
        self._announced: set[PeerId] = set()
        self._upgrader = Upgrader(
            identity,
            clock=clock,
            dice=dice,
            limits=self.limits,
            times=self.times,
            usages=self.usages,
        )
        self.handlers.add(IDENTIFY_PROTOCOL, self.introductions.answer, streams_max=2)
        self.handlers.add(PUSH_PROTOCOL, self.introductions.take_push, streams_max=2)

    def _introductions_for(self, settings: HostSettings) -> Introductions:
        portrait = Portrait(
            self.identity,
            clock=self.clock,
            agent_version=settings.agent_version,
            protocol_version=settings.protocol_version,
            features=self._features,
        )
        return Introductions(
            portrait.describe,
            clock=self.clock,
            told=self._told,
            connection_of=self.connections.of,
            blame=self.blame,
        )

    @property
    def peer_id(self) -> PeerId:
        """Who we are."""
        return self.identity.peer_id

    @property
    def addresses(self) -> tuple[Multiaddr, ...]:
        """Where we listen, without our peer id."""
        return self._doorway.addresses

    @property
    def refusals(self) -> Counter[Refusal]:
        """Inbound connections that were not let in, by reason."""
        return self._doorway.refusals

    async def __aenter__(self) -> Self:
        """Start tending connections."""
        await self._tasks.__aenter__()
        self._tending = self._tasks.create_task(self._tend(), name="tend connections")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening, say goodbye to all peers, and wait for every task."""
        self._upgrader.close()
        self._tending.cancel()
        await self._doorway.close()
        async with asyncio.TaskGroup() as goodbyes:
            for connection in self.connections:
                goodbyes.create_task(connection.close(), name="goodbye")
        await leave(self._tasks, kind, error, trace)

    def watch(self, watcher: HostWatcher) -> None:
        """Tell a watcher who comes and goes from now on."""
        self._watchers.append(watcher)

    def handle(
        self, protocol: str, handler: StreamHandler, *, streams_max: int | None = None
    ) -> None:
        """Answer a protocol.

        Raises:
            ConfigurationError: it is answered already.
        """
        self.handlers.add(protocol, handler, streams_max=streams_max)

    async def listen(self, address: Multiaddr) -> tuple[Multiaddr, ...]:
        """Open a door and return where it really is.

        Raises:
            ConfigurationError: we cannot listen there.
        """
        transport = self._transport_for(address)
        if transport is None:
            raise ConfigurationError(f"no transport reaches {address}; use /ip4/.../tcp/...")
        return await self._doorway.open(transport, address)

    async def connect(self, peer_id: PeerId, addresses: Sequence[Multiaddr] = ()) -> Connection:
        """Return a connection to a peer, an open one or a new one.

        Args:
            peer_id: who has to answer.
            addresses: where it may be; without any, those in the peer store.

        Raises:
            DialError: it cannot be reached, is left alone after failures, or is banned.
        """
        open_connection = self.connections.of(peer_id)
        if open_connection is not None and open_connection.is_open:
            return open_connection
        self._penalties.check(peer_id)
        known = self.peers.get(peer_id)
        if addresses and not (known is not None and set(addresses) <= set(known.addresses)):
            self.peers.add_addresses(peer_id, tuple(addresses), now_ms=self.clock.wall_ms())
        places = tuple(addresses) or (known.addresses if known is not None else ())
        is_left_alone = self._dialer.wait_ms(peer_id) > 0
        try:
            return await self._dialer.dial(peer_id, places)
        except DialError:
            if not is_left_alone:
                self.peers.failed(peer_id)
            raise

    def may_dial(self, peer: StoredPeer) -> bool:
        """Tell whether a dial makes sense now: not banned, not left alone, and within reach."""
        now_ms = self.clock.monotonic_ms()
        return (
            not self.bans.is_banned(peer.peer_id, now_ms=now_ms)
            and not self._dialer.wait_ms(peer.peer_id)
            and any(
                transport.can_reach(address)
                for transport in self._transports
                for address in peer.addresses
            )
        )

    async def open_stream(self, peer_id: PeerId, protocols: Sequence[str]) -> Stream:
        """Open a stream to a peer, connecting first if need be.

        Raises:
            PeerError: as `connect` and `Connection.open_stream`.
        """
        connection = await self.connect(peer_id)
        return await connection.open_stream(protocols)

    async def disconnect(self, peer_id: PeerId) -> None:
        """Say goodbye to a peer on all its connections."""
        for connection in tuple(self.connections):
            if connection.peer_id == peer_id:
                await connection.close()

    def ban(self, peer_id: PeerId, *, reason: str, duration_ms: int = BAN_MS) -> None:
        """Cut a peer off and refuse it for a while; an address of several such peers as well."""
        self._penalties.ban(peer_id, reason=reason, duration_ms=duration_ms)

    def blame(self, peer_id: PeerId, error: PeerError) -> None:
        """Note what a peer did; breaking protocols too often ends in a ban."""
        self._penalties.blame(peer_id, error)

    def _transport_for(self, address: Multiaddr) -> Transport | None:
        for transport in self._transports:
            if transport.can_reach(address):
                return transport
        return None

    async def _visit(self, channel: Channel, upgraded: Callable[[], None]) -> None:
        try:
            connection = await self._upgrader.upgrade(
                channel, Role.LISTENER, check=self._check_welcome
            )
        finally:
            upgraded()
        self.connections.add(connection)
        await self._run(connection)

    async def _dial_address(self, address: Multiaddr, peer_id: PeerId) -> Connection:
        transport = self._transport_for(address)
        if transport is None:
            raise DialError("no transport reaches it", peer=str(address))
        channel = await transport.dial(address.without_peer())
        connection = await self._upgrader.upgrade(
            channel, Role.DIALER, expected=peer_id, check=self._check_welcome
        )
        self.connections.add(connection)
        self._tasks.create_task(self._run(connection), name=f"run {peer_id_text(peer_id)}")
        return connection

    def _check_welcome(self, peer_id: PeerId) -> None:
        peer = peer_id_text(peer_id)
        if peer_id == self.peer_id:
            raise DialError("we reached ourselves", peer=peer)
        self._penalties.check(peer_id)
        if self.connections.count(peer_id) >= self.limits.connections_per_peer:
            raise DialError("there are too many connections to this peer", peer=peer)

    async def _run(self, connection: Connection) -> None:
        try:
            await connection.run(self._serve, begun=self._begin)
        except Exception:  # noqa: BLE001 - this is the supervisor of one connection
            # A bug that one peer found must not take the others down with it.
            _log.exception("connection crashed", peer=peer_id_text(connection.peer_id))
        finally:
            self._end(connection)

    def _begin(self, connection: Connection) -> None:
        peer_id = connection.peer_id
        if connection.direction is Direction.OUTBOUND:
            self._on_trial.add(connection)
        else:
            self.peers.answered(peer_id, now_ms=self.clock.wall_ms())
        connection.backlogged = self._make_room
        connection.start_task(self._introduce(connection), name="identify")
        # The table may hold a second connection already, whose task has not begun.
        if peer_id not in self._announced:
            self._announced.add(peer_id)
            for watcher in self._watchers:
                watcher.peer_connected(connection)

    def _make_room(self) -> None:
        for connection in self.connections.hoarders():
            peer = peer_id_text(connection.peer_id)
            connection.abort(ConnectionLostError("it holds too much that is unread", peer=peer))

    def _end(self, connection: Connection) -> None:
        peer_id = connection.peer_id
        error = connection.error
        if isinstance(error, RemoteProtocolError):
            self.blame(peer_id, error)
        is_last = self.connections.remove(connection)
        if connection in self._on_trial:
            if is_last and not connection.is_closed_here:
                self._on_trial.discard(connection)
                self._dialer.failed(peer_id)
                self.peers.failed(peer_id)
            self._accept_dialled(connection)
        if is_last:
            self._announced.discard(peer_id)
            self.introductions.forget(peer_id)
            for watcher in self._watchers:
                watcher.peer_disconnected(peer_id)

    def _accept_dialled(self, connection: Connection) -> None:
        """Count a dial as a success, once the peer has shown that it keeps us."""
        if connection in self._on_trial:
            self._on_trial.discard(connection)
            self._dialer.succeeded(connection.peer_id)
            self.peers.answered(connection.peer_id, now_ms=self.clock.wall_ms())
            self.peers.reached(connection.peer_id)

    async def _introduce(self, connection: Connection) -> None:
        try:
            await self.introductions.ask(connection)
            self._accept_dialled(connection)
        except PeerError as error:
            self.blame(connection.peer_id, error)

    async def _serve(self, stream: Stream) -> None:
        try:
            await self.handlers.serve(stream)
        except PeerError as error:
            self.blame(stream.peer_id, error)

    def _told(self, peer_id: PeerId, message: IdentifyMessage) -> None:
        now_ms = self.clock.wall_ms()
        if message.signed_record is not None:
            # A bad record is no reason to lose a peer: old versions sign under other names.
            with suppress(HanseError):
                self.peers.add_record(message.signed_record, subject=peer_id, now_ms=now_ms)
        # After the record, which names only what everybody can reach and replaces what we knew.
        self.peers.add_addresses(peer_id, message.addresses, now_ms=now_ms)
        for watcher in self._watchers:
            watcher.peer_identified(peer_id, message)

    def _features(self) -> Features:
        if self._addresses_told:
            return Features(self.handlers.protocols, self._addresses_told, ())
        return Features(
            self.handlers.protocols, self.addresses, self.introductions.observed.credible
        )

    async def _push(self, connection: Connection) -> None:
        try:
            await self.introductions.push(connection)
        except PeerError as error:
            self.blame(connection.peer_id, error)

    async def _tend(self) -> None:
        told, told_ms = self._features(), self.clock.monotonic_ms()
        while True:
            await asyncio.sleep(TEND_INTERVAL_S)
            now_ms = self.clock.monotonic_ms()
            features = self._features()
            if features != told and now_ms - told_ms >= PUSH_PAUSE_MS:
                told, told_ms = features, now_ms
                for peer_id in self.connections.peers:
                    connection = self.connections.of(peer_id)
                    if connection is not None:
                        connection.start_task(self._push(connection), name="push")
            for connection in tuple(self._on_trial):
                if now_ms - connection.began_ms >= TRIAL_MS:
                    self._accept_dialled(connection)
            for connection in self.connections.duplicates(now_ms=now_ms):
                connection.start_task(connection.close(), name="close duplicate")
            for connection in self.connections.surplus(now_ms=now_ms, score_of=self.score_of):
                connection.start_task(connection.close(), name="trim")
