"""Who comes and goes at a probe: printed as it happens, and awaited by its goals."""

import asyncio

from p2p.connection import Connection
from p2p.identify_message import IdentifyMessage
from p2p.probe.events import Connected, Disconnected, Emit, Identified
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId, peer_id_text


class Guests:
    """Watch a host; implements `p2p.host.HostWatcher`.

    Args:
        expected: the peers that we shall dial.
    """

    def __init__(self, emit: Emit, *, expected: tuple[PeerId, ...]) -> None:
        self._emit = emit
        self._directions: dict[PeerId, str] = {}
        self._arrivals = {peer_id: asyncio.Event() for peer_id in expected}
        self._first: asyncio.Future[PeerId] = asyncio.get_running_loop().create_future()

    async def identified(self, peer_id: PeerId) -> None:
        """Wait until a peer that we dialled has said what it is."""
        await self._arrivals[peer_id].wait()

    async def first(self) -> PeerId:
        """Wait until anybody has said what it is."""
        return await asyncio.shield(self._first)

    def peer_connected(self, connection: Connection) -> None:
        """Learn of the first connection to a peer."""
        peer_id = connection.peer_id
        direction = connection.direction.value
        self._directions[peer_id] = direction
        self._emit(
            Connected(peer_id_text(peer_id), direction, connection.security, connection.muxer)
        )

    def peer_disconnected(self, peer_id: PeerId) -> None:
        """Learn that the last connection to a peer ended."""
        self._emit(Disconnected(peer_id_text(peer_id), self._directions.pop(peer_id, "")))

    def peer_identified(self, peer_id: PeerId, message: IdentifyMessage) -> None:
        """Learn what a peer says it is."""
        self._emit(
            Identified(
                peer=peer_id_text(peer_id),
                agent=message.agent_version,
                protocol=message.protocol_version,
                protocols=message.protocols,
                addrs=tuple(str(address) for address in message.addresses),
                observed=_text(message.observed),
                record=message.signed_record is not None,
            )
        )
        if peer_id in self._arrivals:
            self._arrivals[peer_id].set()
        if not self._first.done():
            self._first.set_result(peer_id)


def _text(address: Multiaddr | None) -> str | None:
    return None if address is None else str(address)
