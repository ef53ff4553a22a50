"""Publish to topics and hear what others publish: the shell of the gossip router.

Between two peers there are two streams, each written by the side that opened it. RPCs go into the
router in the callback that brings their bytes; what the router has for a peer leaves in one write a
turn of the loop, as long as its stream has room, and waits in the bounded outbox else. Validators
run in tasks of their own, a few of each topic at a time; one that takes too long counts as IGNORE.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from types import TracebackType
from typing import Final, Self, TypeVar, assert_never

import structlog

from p2p.connection import Connection
from p2p.doorway import ip_of
from p2p.errors import PeerTimeoutError, ProtocolsRefusedError
from p2p.gossip.events import (
    AlreadyPublished,
    Deliver,
    DialPeer,
    Disconnect,
    Effect,
    Heartbeat,
    PeerJoined,
    PeerLeft,
    Published,
    ResetStream,
    RpcReceived,
    SubscriptionChanged,
    Validate,
    Validated,
    Wake,
)
from p2p.gossip.parameters import GossipParameters
from p2p.gossip.router import DEFAULT_PARAMETERS, Router
from p2p.gossip.topic import TopicRules
from p2p.gossip_streams import BURST_BYTES, BYTES_PER_S, Ear, Mouth
from p2p.host import Host
from p2p.identify_message import IdentifyMessage
from p2p.stream import Stream
from p2p.task_group import leave
from p2p.token_bucket import TokenBucket
from p2p.validation import Validator, Validators
from p2p.wire.peer_id import PeerId, peer_id_text
from p2p.wire.role import Direction
from primitives.errors import HanseError, PeerError

MESH_PROTOCOLS: Final = ("/meshsub/1.2.0", "/meshsub/1.1.0", "/meshsub/1.0.0")
FIRST_HEARTBEAT_S: Final = 0.1
DIALS_MAX: Final = 8
"""Dials at a time to peers that others named."""
DIALS_WAITING_MAX: Final = 64
"""Dials that wait for their turn; further ones are forgotten, there will be other peers."""
DIAL_TIMEOUT_S: Final = 30.0
MESH_TAG: Final = "mesh"
OPENING_PAUSES_S: Final = (0, 1, 5, 25)
"""Before each time that we open our stream; a peer that gives it up so often does not want it."""

_NS_PER_MS: Final = 1_000_000
_MS_PER_S: Final = 1_000
_log = structlog.get_logger("p2p.pubsub")

NewsT = TypeVar("NewsT", Deliver, SubscriptionChanged)


class PubSub:
    """Topics over a host; use it as an async context manager, inside that of the host.

    Args:
        rules: the topics that are known.
        protocols: the versions of meshsub to speak, best first.
        direct: peers that get and may send everything, outside of meshes and scores.
    """

    def __init__(
        self,
        host: Host,
        rules: Iterable[TopicRules],
        *,
        protocols: Sequence[str] = MESH_PROTOCOLS,
        parameters: GossipParameters = DEFAULT_PARAMETERS,
        direct: Iterable[PeerId] = (),
    ) -> None:
        self._direct = frozenset(direct)
        self.router = Router(
            host.identity,
            rules,
            dice=host.dice,
            parameters=parameters,
            # Numbers rise even over a restart, as in go, js and rust.
            seqno_first=host.clock.wall_ms() * _NS_PER_MS,
            direct=self._direct,
        )
        self._host = host
        self._protocols = tuple(protocols)
        self._parameters = parameters
        self._deliver: dict[str, Callable[[Deliver], None]] = {}
        self._validators = Validators()
        self._subscription_watchers: list[Callable[[SubscriptionChanged], None]] = []
        self._mouths: dict[PeerId, Mouth] = {}
        self._ears: dict[PeerId, Ear] = {}
        self._spoken: dict[PeerId, str] = {}
        # Peers to whom we have opened a stream since they came.
        self._addressed: set[PeerId] = set()
        # Peers that have opened one to us since they came.
        self._heard: set[PeerId] = set()
        self._rates: dict[PeerId, TokenBucket] = {}
        self._awake: dict[PeerId, None] = {}
        self._is_pump_due = False
        self._is_over = False
        self._protected: set[PeerId] = set()
        self._dials = asyncio.Semaphore(DIALS_MAX)
        self._dial_count = 0
        self._tasks = asyncio.TaskGroup()
        self._errands: set[asyncio.Task[None]] = set()
        for protocol in self._protocols:
            host.handle(protocol, self._hear, streams_max=2)
        host.watch(self)
        host.score_of = self.router.score

    async def __aenter__(self) -> Self:
        """Start the heartbeat."""
        await self._tasks.__aenter__()
        self._beating = self._tasks.create_task(self._beat(), name="gossip heartbeat")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the heartbeat, every validator and every dial."""
        self._is_over = True
        self._beating.cancel()
        for errand in self._errands:
            errand.cancel()
        await leave(self._tasks, kind, error, trace)

    def watch_subscriptions(self, watcher: Callable[[SubscriptionChanged], None]) -> None:
        """Tell a watcher which peers subscribe to known topics and leave them."""
        self._subscription_watchers.append(watcher)

    def validate(self, topic: str, validator: Validator) -> None:
        """Name the validator of a topic whose rules ask for one.

        Raises:
            ConfigurationError: it has one.
        """
        self._validators.add(topic, validator)

    def subscribe(self, topic: str, deliver: Callable[[Deliver], None]) -> None:
        """Hear a topic from now on.

        `deliver` is called from the event loop; what it raises is logged and harms nobody.

        Raises:
            LocalProtocolError: an unknown topic.
        """
        effects = self.router.subscribe(topic, now_ms=self._now_ms)
        self._deliver[topic] = deliver
        self._carry_out(effects)

    def unsubscribe(self, topic: str) -> None:
        """Hear a topic no longer.

        Raises:
            LocalProtocolError: an unknown topic.
        """
        self._deliver.pop(topic, None)
        self._carry_out(self.router.unsubscribe(topic, now_ms=self._now_ms))

    def publish(self, topic: str, payload: bytes) -> int | None:
        """Send a message; return to how many peers it goes, or None if it was sent before.

        Raises:
            LocalProtocolError: an unknown topic, or a payload that is too large for it.
        """
        effects = self.router.publish(topic, payload, now_ms=self._now_ms)
        self._carry_out(effects)
        for effect in effects:
            if isinstance(effect, Published):
                return effect.peer_count
        return None

    async def drained(self) -> None:
        """Wait until what was published is in the streams, for a publisher in a hurry."""
        self._pump_all()
        for mouth in tuple(self._mouths.values()):
            await mouth.drained()

    def peer_connected(self, connection: Connection) -> None:
        """Open our stream to a new peer."""
        connection.start_task(self._speak(connection), name="gossip")

    def peer_identified(self, peer_id: PeerId, message: IdentifyMessage) -> None:
        """Keep the signed record of a peer for others; speak to one that has learned gossip."""
        stored = self._host.peers.get(peer_id)
        if stored is not None and stored.envelope:
            self.router.remember_record(peer_id, stored.envelope)
        connection = self._host.connections.of(peer_id)
        knows_gossip = not set(self._protocols).isdisjoint(message.protocols)
        if knows_gossip and peer_id not in self._mouths and connection is not None:
            connection.start_task(self._speak(connection), name="gossip")

    def peer_disconnected(self, peer_id: PeerId) -> None:
        """Forget a peer, but for its score."""
        self._mouths.pop(peer_id, None)
        self._ears.pop(peer_id, None)
        self._addressed.discard(peer_id)
        self._heard.discard(peer_id)
        self._rates.pop(peer_id, None)
        self._protected.discard(peer_id)
        self._host.connections.unprotect(peer_id, MESH_TAG)
        if self._spoken.pop(peer_id, None) is not None:
            self._carry_out(self.router.handle(PeerLeft(peer_id), now_ms=self._now_ms))

    @property
    def _now_ms(self) -> int:
        return self._host.clock.monotonic_ms()

    async def _speak(self, connection: Connection) -> None:
        """Open our stream, again if the peer gives it up, or on another connection."""
        peer_id = connection.peer_id
        for pause_s in OPENING_PAUSES_S:
            if pause_s and connection.is_open:
                await asyncio.sleep(pause_s)
            if peer_id in self._mouths or not connection.is_open:
                break
            if not await self._speak_once(connection):
                return
        other = self._host.connections.of(peer_id)
        if other is not None and other is not connection:
            other.start_task(self._speak(other), name="gossip")

    async def _speak_once(self, connection: Connection) -> bool:
        """Write what the router has for the peer, until it is gone; tell whether to try again."""
        peer_id = connection.peer_id
        # Claimed before the first await: identify may ask for a stream meanwhile.
        mouth = self._mouths[peer_id] = Mouth(self.router, peer_id)
        try:
            stream = await connection.open_stream(self._protocols)
            mouth.open(stream)
            self._join(stream, is_again=peer_id in self._addressed)
            self._addressed.add(peer_id)
            self._pump(peer_id)
            await mouth.run()
        except ProtocolsRefusedError:
            return False
        except PeerTimeoutError as error:
            # It would pin what waits for it, for as long as it likes.
            connection.abort(error)
        except PeerError as error:
            self._host.blame(peer_id, error)
        finally:
            mouth.close()
            if self._mouths.get(peer_id) is mouth:
                del self._mouths[peer_id]
        return True

    async def _hear(self, stream: Stream) -> None:
        """Take what a peer writes; its newest stream counts, the one before is given up."""
        before = self._ears.get(stream.peer_id)
        if before is not None:
            before.give_up()
        ear = Ear(
            stream,
            receive=self._receive,
            charge=self._charge,
            now_ms=self._host.clock.monotonic_ms,
            rate=self._rate_of(stream.peer_id),
        )
        self._ears[stream.peer_id] = ear
        self._join(stream, is_again=stream.peer_id in self._heard)
        self._heard.add(stream.peer_id)
        try:
            await ear.run()
        finally:
            if self._ears.get(stream.peer_id) is ear:
                del self._ears[stream.peer_id]

    def _rate_of(self, peer_id: PeerId) -> TokenBucket:
        rate = self._rates.get(peer_id)
        if rate is None:
            rate = TokenBucket(per_s=BYTES_PER_S, burst=BURST_BYTES, now_ms=self._now_ms)
            self._rates[peer_id] = rate
        return rate

    def _join(self, stream: Stream, *, is_again: bool = False) -> None:
        """Tell the router of a peer once for each version it turns out to speak.

        A stream that replaces a lost one counts anew. If it is ours, what was under way is lost;
        if it is theirs, a go peer has forgotten us. So the router announces our topics again.
        """
        peer_id = stream.peer_id
        is_ours = peer_id in self._mouths and self._mouths[peer_id].is_stream(stream)
        spoken = self._spoken.get(peer_id)
        is_news = spoken is None or is_again or (is_ours and spoken != stream.protocol)
        if not is_news:
            return
        # Their further streams say nothing about ours.
        protocol = stream.protocol if is_ours or spoken is None else spoken
        self._spoken[peer_id] = protocol
        connection = self._host.connections.of(peer_id)
        direction = Direction.INBOUND if connection is None else connection.direction
        joined = PeerJoined(peer_id, protocol, direction, ip_of(stream.remote))
        self._carry_out(self.router.handle(joined, now_ms=self._now_ms))

    def _receive(self, peer_id: PeerId, raw: bytes) -> None:
        event = RpcReceived(peer_id, raw)
        self._carry_out(self.router.handle(event, now_ms=self._now_ms))

    def _charge(self, peer_id: PeerId, count: int) -> None:
        self.router.report_misbehaviour(peer_id, count=count)

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Wake(peer_id=peer_id):
                    self._awake[peer_id] = None
                case Deliver():
                    deliver = self._deliver.get(effect.message.topic)
                    if deliver is not None:
                        _tell(deliver, effect)
                case _:
                    self._carry_out_rare(effect)
        if self._awake and not self._is_pump_due:
            self._is_pump_due = True
            asyncio.get_running_loop().call_soon(self._pump_all)

    def _carry_out_rare(self, effect: Effect) -> None:
        match effect:
            case Validate():
                self._start(self._judge(effect), name="validate")
            case SubscriptionChanged():
                for watcher in self._subscription_watchers:
                    _tell(watcher, effect)
            case DialPeer():
                if self._dial_count < DIALS_WAITING_MAX:
                    self._dial_count += 1
                    self._start(self._dial(effect), name="dial")
            case ResetStream(peer_id=peer_id):
                ear = self._ears.get(peer_id)
                if ear is not None:
                    ear.give_up()
            case Disconnect(peer_id=peer_id, reason=reason):
                _log.warning("peer banned", peer=peer_id_text(peer_id), reason=reason)
                self._host.ban(peer_id, reason=reason)
            case Published() | AlreadyPublished() | Wake() | Deliver():
                pass
            case _:
                assert_never(effect)

    def _start(self, work: Coroutine[None, None, None], *, name: str) -> None:
        if self._is_over:
            work.close()
        else:
            errand = self._tasks.create_task(work, name=name)
            self._errands.add(errand)
            errand.add_done_callback(self._errands.discard)

    def _pump_all(self) -> None:
        self._is_pump_due = False
        awake, self._awake = self._awake, {}
        for peer_id in awake:
            self._pump(peer_id)

    def _pump(self, peer_id: PeerId) -> None:
        mouth = self._mouths.get(peer_id)
        if mouth is not None:
            mouth.pump()

    async def _judge(self, effect: Validate) -> None:
        message = effect.message
        verdict = await self._validators.judge(message, effect.sender)
        settled = Validated(message.id, verdict)
        self._carry_out(self.router.handle(settled, now_ms=self._now_ms))

    async def _dial(self, effect: DialPeer) -> None:
        host = self._host
        try:
            async with self._dials, asyncio.timeout(DIAL_TIMEOUT_S):
                if effect.envelope:
                    host.peers.add_record(effect.envelope, now_ms=host.clock.wall_ms())
                await host.connect(effect.peer_id)
        except (TimeoutError, HanseError) as error:
            _log.debug("peer of a peer", peer=peer_id_text(effect.peer_id), reason=str(error))
        finally:
            self._dial_count -= 1

    async def _beat(self) -> None:
        await asyncio.sleep(FIRST_HEARTBEAT_S)
        while True:
            self._carry_out(self.router.handle(Heartbeat(), now_ms=self._now_ms))
            self._protect_mesh()
            await asyncio.sleep(self._parameters.heartbeat_ms / _MS_PER_S)

    def _protect_mesh(self) -> None:
        """Spare the peers of our meshes, and direct ones, from trims."""
        wanted = set(self._direct)
        for topic in self._deliver:
            wanted.update(self.router.mesh_peers(topic))
        for peer_id in wanted - self._protected:
            self._host.connections.protect(peer_id, MESH_TAG)
        for peer_id in self._protected - wanted:
            self._host.connections.unprotect(peer_id, MESH_TAG)
        self._protected = wanted


def _tell(callback: Callable[[NewsT], None], news: NewsT) -> None:
    """Call the application; its bug must cost neither the peer that spoke nor the effects left."""
    try:
        callback(news)
    except Exception:  # noqa: BLE001 - this is the supervisor of the application's callbacks
        _log.exception("callback crashed", news=type(news).__name__)
