"""Say what we are to the peer at the other end of a stream or connection."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from p2p.doorway import ip_of
from p2p.gate import is_loopback
from p2p.identify_message import IdentifyMessage
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.records import PeerRecord
from primitives.clock import Clock

OWN_HOSTS_MAX: Final = 8
"""Addresses of our own machine that a record may name."""

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


class End(Protocol):
    """Our end of a stream or connection."""

    @property
    def local(self) -> Multiaddr:
        """Where it is on this machine."""
        ...

    @property
    def remote(self) -> Multiaddr:
        """Where the other end is."""
        ...


class Portrait:
    """Our identify message, drawn anew for each peer, since each may know us by another address.

    The signed record is the same for all of them, for they hand it on: it names every address of
    ours that a connection ended at, and loopback only if there is nothing else.
    """

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
        self._own_hosts: list[str] = []
        self._record_seq = 0
        self._record: tuple[tuple[Multiaddr, ...], bytes] | None = None

    def describe(self, end: End) -> IdentifyMessage:
        """Return our message for the peer at the other end."""
        features = self._features()
        own = end.local.tcp
        here = [] if own is None else [own.host]
        self._own_hosts += [
            host for host in here[: OWN_HOSTS_MAX - len(self._own_hosts)] if self._is_news(host)
        ]
        return IdentifyMessage(
            public_key=self._identity.public_key_protobuf,
            addresses=_announced(features, here),
            protocols=features.protocols,
            observed=end.remote,
            protocol_version=self._protocol_version,
            agent_version=self._agent_version,
            signed_record=self._signed_record(_for_all(_announced(features, self._own_hosts))),
        )

    def _is_news(self, host: str) -> bool:
        return host not in self._own_hosts and host not in _WILDCARDS

    def _signed_record(self, addresses: tuple[Multiaddr, ...]) -> bytes:
        if self._record is None or self._record[0] != addresses:
            self._record_seq = max(self._record_seq + 1, self._clock.wall_ms())
            record = PeerRecord(self._identity.peer_id, self._record_seq, addresses)
            self._record = (addresses, record.seal(self._identity))
        return self._record[1]


def _announced(features: Features, own_hosts: Sequence[str]) -> tuple[Multiaddr, ...]:
    """Return where others may find us: a wildcard stands for each of our hosts."""
    announced = [*features.observed]
    for address in features.listening:
        endpoint = address.tcp
        if endpoint is not None and own_hosts and endpoint.host in _WILDCARDS:
            announced += [Multiaddr.of_tcp(host, endpoint.port) for host in own_hosts]
        else:
            announced.append(address)
    return tuple(dict.fromkeys(announced))


def _for_all(addresses: tuple[Multiaddr, ...]) -> tuple[Multiaddr, ...]:
    """Return the addresses that lead to us from elsewhere, or all if there is none."""
    hosts = [(address, ip_of(address)) for address in addresses]
    elsewhere = [address for address, host in hosts if not (is_loopback(host) and host)]
    return tuple(elsewhere) or addresses
