"""What one client and all clients together may ask of a node; every bound has its name here.

The buckets of clients are kept for as many addresses as fit; a client that is pushed out starts
with a full bucket, which is less than it could have by asking slowly.
"""

import ipaddress
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Final

from p2p.token_bucket import TokenBucket

CLIENTS_MAX: Final = 4_096
_IPV6_PREFIX_BITS: Final = 64
_LOOPBACK_IPV6: Final = "::/64"
_SHARE_ONE_IN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcLimits:
    """The bounds of one server.

    Args:
        body_bytes_max: of a JSON body.
        blob_bytes_max: of a blob that is uploaded; it streams to a file.
        uploads_bytes_max: of all that is uploaded at a time; half of it for one account.
        head_bytes_max: of the request line and all headers.
        connections_max: at a time; one more is closed at once.
        connections_per_client_max: of one address.
        connections_kept: of those at a time, for loopback alone: whoever fills the others must not
            keep the operator and the probes of this machine out.
        deadline_ms: from the head of a request to the last byte of its answer.
        transfer_deadline_ms: the same, for blobs and files.
        idle_ms: for the first request of a connection, or the next one.
        rate_per_s: requests of one client address; costly routes count as several.
        burst: requests that a client may have saved up.
        streams_max: WebSockets at a time; see `Quota`.
        subscriptions_max: over all of them; see `Quota`.
        readers_max: threads that read the state.
    """

    body_bytes_max: int = 1 << 20
    blob_bytes_max: int = 512 << 20
    uploads_bytes_max: int = 1 << 30
    head_bytes_max: int = 16 << 10
    connections_max: int = 256
    connections_per_client_max: int = 128
    connections_kept: int = 32
    deadline_ms: int = 10_000
    transfer_deadline_ms: int = 600_000
    idle_ms: int = 10_000
    rate_per_s: int = 100
    burst: int = 400
    streams_max: int = 128
    subscriptions_max: int = 1_024
    readers_max: int = 2


def client_of(peername: object) -> str:
    """Return who shares one bucket: an IPv4 address, or the /64 of an IPv6 address."""
    host = peername[0] if isinstance(peername, tuple) and peername else "unix"
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return str(host)
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    network = ipaddress.ip_network((address, _IPV6_PREFIX_BITS), strict=False)
    return str(network)


def is_loopback(client: str) -> bool:
    """Tell whether a client is on this machine; the argument is what `client_of` returns."""
    return client.startswith("127.") or client == _LOOPBACK_IPV6


class Quota:
    """What all clients may hold together; one elsewhere a quarter of it, those on loopback all.

    On loopback there are the explorer pages of the operator, or a proxy that counts for itself.
    """

    def __init__(self, size_max: int) -> None:
        self._size_max = size_max
        self._held: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """Return how much is held."""
        return self._held.total()

    def take(self, client: str) -> bool:
        """Take one for a client; tell whether it was there."""
        share = self._size_max if is_loopback(client) else -(-self._size_max // _SHARE_ONE_IN)
        if self.taken >= self._size_max or self._held[client] >= share:
            return False
        self._held[client] += 1
        return True

    def give_back(self, client: str, count: int = 1) -> None:
        """Return some that a client held."""
        self._held[client] -= count
        if not self._held[client]:
            del self._held[client]


class ClientRates:
    """One token bucket per client."""

    def __init__(self, *, per_s: int, burst: int, clients_max: int = CLIENTS_MAX) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clients_max = clients_max
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        """Return for how many clients there is a bucket."""
        return len(self._buckets)

    def admits(self, client: str, *, cost: int, now_ms: int) -> bool:
        """Take the cost of a request from the client's bucket; tell whether it was there."""
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = TokenBucket(per_s=self._per_s, burst=self._burst, now_ms=now_ms)
            self._buckets[client] = bucket
            if len(self._buckets) > self._clients_max:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(client)
        return bucket.has(min(cost, self._burst), now_ms=now_ms)
