"""Decide whether a message is what its topic asks for, and give it its id.

StrictSign: author, rising seqno and signature are there and hold. StrictNoSign: none of them is
there at all; what is published proves its own origin. Source: github.com/libp2p/specs, pubsub; the
signature leaves out signature and key, as go, js and py do and the text does not say.

The id of a message must be the same function on every node, or IHAVE, IWANT and IDONTWANT never
match and nobody notices. js has another default than go, so it is always set there.
"""

import enum
import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias, assert_never

from p2p.gossip.rpc import WireMessage
from p2p.gossip.rpc_fields import publish_field
from p2p.wire.identity import Identity, verify
from p2p.wire.peer_id import PeerId, check_peer_id, public_key_of
from p2p.wire.protobuf import bytes_field
from primitives.errors import BadSignatureError, MalformedBytesError

SEQNO_SIZE_BYTES: Final = 8
TOPIC20_SIZE_BYTES: Final = 20
MESSAGE_OVERHEAD_BYTES_MAX: Final = 512
"""What a message may have beside topic and payload: author, seqno, signature, key, unknown."""

_SIGN_PREFIX: Final = b"libp2p-pubsub:"

MessageIdFunction: TypeAlias = Callable[[WireMessage], bytes]


class SigningPolicy(enum.Enum):
    """Whether messages of a topic are signed."""

    STRICT_SIGN = "StrictSign"
    STRICT_NO_SIGN = "StrictNoSign"


class MessageIdRule(enum.Enum):
    """How the id of a message follows from it.

    `SPEC` is author and seqno, so it needs signed messages. `SHA256` is the hash of the payload.
    `TOPIC20` is SHA-256(u64 little endian size of topic || topic || payload)[:20], as Ethereum has
    it: one id for the same payload from two authors, and another one on another topic.
    """

    SPEC = "spec"
    SHA256 = "sha256"
    TOPIC20 = "topic20"


class Origin(NamedTuple):
    """Who wrote a signed message, and which of theirs it is."""

    author: PeerId
    seqno: int


def message_id_function(rule: MessageIdRule, *, topic: bytes) -> MessageIdFunction:
    """Return the function that gives messages of one topic their id; they have a payload."""
    match rule:
        case MessageIdRule.SPEC:
            return _spec_id
        case MessageIdRule.SHA256:
            return _sha256_id
        case MessageIdRule.TOPIC20:
            prefix = len(topic).to_bytes(8, "little") + topic
            sha256 = hashlib.sha256

            def topic20_id(message: WireMessage) -> bytes:
                return sha256(prefix + (message.payload or b"")).digest()[:TOPIC20_SIZE_BYTES]

            return topic20_id
        case _:
            assert_never(rule)


def _spec_id(message: WireMessage) -> bytes:
    return (message.author or b"") + (message.seqno or b"")


def _sha256_id(message: WireMessage) -> bytes:
    return hashlib.sha256(message.payload or b"").digest()


def check_unsigned(message: WireMessage) -> None:
    """Check that nothing names an author.

    Raises:
        MalformedBytesError: author, seqno, signature or key is there, be it empty.
    """
    if (
        message.author is not None
        or message.seqno is not None
        or message.signature is not None
        or message.key is not None
    ):
        raise MalformedBytesError("a message of an unsigned topic names an author")


def check_origin(message: WireMessage) -> Origin:
    """Check the form of a signed message, not yet its signature.

    Raises:
        MalformedBytesError: author, seqno or signature is missing or has another size.
        BadSignatureError: the key is not the author's.
        InvalidKeyError: the author has no Ed25519 key, which others may know how to use.
    """
    author, seqno = message.author, message.seqno
    if author is None or seqno is None or message.signature is None:
        raise MalformedBytesError("a message of a signed topic lacks author, seqno or signature")
    if len(seqno) != SEQNO_SIZE_BYTES:
        raise MalformedBytesError(f"a seqno has {SEQNO_SIZE_BYTES} bytes, this has {len(seqno)}")
    author = check_peer_id(author)
    if message.key and not _is_key_of(author, message.key):
        raise BadSignatureError("the key of a message is not its author's")
    public_key_of(author)
    return Origin(author, int.from_bytes(seqno, "big"))


def _is_key_of(author: PeerId, key: bytes) -> bool:
    """Tell whether a peer id holds a key of any kind or its hash."""
    return author[2:] in (key, hashlib.sha256(key).digest())


def check_signature(message: WireMessage) -> None:
    """Check the signature of a message whose origin is well formed.

    Raises:
        BadSignatureError: the author did not sign this.
    """
    if message.author is None or message.signature is None:
        raise BadSignatureError("there is no signature")
    verify(public_key_of(PeerId(message.author)), _signed_bytes(message), message.signature)


def _signed_bytes(message: WireMessage) -> bytes:
    """Return the message in the order of its fields without signature and key."""
    numbered = ((1, message.author), (2, message.payload), (3, message.seqno), (4, message.topic))
    fields = (bytes_field(number, value) for number, value in numbered if value is not None)
    return _SIGN_PREFIX + b"".join(fields) + message.unknown


def unsigned_message(payload: bytes, *, topic: bytes) -> WireMessage:
    """Return our message for an unsigned topic."""
    body = bytes_field(2, payload) + bytes_field(4, topic)
    return WireMessage(publish_field=publish_field(body), topic=topic, payload=payload)


def signed_message(payload: bytes, *, topic: bytes, seqno: int, identity: Identity) -> WireMessage:
    """Return our message for a signed topic; the key is left out, since the peer id holds it."""
    number = seqno.to_bytes(SEQNO_SIZE_BYTES, "big")
    draft = WireMessage(
        publish_field=b"", topic=topic, payload=payload, author=identity.peer_id, seqno=number
    )
    signed_bytes = _signed_bytes(draft)
    signature = identity.sign(signed_bytes)
    body = signed_bytes[len(_SIGN_PREFIX) :] + bytes_field(5, signature)
    return WireMessage(
        publish_field=publish_field(body),
        topic=topic,
        payload=payload,
        author=identity.peer_id,
        seqno=number,
        signature=signature,
    )
