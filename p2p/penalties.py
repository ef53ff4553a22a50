"""Hold peers to the rules: who breaks them is noted, who does so too often is cut off for a while.

Identities cost nothing, so an address of several banned peers is banned as well, if they dialled
us: who dials us owns the address, unlike whom we dial.
"""

from typing import Final

import structlog

from p2p.bans import BanList, Strikes
from p2p.connection_table import ConnectionTable
from p2p.doorway import ip_of
from p2p.errors import BannedPeerError, ConnectionLostError
from p2p.gossip.score import ip_key
from p2p.wire.peer_id import PeerId, peer_id_text
from p2p.wire.role import Direction
from primitives.clock import Clock
from primitives.errors import PeerError, RemoteProtocolError

BAN_MS: Final = 600_000

_log: Final = structlog.get_logger("p2p.penalties")


class Penalties:
    """The strikes and bans of one host."""

    def __init__(self, bans: BanList, connections: ConnectionTable, *, clock: Clock) -> None:
        self._bans = bans
        self._connections = connections
        self._clock = clock
        self._strikes = Strikes()

    def check(self, peer_id: PeerId) -> None:
        """Refuse a banned peer.

        Raises:
            BannedPeerError: it is.
        """
        if self._bans.is_banned(peer_id, now_ms=self._clock.monotonic_ms()):
            raise BannedPeerError("the peer is banned", peer=peer_id_text(peer_id))

    def ban(self, peer_id: PeerId, *, reason: str, duration_ms: int) -> None:
        """Cut a peer off and refuse it for a while."""
        until_ms = self._clock.monotonic_ms() + duration_ms
        self._bans.ban(peer_id, until_ms=until_ms, reason=reason)
        # One ban is one strike of an address, however many connections the peer had from there.
        ips: set[str] = set()
        for connection in tuple(self._connections):
            if connection.peer_id == peer_id:
                if connection.direction is Direction.INBOUND:
                    ips.add(ip_of(connection.remote))
                connection.abort(
                    ConnectionLostError(f"banned: {reason}", peer=peer_id_text(peer_id))
                )
        for ip in sorted(ips):
            self.strike_address(ip, reason)

    def blame(self, peer_id: PeerId, error: PeerError) -> None:
        """Note what a peer did; only a broken rule counts."""
        _log.debug("peer failed", peer=peer_id_text(peer_id), code=error.code, reason=str(error))
        if isinstance(error, RemoteProtocolError):
            now_ms = self._clock.monotonic_ms()
            if self._strikes.strike(peer_id, now_ms=now_ms):
                _log.warning("peer banned", peer=peer_id_text(peer_id), reason=str(error))
                self.ban(peer_id, reason=str(error), duration_ms=BAN_MS)

    def strike_address(self, ip: str, reason: str) -> None:
        """Note that somebody from an address broke a rule.

        A private address is exempt: behind one may be the proxy through which everybody comes.
        """
        now_ms = self._clock.monotonic_ms()
        if ip_key(ip) is not None and self._strikes.strike(ip, now_ms=now_ms):
            self._bans.ban(ip, until_ms=now_ms + BAN_MS, reason=reason)
