import asyncio
import random
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from node.config.sections import NetworkSection
from node.running.clock import SystemClock
from node.running.peering import PEERS_FILE, Peering, open_peering
from p2p.host import Host
from p2p.identify_message import IdentifyMessage
from p2p.transport import TcpTransport
from p2p.wire.peer_id import PeerId
from p2p.wire.records import PeerRecord
from primitives.errors import HanseError
from primitives.ids import ChainId
from tests.p2p.town import identity_of

CHAIN = ChainId(b"\xc1" * 32)


def opened(folder: Path, section: NetworkSection) -> AbstractAsyncContextManager[Peering]:
    return open_peering(
        section,
        identity=identity_of(1),
        chain_id=CHAIN,
        version="1",
        folder=folder,
        clock=SystemClock(),
    )


@pytest.mark.parametrize("connections_max", [1, 8, 128, 1_000])
def test_peers_are_remembered_however_few_may_connect(tmp_path: Path, connections_max: int) -> None:
    section = NetworkSection(
        listen=("/ip4/127.0.0.1/tcp/0",), peers=(), connections_max=connections_max
    )

    async def scene() -> None:
        async with opened(tmp_path, section) as peering:
            assert peering.host.limits.connections_max == connections_max
            assert len(peering.host.addresses) == 1
        assert (tmp_path / PEERS_FILE).exists()

    asyncio.run(scene())


def test_peers_are_told_what_is_announced_and_nothing_else(tmp_path: Path) -> None:
    door = "/ip4/127.0.0.1/tcp/4001"
    section = NetworkSection(listen=("/ip4/127.0.0.1/tcp/0",), announce=(door,))
    town = identity_of(2)

    async def scene() -> None:
        async with opened(tmp_path, section) as peering:
            host = peering.host
            async with Host(
                town, transports=(TcpTransport(),), clock=SystemClock(), dice=random.Random(1)
            ) as other:
                await other.connect(host.peer_id, host.addresses)
                told = await _told(other, host.peer_id)
            assert [str(address) for address in told.addresses] == [door]
            assert told.signed_record is not None
            record = PeerRecord.open(told.signed_record)
            assert [str(address) for address in record.addresses] == [door]

    asyncio.run(scene())


async def _told(host: Host, peer_id: PeerId) -> IdentifyMessage:
    async with asyncio.timeout(10):
        while (message := host.introductions.of(peer_id)) is None:  # noqa: ASYNC110 - of a peer
            await asyncio.sleep(0.01)
    return message


def test_an_address_that_is_none_is_one_line(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path, NetworkSection(listen=("here",))):
            raise AssertionError("nobody can listen there")

    with pytest.raises(HanseError, match="here"):
        asyncio.run(scene())
