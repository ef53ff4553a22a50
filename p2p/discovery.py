"""Find peers and keep enough connections of our own choice.

In this order: the addresses an operator configured, the peers of the last run, and those that peers
tell us of. A node that listens is found by others too, but only whom we chose counts here, since an
attacker chooses who dials us.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from p2p.connection import Connection
from p2p.errors import RecordError
from p2p.host import Host
from p2p.peer_exchange import PeersAnswer, peers_protocol, read_envelopes
from p2p.request import RequestServer, ask_once
from p2p.slots import STRANGERS, Choice, Held, choose_dials, network_of
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId, peer_id_text
from p2p.wire.role import Direction
from primitives.errors import ConfigurationError, HanseError, MalformedBytesError, PeerError

TELLERS_MAX: Final = 4_096
"""Bound on the peers whose teller is remembered; the oldest is forgotten first."""

_log = structlog.get_logger("p2p.discovery")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryPlan:
    """What an operator may choose.

    Attributes:
        chain: names the protocols, "hanse" for instance.
        bootstrap: addresses that end in a peer id.
        slots: outbound connections that we want.
        interval_s: between two looks at the slots.
        ask_interval_s: between two requests for peers.
    """

    chain: str
    bootstrap: tuple[Multiaddr, ...] = ()
    slots: int = 8
    interval_s: float = 5
    ask_interval_s: float = 30

    def check(self) -> None:
        """Refuse what cannot be done.

        Raises:
            ConfigurationError: a bootstrap address names no peer.
        """
        for address in self.bootstrap:
            if address.peer_id is None:
                raise ConfigurationError(
                    f"bootstrap address {address} does not end in /p2p/ and a peer id"
                )


class Discovery:
    """The search for peers of one host; `run` ends by cancellation."""

    def __init__(self, host: Host, plan: DiscoveryPlan) -> None:
        plan.check()
        self._host = host
        self._plan = plan
        self._protocol = peers_protocol(plan.chain)
        self._tellers: dict[PeerId, PeerId] = {}
        # Those we knew before anybody could tell us of them.
        self._own_finds = {
            address.peer_id for address in plan.bootstrap if address.peer_id is not None
        } | {peer.peer_id for peer in host.peers if peer.is_reached}
        answer = PeersAnswer(host.peers, dice=host.dice)
        server = RequestServer(self._protocol, answer.chunks, clock=host.clock)
        host.handle(self._protocol.name, server.serve, streams_max=2)

    async def run(self) -> None:
        """Dial and ask until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fill_slots(), name="fill slots")
            tasks.create_task(self._ask_around(), name="ask for peers")

    async def _fill_slots(self) -> None:
        while True:
            async with asyncio.TaskGroup() as dials:
                for choice in self._choose():
                    dials.create_task(self._dial(choice), name="dial")
            await asyncio.sleep(self._plan.interval_s)

    async def _ask_around(self) -> None:
        while True:
            await asyncio.sleep(self._plan.ask_interval_s)
            peers = self._host.connections.peers
            if peers:
                (peer_id,) = self._host.dice.sample(peers, 1)
                connection = self._host.connections.of(peer_id)
                if connection is not None:
                    await self.ask(connection)

    async def ask(self, connection: Connection) -> int:
        """Ask a peer for peers; return how many records were news."""
        try:
            answer = await ask_once(connection, self._protocol, b"")
            envelopes = read_envelopes(answer)
        except PeerError as error:
            self._host.blame(connection.peer_id, error)
            return 0
        except MalformedBytesError as error:
            lie = RecordError(f"peers: {error}", peer=peer_id_text(connection.peer_id))
            self._host.blame(connection.peer_id, lie)
            return 0
        known = frozenset(peer.peer_id for peer in self._host.peers)
        return sum(self._learn(envelope, connection.peer_id, known) for envelope in envelopes)

    def _learn(self, envelope: bytes, teller: PeerId, known: frozenset[PeerId]) -> bool:
        now_ms = self._host.clock.wall_ms()
        with suppress(HanseError):
            record = self._host.peers.add_record(envelope, now_ms=now_ms)
            # Who brings news of a peer that we knew has not led us to it.
            if record is None:
                return False
            if record.peer_id not in known and record.peer_id not in self._tellers:
                if len(self._tellers) >= TELLERS_MAX:
                    del self._tellers[next(iter(self._tellers))]
                self._tellers[record.peer_id] = teller
            return True
        return False

    def _teller_of(self, peer_id: PeerId) -> PeerId | None:
        return None if peer_id in self._own_finds else self._tellers.get(peer_id, STRANGERS)

    def _remember_bootstrap(self) -> None:
        """Put the configured peers back that a crowd displaced from the store."""
        peers = self._host.peers
        for address in self._plan.bootstrap:
            assert address.peer_id is not None
            known = peers.get(address.peer_id)
            if known is None or address.without_peer() not in known.addresses:
                now_ms = self._host.clock.wall_ms()
                peers.add_addresses(address.peer_id, (address,), now_ms=now_ms)

    def _choose(self) -> list[Choice]:
        host, held = self._host, self._held()
        if len(held) >= self._plan.slots:
            return []
        self._remember_bootstrap()
        candidates = [
            peer
            for peer in host.peers
            if peer.addresses and host.connections.of(peer.peer_id) is None and host.may_dial(peer)
        ]
        return choose_dials(
            candidates,
            held,
            tellers={
                peer.peer_id: teller
                for peer in candidates
                if (teller := self._teller_of(peer.peer_id)) is not None
            },
            slots=self._plan.slots,
            dice=host.dice,
        )

    def _held(self) -> Sequence[Held]:
        return [
            Held(network_of(connection.remote), self._teller_of(connection.peer_id))
            for connection in self._host.connections
            if connection.direction is Direction.OUTBOUND
        ]

    async def _dial(self, choice: Choice) -> None:
        try:
            await self._host.connect(choice.peer_id, choice.addresses)
        except PeerError as error:
            _log.debug("dial failed", reason=str(error))
