"""Prove where a peer listens: peer records in signed envelopes.

A record counts only if its signer is the peer it speaks of and its sequence number is higher than
that of the record known before. Source: libp2p RFC 0002 (signed envelopes) and 0003 (routing
records); domain and payload type are what go, js and py use, the text words them differently.
"""

from dataclasses import dataclass
from typing import Final, Self

from p2p.wire.identity import Identity, verify
from p2p.wire.multiaddr import Multiaddr, decode_known_addresses
from p2p.wire.peer_id import PeerId, check_peer_id, decode_public_key, peer_id_of
from p2p.wire.protobuf import (
    bytes_field,
    expect_bytes,
    expect_number,
    length_prefixed,
    number_field,
    read_fields,
)
from primitives.errors import BadSignatureError, MalformedBytesError

ENVELOPE_SIZE_BYTES_MAX: Final = 8 * 1024
RECORD_ADDRESSES_MAX: Final = 32

_DOMAIN: Final = b"libp2p-peer-record"
_PAYLOAD_TYPE: Final = b"\x03\x01"
_ENVELOPE_FIELDS_MAX: Final = 8
_RECORD_FIELDS_MAX: Final = RECORD_ADDRESSES_MAX + 8


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """The addresses of one peer at one moment.

    Args:
        seq: rises with every record of the peer; ours is in Unix milliseconds.
    """

    peer_id: PeerId
    seq: int
    addresses: tuple[Multiaddr, ...]

    def seal(self, identity: Identity) -> bytes:
        """Return the signed envelope of the record, which `identity` has to be about."""
        assert identity.peer_id == self.peer_id
        payload = self._encode()
        signature = identity.sign(_signed_bytes(payload))
        return (
            bytes_field(1, identity.public_key_protobuf)
            + bytes_field(2, _PAYLOAD_TYPE)
            + bytes_field(3, payload)
            + bytes_field(5, signature)
        )

    @classmethod
    def open(cls, envelope: bytes) -> Self:
        """Return the record in a signed envelope; addresses that cannot be read are left out.

        Raises:
            BadSignatureError: the peer that the record speaks of did not sign it.
            InvalidKeyError: the signer's key is not an Ed25519 key.
            MalformedBytesError: not an envelope of a peer record.
        """
        if len(envelope) > ENVELOPE_SIZE_BYTES_MAX:
            raise MalformedBytesError(f"an envelope has at most {ENVELOPE_SIZE_BYTES_MAX} bytes")
        parts = dict.fromkeys((1, 2, 3, 5), b"")
        for field, value in read_fields(envelope, fields_max=_ENVELOPE_FIELDS_MAX):
            if field in parts:
                parts[field] = expect_bytes(value)
        if parts[2] != _PAYLOAD_TYPE:
            raise MalformedBytesError("the envelope does not hold a peer record")
        signer = decode_public_key(parts[1])
        verify(signer, _signed_bytes(parts[3]), parts[5])
        record = cls._decode(parts[3])
        if record.peer_id != peer_id_of(signer):
            raise BadSignatureError("a peer record is signed by another peer")
        return record

    def _encode(self) -> bytes:
        addresses = (bytes_field(1, address.encode()) for address in self.addresses)
        return (
            bytes_field(1, self.peer_id)
            + number_field(2, self.seq)
            + b"".join(bytes_field(3, address) for address in addresses)
        )

    @classmethod
    def _decode(cls, payload: bytes) -> Self:
        peer_id = b""
        seq = 0
        raws: list[bytes] = []
        for field, value in read_fields(payload, fields_max=_RECORD_FIELDS_MAX):
            if field == 1:
                peer_id = expect_bytes(value)
            elif field == 2:
                seq = expect_number(value)
            elif field == 3:
                raws.extend(_address_bytes(expect_bytes(value)))
        addresses = tuple(decode_known_addresses(iter(raws[:RECORD_ADDRESSES_MAX])))
        return cls(check_peer_id(peer_id), seq, addresses)


def _address_bytes(wrapper: bytes) -> list[bytes]:
    return [
        expect_bytes(value) for field, value in read_fields(wrapper, fields_max=4) if field == 1
    ]


def _signed_bytes(payload: bytes) -> bytes:
    return b"".join(map(length_prefixed, (_DOMAIN, _PAYLOAD_TYPE, payload)))
