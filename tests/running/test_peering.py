import asyncio
import random
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from node.config.sections import NetworkSection
from node.running.clock import SystemClock
from node.running.peering import PEERS_FILE, Peering, open_peering
from p2p.host import Host, HostSettings
from p2p.identify_message import IdentifyMessage
from p2p.transport import TcpTransport
from p2p.wire.peer_id import PeerId
from p2p.wire.records import PeerRecord
from primitives.errors import HanseError
from primitives.ids import ChainId
from tests.p2p.town import identity_of

CHAIN, OTHER_CHAIN = ChainId(b"\xc1" * 32), ChainId(b"\xc2" * 32)
HERE = NetworkSection(listen=("/ip4/127.0.0.1/tcp/0",))


def opened(
    folder: Path, section: NetworkSection, *, number: int = 1, chain_id: ChainId = CHAIN
) -> AbstractAsyncContextManager[Peering]:
    return open_peering(
        section,
        identity=identity_of(number),
        chain_id=chain_id,
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


def strangers(logs: list[EventDict]) -> list[EventDict]:
    return [line for line in logs if line["event"].startswith("peer is of another chain")]


def test_peers_of_two_chains_each_log_one_line_with_both_and_part(tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            opened(tmp_path, HERE) as one,
            opened(tmp_path, HERE, number=2, chain_id=OTHER_CHAIN) as two,
        ):
            for _ in range(2):
                await one.host.connect(two.host.peer_id, two.host.addresses)
                async with asyncio.timeout(10):
                    while one.host.connections.peers or two.host.connections.peers:  # noqa: ASYNC110 - of both
                        await asyncio.sleep(0.01)
                known = one.host.peers.get(two.host.peer_id)
                assert known is not None
                assert not one.host.may_dial(known)
                for host in (one.host, two.host):
                    for ban in tuple(host.bans):
                        host.bans.lift(ban.subject)

    with capture_logs() as logs:
        asyncio.run(scene())
    ours, theirs = "c1" * 8, "c2" * 8
    told = strangers(logs)
    assert {(line["its_genesis"], line["our_genesis"]) for line in told} == {
        (ours, theirs),
        (theirs, ours),
    }
    assert len(told) == 2


@pytest.mark.parametrize("version", ["hanse/" + "c1" * 8 + "/2", "hanse/probe/1", "ipfs/0.1.0"])
def test_peer_of_our_chain_or_of_none_stays(version: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            opened(tmp_path, HERE) as peering,
            Host(
                identity_of(2),
                transports=(TcpTransport(),),
                clock=SystemClock(),
                dice=random.Random(1),
                settings=HostSettings(protocol_version=version),
            ) as other,
        ):
            await other.connect(peering.host.peer_id, peering.host.addresses)
            await _told(peering.host, other.peer_id)
            assert not peering.host.bans

    with capture_logs() as logs:
        asyncio.run(scene())
    assert not strangers(logs)
