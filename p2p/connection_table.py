"""Know who is connected, and choose which connections have to go. Nothing here does I/O.

Two nodes that dial each other end with two connections. Both stay for a while, since each side may
have streams on its own; then both close the one that the larger peer id opened, so that they agree
without a word. When there are too many connections, those of the least worth go: young and outbound
ones, and those somebody protects, stay.
"""

from collections.abc import Callable, Iterator
from typing import Final

from p2p.connection import Connection
from p2p.limits import Limits
from p2p.wire.peer_id import PeerId
from p2p.wire.role import Direction

_MS_PER_S: Final = 1_000


class ConnectionTable:
    """The open connections of one host."""

    def __init__(self, own: PeerId, limits: Limits) -> None:
        self._own = own
        self._limits = limits
        self._connections: dict[PeerId, list[Connection]] = {}
        self._protected: dict[PeerId, set[str]] = {}

    def __iter__(self) -> Iterator[Connection]:
        """Yield every open connection."""
        for connections in tuple(self._connections.values()):
            yield from tuple(connections)

    def __len__(self) -> int:
        """Count the open connections."""
        return sum(map(len, self._connections.values()))

    @property
    def peers(self) -> tuple[PeerId, ...]:
        """Who is connected, in the order of their first connection."""
        return tuple(self._connections)

    def of(self, peer_id: PeerId) -> Connection | None:
        """Return the connection to use for a peer: the one that will stay."""
        connections = self._connections.get(peer_id)
        if not connections:
            return None
        return min(connections, key=lambda one: (not one.is_open, self._precedence(one)))

    def count(self, peer_id: PeerId) -> int:
        """Count the connections to one peer."""
        return len(self._connections.get(peer_id, ()))

    def add(self, connection: Connection) -> bool:
        """Note a connection; tell whether it is the first to its peer."""
        connections = self._connections.setdefault(connection.peer_id, [])
        connections.append(connection)
        return len(connections) == 1

    def remove(self, connection: Connection) -> bool:
        """Forget a connection; tell whether it was the last to its peer."""
        connections = self._connections.get(connection.peer_id, [])
        if connection in connections:
            connections.remove(connection)
        if connections:
            return False
        self._connections.pop(connection.peer_id, None)
        return True

    def protect(self, peer_id: PeerId, tag: str) -> None:
        """Keep the connections of a peer from trims, for a reason that can be withdrawn."""
        self._protected.setdefault(peer_id, set()).add(tag)

    def unprotect(self, peer_id: PeerId, tag: str) -> None:
        """Withdraw a reason."""
        tags = self._protected.get(peer_id)
        if tags is not None:
            tags.discard(tag)
            if not tags:
                del self._protected[peer_id]

    def duplicates(self, *, now_ms: int) -> list[Connection]:
        """Return the connections beside a better one to the same peer whose grace is over."""
        grace_ms = self._limits.duplicate_grace_s * _MS_PER_S
        redundant: list[Connection] = []
        for connections in self._connections.values():
            if len(connections) < 2:
                continue
            ordered = sorted(connections, key=self._precedence)
            youngest_ms = max(connection.began_ms for connection in ordered)
            if now_ms - youngest_ms >= grace_ms:
                redundant += ordered[1:]
        return redundant

    def surplus(self, *, now_ms: int, score_of: Callable[[PeerId], float]) -> list[Connection]:
        """Return whom to close, worst first, when there are more than the high mark; else none."""
        total = len(self)
        if total <= self._limits.connections_high:
            return []
        grace_ms = self._limits.grace_s * _MS_PER_S
        candidates = [
            connection
            for connection in self
            if connection.peer_id not in self._protected
            and now_ms - connection.began_ms >= grace_ms
        ]
        # The newest of equals goes first: who was here before an attack stays.
        candidates.sort(key=lambda peer: (score_of(peer.peer_id), -peer.began_ms))
        outbound = sum(connection.direction is Direction.OUTBOUND for connection in self)
        chosen: list[Connection] = []
        for connection in candidates:
            if total - len(chosen) <= self._limits.connections_low:
                break
            if connection.direction is Direction.OUTBOUND:
                if outbound <= self._limits.outbound_reserve:
                    continue
                outbound -= 1
            chosen.append(connection)
        return chosen

    def hoarders(self) -> list[Connection]:
        """Return whom to close so that what nobody has read is bounded, the worst first."""
        unread_bytes = sum(connection.unread_bytes for connection in self)
        chosen: list[Connection] = []
        if unread_bytes > self._limits.unread_bytes_max:
            ranked = sorted(self, key=lambda connection: connection.unread_bytes, reverse=True)
            for connection in ranked:
                if unread_bytes <= self._limits.unread_bytes_max:
                    break
                unread_bytes -= connection.unread_bytes
                chosen.append(connection)
        return chosen

    def _precedence(self, connection: Connection) -> tuple[bool, int]:
        """Order the connections to one peer so that both sides have the same one first."""
        is_ours = connection.direction is Direction.OUTBOUND
        opener = self._own if is_ours else connection.peer_id
        # Of those that one side opened the newest: who dials again has lost the line before.
        return opener == max(self._own, connection.peer_id), -connection.began_ms
