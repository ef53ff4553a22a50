"""Say what we are to the peer at the other end of a stream or connection."""

from collections.abc import Callable
from typing import Final, NamedTuple

from p2p.connection import Connection
from p2p.identify_message import IdentifyMessage
from p2p.stream import Stream
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.records import PeerRecord
from primitives.clock import Clock

_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, not bound


class Features(NamedTuple):
    """What of us may change while peers are connected.

    Attributes:
        listening: where we listen; may hold wildcards.
        observed: where enough peers see us.
    """

    protocols: tuple[str, ...]
    listening: tuple[Multiaddr, ...]
    observed: tuple[Multiaddr, ...]


class Portrait:
    """Our identify message, drawn anew for each peer, since each may know us by another address."""

    def __init__(
        self,
        identity: Identity,
        *,
        clock: Clock,
        agent_version: str,
        protocol_version: str,
        features: Callable[[], Features],
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._agent_version = agent_version
        self._protocol_version = protocol_version
        self._features = features
        self._record: tuple[tuple[Multiaddr, ...], bytes] | None = None

    def describe(self, end: Stream | Connection) -> IdentifyMessage:
        """Return our message for the peer at the other end."""
        features = self._features()
        addresses = _announced(features, end.local)
        return IdentifyMessage(
            public_key=self._identity.public_key_protobuf,
            addresses=addresses,
            protocols=features.protocols,
            observed=end.remote,
            protocol_version=self._protocol_version,
            agent_version=self._agent_version,
            signed_record=self._signed_record(addresses),
        )

    def _signed_record(self, addresses: tuple[Multiaddr, ...]) -> bytes:
        if self._record is None or self._record[0] != addresses:
            record = PeerRecord(self._identity.peer_id, self._clock.wall_ms(), addresses)
            self._record = (addresses, record.seal(self._identity))
        return self._record[1]


def _announced(features: Features, local: Multiaddr) -> tuple[Multiaddr, ...]:
    """Return where others may find us: a wildcard stands for where this connection ends."""
    own = local.tcp
    announced = [*features.observed]
    for address in features.listening:
        endpoint = address.tcp
        if endpoint is not None and own is not None and endpoint.host in _WILDCARDS:
            announced.append(Multiaddr.of_tcp(own.host, endpoint.port))
        else:
            announced.append(address)
    return tuple(dict.fromkeys(announced))
