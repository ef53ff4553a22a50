"""Say what a transport carries: an ordered, reliable, plain byte channel between two processes.

TCP is one transport, memory another; tests/conformance/transport.py holds what both promise.
"""

from collections.abc import Callable
from typing import Protocol

from p2p.wire.multiaddr import Multiaddr


class ChannelReceiver(Protocol):
    """Who takes what a channel brings; every call comes from the event loop."""

    def bytes_received(self, chunk: bytes) -> None:
        """Take the next bytes, in order."""
        ...

    def writing_resumed(self) -> None:
        """Learn that the channel, which was full, takes bytes again."""
        ...

    def channel_ended(self, error: Exception | None) -> None:
        """Learn, once, that nothing more comes; None when the other side closed in order."""
        ...


class Channel(Protocol):
    """One connection below every protocol.

    Attributes:
        local: our end.
        remote: the other end.
        is_writable: False while more bytes wait than the channel's bound; a writer should stop
            until `writing_resumed`.
    """

    @property
    def local(self) -> Multiaddr: ...  # noqa: D102

    @property
    def remote(self) -> Multiaddr: ...  # noqa: D102

    @property
    def is_writable(self) -> bool: ...  # noqa: D102

    def start(self, receiver: ChannelReceiver) -> None:
        """Name the receiver; bytes that came before are handed over, in order."""
        ...

    def write(self, raw: bytes) -> None:
        """Send bytes; after the end of the channel they are dropped."""
        ...

    def pause_reading(self) -> None:
        """Stop taking bytes from the other side, which slows it down."""
        ...

    def resume_reading(self) -> None:
        """Take bytes again."""
        ...

    def close(self) -> None:
        """Send what is waiting, then end the channel."""
        ...

    def abort(self) -> None:
        """End the channel now and drop what is waiting."""
        ...


class Listener(Protocol):
    """An open door."""

    @property
    def addresses(self) -> tuple[Multiaddr, ...]:
        """Where the door is, with the real port."""
        ...

    async def close(self) -> None:
        """Shut the door; channels that came through it stay."""
        ...


class Transport(Protocol):
    """A way to make channels."""

    def can_reach(self, address: Multiaddr) -> bool:
        """Tell whether the address is of this transport."""
        ...

    async def dial(self, address: Multiaddr) -> Channel:
        """Open a channel to an address; the caller bounds the time.

        Raises:
            DialError: nobody answers there.
        """
        ...

    async def listen(self, address: Multiaddr, accept: Callable[[Channel], None]) -> Listener:
        """Open a door; `accept` is called with each channel that comes through it.

        Raises:
            ConfigurationError: the address is taken, or not ours.
        """
        ...
