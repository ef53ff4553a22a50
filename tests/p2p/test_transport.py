"""What only TCP does to us: peers that leave in the middle of something."""

import asyncio
import socket

import pytest
from typing_extensions import override

from p2p import transport
from p2p.channel import Channel
from p2p.errors import DialError
from p2p.transport import TcpChannel, TcpTransport
from p2p.wire.multiaddr import Multiaddr
from tests.conformance.transport import Ear

DOOR = Multiaddr.of_tcp("127.0.0.1", 0)


@pytest.mark.asyncio
async def test_close_ends_even_a_channel_whose_peer_ended_and_never_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "CLOSE_S", 0.02)
    arrived = asyncio.Queue[Channel](maxsize=1)
    listener = await TcpTransport().listen(DOOR, arrived.put_nowait)
    endpoint = listener.addresses[0].tcp
    assert endpoint is not None
    with socket.create_connection((endpoint.host, endpoint.port)) as rude:
        channel, ear = await arrived.get(), Ear()
        channel.start(ear)
        channel.write(bytes(16 * 1024 * 1024))
        rude.shutdown(socket.SHUT_WR)
        await asyncio.sleep(0.02)
        assert not ear.ends
        channel.close()
        async with asyncio.timeout(1):
            await ear.ended()
        channel.close()
    await listener.close()


def has_no_peer(sock: socket.socket) -> tuple[str, int]:
    raise OSError(107, "Transport endpoint is not connected")


@pytest.mark.asyncio
async def test_peer_that_leaves_before_it_has_a_name_was_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrived: list[Channel] = []
    listener = await TcpTransport().listen(DOOR, arrived.append)
    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, "getpeername", has_no_peer)
        with pytest.raises(DialError, match="left at once"):
            await TcpTransport().dial(listener.addresses[0])
    for channel in arrived:
        channel.abort()
    await listener.close()


class _Nameless(asyncio.Transport):
    """A socket whose other side is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.is_aborted = False

    @override
    def pause_reading(self) -> None:
        pass

    @override
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    @override
    def abort(self) -> None:
        self.is_aborted = True


def test_visitor_without_a_name_is_not_let_in() -> None:
    let_in: list[Channel] = []
    gone = _Nameless()
    TcpChannel(let_in.append).connection_made(gone)
    assert gone.is_aborted
    assert not let_in
