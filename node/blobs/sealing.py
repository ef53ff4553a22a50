"""Seal an update so that only some validators can read it, and open what was sealed to us.

The content is encrypted once, with a key of its own, and that key once for each recipient, to the
X25519 key that belongs to its Ed25519 consensus key. An envelope proves nothing about who made it:
whoever opens one compares the id of what is inside with the root on the chain.
Source: libsodium's crypto_secretbox and crypto_box_seal.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Final

import msgspec
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from fl.jobs.bounds import DigestBytes
from fl.rules.limits import SEATS_MAX
from node.blobs.errors import BadEnvelopeError
from primitives.codec import Codec
from primitives.errors import BadSealError, MalformedBytesError
from primitives.ids import Address
from primitives.keys import SEAL_SIZE_BYTES, PrivateKey, PublicKey

CONTENT_SIZE_BYTES_MAX: Final = 1 << 30
"""An update of 2**28 coordinates of four bytes; a task's own limit is far lower."""

RandomBytes = Callable[[int], bytes]

_KEY_SIZE_BYTES: Final = SecretBox.KEY_SIZE
_NONCE_SIZE_BYTES: Final = SecretBox.NONCE_SIZE
_SEALED_KEY_SIZE_BYTES: Final = _KEY_SIZE_BYTES + SEAL_SIZE_BYTES
_HEADERS_SIZE_BYTES_MAX: Final = SEATS_MAX * 128 + 128
ENVELOPE_SIZE_BYTES_MAX: Final = CONTENT_SIZE_BYTES_MAX + _HEADERS_SIZE_BYTES_MAX

SealedKey = Annotated[
    bytes, msgspec.Meta(min_length=_SEALED_KEY_SIZE_BYTES, max_length=_SEALED_KEY_SIZE_BYTES)
]


class Slot(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The key of the content, for one recipient."""

    operator: DigestBytes
    key: SealedKey


class Envelope(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Encrypted content, and its key for each recipient, by the order of their addresses."""

    slots: Annotated[tuple[Slot, ...], msgspec.Meta(min_length=1, max_length=SEATS_MAX)]
    nonce: Annotated[
        bytes, msgspec.Meta(min_length=_NONCE_SIZE_BYTES, max_length=_NONCE_SIZE_BYTES)
    ]
    box: Annotated[bytes, msgspec.Meta(max_length=CONTENT_SIZE_BYTES_MAX + SecretBox.MACBYTES)]


_CODEC: Final = Codec(Envelope, size_bytes_max=ENVELOPE_SIZE_BYTES_MAX)


def seal(
    content: bytes, *, recipients: Sequence[tuple[Address, PublicKey]], rng: RandomBytes
) -> bytes:
    """Return an envelope for some validators.

    Args:
        content: of at most `CONTENT_SIZE_BYTES_MAX`.
        recipients: the operator's address and the consensus key of each, at most `SEATS_MAX`.
        rng: returns as many secret random bytes as it is asked for.

    Raises:
        BadEnvelopeError: the content is too long, or there are no recipients, too many, or one
            twice.
    """
    if len(content) > CONTENT_SIZE_BYTES_MAX:
        raise BadEnvelopeError(f"{len(content)} bytes, over the limit of {CONTENT_SIZE_BYTES_MAX}")
    operators = {operator for operator, _ in recipients}
    if not 1 <= len(operators) <= SEATS_MAX or len(operators) != len(recipients):
        raise BadEnvelopeError(f"{len(recipients)} recipients, not 1 to {SEATS_MAX} unlike ones")
    key, nonce = rng(_KEY_SIZE_BYTES), rng(_NONCE_SIZE_BYTES)
    slots = tuple(
        Slot(operator, public_key.seal(key, ephemeral_seed=rng(_KEY_SIZE_BYTES)))
        for operator, public_key in sorted(recipients, key=lambda one: one[0])
    )
    box = SecretBox(key).encrypt(content, nonce).ciphertext
    return _CODEC.encode(Envelope(slots, nonce, box))


def check_envelope(raw: bytes) -> None:
    """Refuse bytes that are no envelope; whether anybody can open it, only they can tell.

    Raises:
        BadEnvelopeError: they are none.
    """
    try:
        _CODEC.decode(raw)
    except MalformedBytesError as error:
        raise BadEnvelopeError(f"this is no sealed update: {error}") from error


def open_envelope(raw: bytes, *, operator: Address, consensus_key: PrivateKey) -> bytes:
    """Return what is in an envelope; the caller checks that it is what the chain names.

    Raises:
        BadEnvelopeError: it is malformed, was changed, or is not for this operator and key.
    """
    try:
        envelope = _CODEC.decode(raw)
    except MalformedBytesError as error:
        raise BadEnvelopeError(f"no envelope: {error}") from error
    sealed = next((slot.key for slot in envelope.slots if slot.operator == operator), None)
    if sealed is None:
        raise BadEnvelopeError(f"an envelope for {len(envelope.slots)} others")
    try:
        key = consensus_key.unseal(sealed)
        return SecretBox(key).decrypt(envelope.box, envelope.nonce)
    except BadSealError as error:
        raise BadEnvelopeError("our key does not open our slot") from error
    except CryptoError as error:
        raise BadEnvelopeError("the key in our slot does not open the content") from error
