"""What a probe shall do: where to be, whom to meet, and the goals that decide how it ends."""

from dataclasses import dataclass, field
from typing import Final

from p2p.gossip.policy import MessageIdRule, SigningPolicy
from p2p.probe.payload import HEAD_SIZE_BYTES
from p2p.wire.multiaddr import Multiaddr
from primitives.errors import ConfigurationError

DEFAULT_PAYLOAD_SIZE_BYTES: Final = 1024
MESH_VERSIONS: Final = ("1.2", "1.1", "1.0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """What to do with a peer once it is known.

    Attributes:
        pings: how many pings in a row.
        echo_bytes: what is sent through /interop/echo/1.0.0.
        up_bytes: what is sent over /perf/1.0.0.
        down_bytes: what is asked back.
        redials: how often a connection is opened again and closed.
    """

    pings: int = 0
    echo_bytes: int = 0
    up_bytes: int = 0
    down_bytes: int = 0
    redials: int = 0

    @property
    def has_perf(self) -> bool:
        """Tell whether anything goes over /perf/1.0.0."""
        return bool(self.up_bytes or self.down_bytes)

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to do with a peer but to know it."""
        return not (self.pings or self.echo_bytes or self.has_perf)


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipPlan:
    """What to do with topics.

    Attributes:
        publish_count: messages of our own for each topic.
        rate: messages a second; 0 for as fast as the neighbours take them.
        expected_count: messages that have to arrive.
        listeners_min: subscribed neighbours to wait for before the first message.
        settle_s: and how long to wait after that.
        versions: of meshsub, best first.
    """

    topics: tuple[str, ...] = ()
    is_subscriber: bool = True
    publish_count: int = 0
    size_bytes: int = DEFAULT_PAYLOAD_SIZE_BYTES
    rate: float = 0
    expected_count: int = 0
    listeners_min: int = 0
    settle_s: float = 0
    policy: SigningPolicy = SigningPolicy.STRICT_SIGN
    message_id: MessageIdRule = MessageIdRule.SPEC
    versions: tuple[str, ...] = MESH_VERSIONS

    def check(self) -> None:
        """Refuse what cannot be done.

        Raises:
            ConfigurationError: says what contradicts what.
        """
        if self.size_bytes < HEAD_SIZE_BYTES:
            raise ConfigurationError(f"--size takes at least {HEAD_SIZE_BYTES} bytes")
        if not {*self.versions} <= {*MESH_VERSIONS}:
            raise ConfigurationError(f"--versions takes some of {', '.join(MESH_VERSIONS)}")
        is_unsigned = self.policy is SigningPolicy.STRICT_NO_SIGN
        if is_unsigned and self.message_id is MessageIdRule.SPEC:
            raise ConfigurationError("--msgid spec needs the author and number of signed messages")
        if (self.publish_count or self.expected_count) and not self.topics:
            raise ConfigurationError("--publish and --expect need a --topic")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePlan:
    """One run of a probe.

    Attributes:
        dials: addresses that end in a peer id.
        seed: of the peer's key, 32 bytes; None for a fresh one.
        timeout_s: until then the goals have to be met; None to serve until told to stop.
        linger_s: how long to go on serving when they are.
        is_quiet: leave out the line of each message.
    """

    listen: tuple[Multiaddr, ...] = ()
    dials: tuple[Multiaddr, ...] = ()
    seed: bytes | None = None
    timeout_s: float | None = None
    linger_s: float = 0
    is_server: bool = False
    is_quiet: bool = False
    exercise: Exercise = field(default_factory=Exercise)
    gossip: GossipPlan = field(default_factory=GossipPlan)

    def check(self) -> None:
        """Refuse what cannot be done.

        Raises:
            ConfigurationError: says what contradicts what.
        """
        self.gossip.check()
        for address in self.dials:
            if address.peer_id is None:
                raise ConfigurationError(f"{address} does not end in /p2p/ and a peer id")
