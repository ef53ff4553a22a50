"""TCP and the network in memory are both transports."""

import asyncio
import socket

import pytest

from p2p.memory import MemoryNetwork
from p2p.transport import TcpTransport
from p2p.wire.multiaddr import Multiaddr
from tests.conformance.transport import TRANSPORT_CASES, Arena, TransportCase


def has_ipv6() -> bool:
    """Tell whether this machine talks to itself over IPv6; some containers do not."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


FOREIGN = Multiaddr.parse("/ip4/127.0.0.1/udp/1/quic-v1")

over_cases = pytest.mark.parametrize("case", TRANSPORT_CASES, ids=lambda case: case.__name__)


def tcp_arena(ip: str) -> Arena:
    return Arena(
        inner=TcpTransport(),
        outer=TcpTransport(),
        door=Multiaddr.of_tcp(ip, 0),
        nobody=Multiaddr.of_tcp(ip, 1),
        foreign=FOREIGN,
        buffered_bytes_max=32 * 1024 * 1024,
    )


@over_cases
@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")),
    ],
)
@pytest.mark.asyncio
async def test_tcp_conforms(case: TransportCase, ip: str) -> None:
    await case(tcp_arena(ip))


@over_cases
def test_tcp_conforms_on_uvloop(case: TransportCase) -> None:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is an optional extra")

    async def play() -> None:
        await case(tcp_arena("127.0.0.1"))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())


@over_cases
@pytest.mark.asyncio
async def test_memory_conforms(case: TransportCase) -> None:
    network = MemoryNetwork()
    arena = Arena(
        inner=network.host("10.0.0.1"),
        outer=network.host("10.0.0.2"),
        door=Multiaddr.of_tcp("10.0.0.1", 0),
        nobody=Multiaddr.of_tcp("10.0.0.1", 1),
        foreign=FOREIGN,
        buffered_bytes_max=1024 * 1024,
    )
    await case(arena)
