"""Agree on a protocol, once per connection layer and once per stream: multistream-select 1.0.

A message is a varint length, a text and a newline. The machines never read past the message that
settles the matter: what follows it belongs to the protocol agreed on and is handed over as
`leftover`, since a peer may send its first bytes right behind an unanswered proposal.
Source: github.com/multiformats/multistream-select.
"""

from collections.abc import Callable, Sequence
from typing import Final

from p2p.errors import NegotiationError, ProtocolsRefusedError
from p2p.wire.protobuf import length_prefixed
from p2p.wire.varint import decode_varint
from primitives.errors import MalformedBytesError

MESSAGE_SIZE_BYTES_MAX: Final = 1024
"""The longest text with its newline; go and js refuse more."""

UNKNOWN_IDS_MAX: Final = 16
"""A peer that proposed so many ids in vain is not going to find one; libp2p names no number."""

_LENGTH_SIZE_BYTES_MAX: Final = 2
_NEWLINE: Final = 0x0A
_HEADER: Final = "/multistream/1.0.0"
_NOT_AVAILABLE: Final = "na"


def encode_message(text: str) -> bytes:
    """Return one message of multistream-select."""
    return length_prefixed(text.encode() + b"\n")


_HEADER_MESSAGE: Final = encode_message(_HEADER)
_NOT_AVAILABLE_MESSAGE: Final = encode_message(_NOT_AVAILABLE)


class Proposer:
    """The side that opened the connection or stream: it proposes, the best protocol first.

    Attributes:
        agreed: the protocol agreed on; None until then. `receive` must not be called after it.
        leftover: once agreed, the bytes behind the last message, which the protocol has to read.
    """

    __slots__ = ("_has_header", "_peer", "_protocols", "_reader", "_refused", "agreed", "leftover")

    def __init__(self, protocols: Sequence[str], *, peer: str) -> None:
        assert protocols
        self._protocols = protocols
        self._peer = peer
        self._reader = _MessageReader(peer)
        self._has_header = False
        self._refused = 0
        self.agreed: str | None = None
        self.leftover = b""

    def start(self) -> bytes:
        """Return what to send at once: the header and the first proposal."""
        return _HEADER_MESSAGE + encode_message(self._protocols[0])

    def receive(self, chunk: bytes) -> bytes:
        """Take bytes from the other side and return what to send.

        Raises:
            NegotiationError: the other side broke multistream-select.
            ProtocolsRefusedError: it refused every proposal.
        """
        assert self.agreed is None
        self._reader.feed(chunk)
        proposals = b""
        while (answer := self._reader.next_text()) is not None:
            if not self._has_header:
                self._has_header = _check_header(answer, peer=self._peer)
            elif answer == self._protocols[self._refused]:
                self.agreed = answer
                self.leftover = self._reader.take_rest()
                break
            elif answer == _NOT_AVAILABLE:
                proposals += self._next_proposal()
            else:
                raise NegotiationError(
                    f"the answer {answer[:80]!r} is not to what was proposed", peer=self._peer
                )
        return proposals

    def _next_proposal(self) -> bytes:
        self._refused += 1
        if self._refused == len(self._protocols):
            proposals = ", ".join(self._protocols)
            raise ProtocolsRefusedError(f"the peer speaks none of {proposals}", peer=self._peer)
        return encode_message(self._protocols[self._refused])


class Responder:
    """The side that waits for proposals and takes the first one it supports.

    "ls", which is obsolete, is refused like an unknown id.

    Attributes:
        agreed: the protocol agreed on; None until then. `receive` must not be called after it.
        leftover: once agreed, the bytes behind the last message, which the protocol has to read.
    """

    __slots__ = (
        "_has_header",
        "_is_supported",
        "_peer",
        "_reader",
        "_refused",
        "agreed",
        "leftover",
    )

    def __init__(self, is_supported: Callable[[str], bool], *, peer: str) -> None:
        self._is_supported = is_supported
        self._peer = peer
        self._reader = _MessageReader(peer)
        self._has_header = False
        self._refused = 0
        self.agreed: str | None = None
        self.leftover = b""

    def receive(self, chunk: bytes) -> bytes:
        """Take bytes from the other side and return what to send.

        Raises:
            NegotiationError: the other side broke multistream-select, or proposed
                `UNKNOWN_IDS_MAX` ids that we do not know.
        """
        assert self.agreed is None
        self._reader.feed(chunk)
        answers = b""
        while (text := self._reader.next_text()) is not None:
            if not self._has_header:
                self._has_header = _check_header(text, peer=self._peer)
                answers += _HEADER_MESSAGE
            elif self._is_supported(text):
                self.agreed = text
                self.leftover = self._reader.take_rest()
                return answers + encode_message(text)
            else:
                self._refused += 1
                if self._refused == UNKNOWN_IDS_MAX:
                    raise NegotiationError(
                        f"proposed {UNKNOWN_IDS_MAX} unknown ids", peer=self._peer
                    )
                answers += _NOT_AVAILABLE_MESSAGE
        return answers


class _MessageReader:
    """Cuts a byte stream into texts; holds less than one message between two calls."""

    __slots__ = ("_buffer", "_peer")

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._buffer = b""

    def feed(self, chunk: bytes) -> None:
        self._buffer += chunk

    def take_rest(self) -> bytes:
        rest, self._buffer = self._buffer, b""
        return rest

    def next_text(self) -> str | None:
        """Return the next text without its newline; None while bytes are missing."""
        try:
            return self._read()
        except MalformedBytesError as error:
            raise NegotiationError(str(error), peer=self._peer) from error

    def _read(self) -> str | None:
        read = decode_varint(self._buffer, size_bytes_max=_LENGTH_SIZE_BYTES_MAX)
        if read is None:
            return None
        size_bytes, start = read
        if not 0 < size_bytes <= MESSAGE_SIZE_BYTES_MAX:
            # Refused at the length, so that no more than one message is ever waited for.
            raise MalformedBytesError(
                f"a negotiation message of {size_bytes} bytes, not 1 to {MESSAGE_SIZE_BYTES_MAX}"
            )
        end = start + size_bytes
        if end > len(self._buffer):
            return None
        message, self._buffer = self._buffer[start:end], self._buffer[end:]
        if message[-1] != _NEWLINE:
            raise MalformedBytesError("a negotiation message does not end in a newline")
        try:
            return message[:-1].decode()
        except UnicodeDecodeError as error:
            raise MalformedBytesError("a negotiation message is not utf-8") from error


def _check_header(text: str, *, peer: str) -> bool:
    if text != _HEADER:
        raise NegotiationError(f"the header is {text[:80]!r}, not {_HEADER!r}", peer=peer)
    return True
