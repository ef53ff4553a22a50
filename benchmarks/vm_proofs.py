"""Signatures and certificates for the benchmark of opcodes: right, so that all is checked."""

from node.ledger.checkpoint import CERTIFICATE_CODEC
from node.ledger.committee import SEATS_CODEC
from primitives.hashing import Domain
from primitives.ids import Address, ChainId
from tests.ledger.builders import certificate_of, checkpoint, key_of, seats_with


def signed_message(message: bytes, *, chain_id: ChainId, contract: Address) -> tuple[bytes, bytes]:
    """Return a key, and what it signs the message with for the contract."""
    key = key_of(0)
    return key.public.raw, key.sign(Domain.CONTRACT_MESSAGE, chain_id + contract + message)


def certified(seat_count: int) -> tuple[bytes, bytes]:
    """Return a committee, and a certificate that every seat of it signed."""
    seats = seats_with(*[100] * seat_count)
    certificate = certificate_of(checkpoint(), seats, signers=tuple(range(seat_count)))
    return SEATS_CODEC.encode(seats), CERTIFICATE_CODEC.encode(certificate)


def uncertified(seat_count: int) -> tuple[bytes, bytes]:
    """Return a committee, and nothing that it signed."""
    return SEATS_CODEC.encode(seats_with(*[1] * seat_count)), b""
