"""The message in which peers tell each other what they are: keys, addresses, protocols.

A large one may come as several length-prefixed messages whose repeated fields are merged. What is
kept of it is bounded, since the sender chooses it. Source: libp2p specs, identify.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Final, Self

from p2p.wire.multiaddr import Multiaddr, decode_known_addresses
from p2p.wire.protobuf import (
    bytes_field,
    expect_bytes,
    expect_text,
    read_fields,
    split_length_prefixed,
)
from primitives.errors import MalformedBytesError

IDENTIFY_PROTOCOL: Final = "/ipfs/id/1.0.0"
PUSH_PROTOCOL: Final = "/ipfs/id/push/1.0.0"

PART_SIZE_BYTES_MAX: Final = 8 * 1024
"""js and go refuse larger parts."""
SENT_PART_SIZE_BYTES_MAX: Final = 4 * 1024
"""rust refuses larger parts."""
PARTS_MAX: Final = 10
ADDRESSES_MAX: Final = 100
PROTOCOLS_MAX: Final = 256
PROTOCOL_SIZE_BYTES_MAX: Final = 256
VERSION_SIZE_BYTES_MAX: Final = 256

_FIELDS_MAX: Final = 2 * (ADDRESSES_MAX + PROTOCOLS_MAX)
_PUBLIC_KEY: Final = 1
_LISTEN_ADDRESS: Final = 2
_PROTOCOL: Final = 3
_OBSERVED_ADDRESS: Final = 4
_PROTOCOL_VERSION: Final = 5
_AGENT_VERSION: Final = 6
_SIGNED_RECORD: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyMessage:
    """What a peer says of itself; None and empty mean that it did not say.

    Attributes:
        public_key: the PublicKey protobuf.
        addresses: where it listens, without its peer id.
        observed: how the sender sees the receiver.
        signed_record: an envelope, not opened.
    """

    public_key: bytes | None = None
    addresses: tuple[Multiaddr, ...] = ()
    protocols: tuple[str, ...] = ()
    observed: Multiaddr | None = None
    protocol_version: str | None = None
    agent_version: str | None = None
    signed_record: bytes | None = None

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Return one part, its lists cut to their bounds; an unreadable address is left out.

        Raises:
            MalformedBytesError: not this message.
        """
        single: dict[int, bytes] = {}
        address_bytes: list[bytes] = []
        protocols: list[str] = []
        for field, value in read_fields(raw, fields_max=_FIELDS_MAX):
            if field == _LISTEN_ADDRESS:
                address_bytes.append(expect_bytes(value))
            elif field == _PROTOCOL:
                protocols.append(expect_text(value))
            elif field in {1, 4, 5, 6, 8}:
                single[field] = expect_bytes(value)
        observed = single.get(_OBSERVED_ADDRESS)
        return cls(
            public_key=single.get(_PUBLIC_KEY),
            addresses=_addresses(address_bytes),
            protocols=_known_protocols(tuple(protocols)),
            # js ends the observed address with our peer id, go does not.
            observed=next(iter(_addresses([observed])), None) if observed else None,
            protocol_version=_version(single.get(_PROTOCOL_VERSION)),
            agent_version=_version(single.get(_AGENT_VERSION)),
            signed_record=single.get(_SIGNED_RECORD),
        )

    @classmethod
    def decode_stream(cls, raw: bytes) -> "IdentifyMessage":
        """Return the message that a whole stream carried, in one or several prefixed parts.

        Raises:
            MalformedBytesError: no part, too many or too large ones, or not this message.
        """
        parts = split_length_prefixed(raw, count_max=PARTS_MAX, size_bytes_max=PART_SIZE_BYTES_MAX)
        if not parts:
            raise MalformedBytesError(f"expected 1 to {PARTS_MAX} whole parts")
        message, *later = map(cls.decode, parts)
        return reduce(IdentifyMessage.merge, later, message)

    def merge(self, later: "IdentifyMessage") -> "IdentifyMessage":
        """Return this message with the next part of it: lists grow, the rest is replaced."""
        return IdentifyMessage(
            public_key=later.public_key or self.public_key,
            addresses=tuple(dict.fromkeys(self.addresses + later.addresses))[:ADDRESSES_MAX],
            protocols=_known_protocols(self.protocols + later.protocols),
            observed=later.observed or self.observed,
            protocol_version=later.protocol_version or self.protocol_version,
            agent_version=later.agent_version or self.agent_version,
            signed_record=later.signed_record or self.signed_record,
        )

    def update(self, pushed: "IdentifyMessage") -> "IdentifyMessage":
        """Return this message after a push, in which a list that is named replaces ours."""
        return IdentifyMessage(
            public_key=self.public_key,
            addresses=pushed.addresses or self.addresses,
            protocols=pushed.protocols or self.protocols,
            observed=pushed.observed or self.observed,
            protocol_version=pushed.protocol_version or self.protocol_version,
            agent_version=pushed.agent_version or self.agent_version,
            signed_record=pushed.signed_record or self.signed_record,
        )

    def encode_parts(self) -> list[bytes]:
        """Return the message in parts that every implementation takes, at least one."""
        parts = [b""]
        for encoded in self._encoded_fields():
            if len(parts[-1]) + len(encoded) > SENT_PART_SIZE_BYTES_MAX:
                parts.append(b"")
            parts[-1] += encoded
        return parts

    def _encoded_fields(self) -> list[bytes]:
        texts = ((_PROTOCOL_VERSION, self.protocol_version), (_AGENT_VERSION, self.agent_version))
        single = (
            (_PUBLIC_KEY, self.public_key),
            (_OBSERVED_ADDRESS, self.observed.encode() if self.observed else None),
            (_SIGNED_RECORD, self.signed_record),
            *((field, text.encode() if text else None) for field, text in texts),
        )
        encoded = [bytes_field(field, raw) for field, raw in single if raw is not None]
        encoded += [bytes_field(_LISTEN_ADDRESS, address.encode()) for address in self.addresses]
        encoded += [bytes_field(_PROTOCOL, protocol.encode()) for protocol in self.protocols]
        return encoded


def _addresses(raws: list[bytes]) -> tuple[Multiaddr, ...]:
    readable = (
        address.without_peer()
        for address in decode_known_addresses(iter(raws[:ADDRESSES_MAX]))
        if len(address.parts) > 1 or address.peer_id is None
    )
    return tuple(dict.fromkeys(readable))


def _known_protocols(protocols: tuple[str, ...]) -> tuple[str, ...]:
    short = (protocol for protocol in protocols if len(protocol) <= PROTOCOL_SIZE_BYTES_MAX)
    return tuple(dict.fromkeys(short))[:PROTOCOLS_MAX]


def _version(raw: bytes | None) -> str | None:
    if raw is None:
        return None
    # It is shown to people, so what cannot be printed must not reach a terminal.
    text = raw[:VERSION_SIZE_BYTES_MAX].decode(errors="replace")
    return "".join(character if character.isprintable() else "?" for character in text)
