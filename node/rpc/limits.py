"""What one client and all clients together may ask of a node; every bound has its name here.

The buckets of clients are kept for as many addresses as fit; a client that is pushed out starts
with a full bucket, which is less than it could have by asking slowly.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from p2p.token_bucket import TokenBucket

CLIENTS_MAX: Final = 4_096
_IPV6_PREFIX_BITS: Final = 64


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
        deadline_ms: from the head of a request to the last byte of its answer.
        transfer_deadline_ms: the same, for blobs and files.
        idle_ms: for the first request of a connection, or the next one.
        rate_per_s: requests of one client address; costly routes count as several.
        burst: requests that a client may have saved up.
        streams_max: WebSockets at a time.
        subscriptions_max: over all of them.
        readers_max: threads that read the state.
    """

    body_bytes_max: int = 1 << 20
    blob_bytes_max: int = 512 << 20
    uploads_bytes_max: int = 1 << 30
    head_bytes_max: int = 16 << 10
    connections_max: int = 256
    connections_per_client_max: int = 128
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
