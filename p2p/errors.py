"""Name what can go wrong between peers, and who is to blame.

    LocalProtocolError
        StreamMisuseError        we used a stream against its rules
    PeerError                    the peer is the cause, but broke no rule
        DialError
            BannedPeerError
        ProtocolsRefusedError
        PeerTimeoutError
        ConnectionLostError
        StreamResetError
        StreamEndedError
        RequestRefusedError
        UnsupportedKeyError
        TooManyStreamsError
    RemoteProtocolError          the peer broke a rule, which lowers its score
        NegotiationError
        HandshakeError
            WrongPeerError
        MuxerError
        RecordError

Parsers do not know who sent the bytes: they raise `MalformedBytesError`, and the machine that
called them blames its peer. A peer is named by its address, and after the handshake by its peer id.
"""

from typing import ClassVar

from primitives.errors import LocalProtocolError, PeerError, RemoteProtocolError


class StreamMisuseError(LocalProtocolError):
    """Report a write after the end, a second reader, or a stream too many: a bug of ours."""

    code: ClassVar[str] = "p2p_stream_misuse"


class DialError(PeerError):
    """Report that no address of a peer led to a connection."""

    code: ClassVar[str] = "p2p_dial"


class BannedPeerError(DialError):
    """Refuse a peer that is on the ban list."""

    code: ClassVar[str] = "p2p_banned"


class ProtocolsRefusedError(PeerError):
    """Report that the peer speaks none of the protocols proposed."""

    code: ClassVar[str] = "p2p_protocols_refused"


class PeerTimeoutError(PeerError):
    """Report that a peer did not answer within the limit."""

    code: ClassVar[str] = "p2p_timeout"


class ConnectionLostError(PeerError):
    """Report that the connection ended while it was needed."""

    code: ClassVar[str] = "p2p_connection_lost"


class StreamResetError(PeerError):
    """Report that the peer gave up the stream."""

    code: ClassVar[str] = "p2p_stream_reset"


class StreamEndedError(PeerError):
    """Report that the stream ended before the bytes asked for arrived."""

    code: ClassVar[str] = "p2p_stream_ended"


class RequestRefusedError(PeerError):
    """Report that the peer answered a request with an error; the message is the peer's."""

    code: ClassVar[str] = "p2p_request_refused"


class UnsupportedKeyError(PeerError):
    """Refuse a peer whose identity is of a kind of key that we do not speak, which is no crime."""

    code: ClassVar[str] = "p2p_unsupported_key"


class TooManyStreamsError(PeerError):
    """Report that a peer leaves so many of our streams unanswered that none can be opened."""

    code: ClassVar[str] = "p2p_too_many_streams"


class NegotiationError(RemoteProtocolError):
    """Blame a peer that broke multistream-select."""

    code: ClassVar[str] = "p2p_negotiation"


class HandshakeError(RemoteProtocolError):
    """Blame a peer whose Noise handshake or encrypted frames do not hold."""

    code: ClassVar[str] = "p2p_handshake"


class WrongPeerError(HandshakeError):
    """Refuse a peer that proved another identity than the one that was dialled."""

    code: ClassVar[str] = "p2p_wrong_peer"


class MuxerError(RemoteProtocolError):
    """Blame a peer that broke yamux; the whole session ends."""

    code: ClassVar[str] = "p2p_muxer"


class RecordError(RemoteProtocolError):
    """Refuse a signed peer record that does not prove what it says."""

    code: ClassVar[str] = "p2p_record"
