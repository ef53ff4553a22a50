"""Agree on the protocol of one stream; the machines of multistream-select do the thinking."""

from collections.abc import Callable, Sequence

from p2p.errors import StreamEndedError
from p2p.stream import Stream
from p2p.wire.multistream import Proposer, Responder


async def propose(stream: Stream, protocols: Sequence[str]) -> None:
    """Agree on the first of our protocols that the peer speaks, and name the stream after it.

    Raises:
        ProtocolsRefusedError: the peer speaks none of them.
        NegotiationError: the peer broke multistream-select.
        StreamEndedError: the peer closed the stream before it answered.
    """
    proposer = Proposer(protocols, peer=stream.peer)
    stream.write(proposer.start())
    await _run(stream, proposer)


async def respond(stream: Stream, is_supported: Callable[[str], bool]) -> None:
    """Agree on the first protocol the peer proposes that we speak, and name the stream after it.

    Raises:
        NegotiationError: the peer broke multistream-select, or proposed too many.
        StreamEndedError: the peer closed the stream before we agreed.
    """
    await _run(stream, Responder(is_supported, peer=stream.peer))


async def _run(stream: Stream, machine: Proposer | Responder) -> None:
    while machine.agreed is None:
        chunk = await stream.read()
        if not chunk:
            raise StreamEndedError(
                "the stream ended before a protocol was agreed", peer=stream.peer
            )
        answer = machine.receive(chunk)
        if answer:
            stream.write(answer)
    stream.protocol = machine.agreed
    stream.unread(machine.leftover)
