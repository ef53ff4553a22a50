"""Name every bound of the shell: what one peer, one address and all of them together may take.

The numbers are those that go-libp2p, js-libp2p and public networks run with, or tighter. The bounds
of a machine stand beside it: frames in `yamux`, messages in `gossip`.
"""

from dataclasses import dataclass
from typing import Final

MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one host.

    Attributes:
        connections_low: a trim brings the number of connections down to this.
        connections_high: above this a trim starts.
        connections_max: above this nobody is let in, however fast they come.
        outbound_reserve: connections that we chose ourselves and a trim leaves alone.
        grace_s: a connection younger than this is not trimmed.
        inbound_per_ip: open inbound connections from one address; loopback is exempt.
        inbound_per_subnet: the same for one /24 (IPv6: /48).
        accepts_per_s: new inbound connections a second from one address; loopback is exempt.
        pending_upgrades: inbound connections in their handshake at a time.
        inbound_streams: handlers of one connection that run at a time.
        inbound_streams_per_protocol: the same for one protocol.
        dials: dials at a time.
        connections_per_peer: further ones are closed at once.
        duplicate_grace_s: how long two connections to one peer live beside each other.
        streams_per_s: streams that one connection may open in the long run; more are reset, and
            who goes on for `OPENINGS_OVERDRAFT_MS` loses the connection.
        streams_burst: streams it may open at once.
        unread_bytes_max: what all connections together sent us and nobody has read; who holds most
            of it loses the connection. One alone may hold `YamuxLimits.unread_bytes_max`.
        bytes_per_s: what one connection may send us in the long run; faster ones are slowed down.
        burst_bytes: what it may send at once.
    """

    connections_low: int = 64
    connections_high: int = 96
    connections_max: int = 128
    outbound_reserve: int = 24
    grace_s: float = 20
    inbound_per_ip: int = 4
    inbound_per_subnet: int = 16
    accepts_per_s: int = 5
    pending_upgrades: int = 20
    inbound_streams: int = 256
    inbound_streams_per_protocol: int = 64
    dials: int = 16
    connections_per_peer: int = 4
    duplicate_grace_s: float = 5
    streams_per_s: int = 100
    streams_burst: int = 500
    unread_bytes_max: int = 256 * MEBIBYTE
    bytes_per_s: int = 64 * MEBIBYTE
    burst_bytes: int = 64 * MEBIBYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """How long the host waits for a peer, in seconds.

    Attributes:
        upgrade_s: from a connection's first byte to its first stream.
        dial_address_s: until one address answers.
        dial_s: for all addresses of a peer.
        negotiation_s: until a stream has a protocol.
        idle_ping_s: without a byte for this long we ask whether the peer lives.
        pong_s: until a ping is answered.
        silence_s: without a byte for this long the connection ends.
        close_s: for what is queued to leave when a connection closes in order.
    """

    upgrade_s: float = 10
    dial_address_s: float = 6
    dial_s: float = 10
    negotiation_s: float = 10
    idle_ping_s: float = 30
    pong_s: float = 10
    silence_s: float = 60
    close_s: float = 2
