"""Show that whoever registers a consensus key also holds it.

Guards: nobody registers another's key. The message names the chain and the account, so a proof that
somebody saw is worth nothing elsewhere.
"""

from typing import Final

import msgspec

from node.ledger.errors import PossessionError
from node.ledger.wire import AddressField, ChainIdField
from primitives.codec import Codec
from primitives.errors import BadSignatureError, InvalidKeyError
from primitives.hashing import Domain
from primitives.ids import Address, ChainId
from primitives.keys import PrivateKey, PublicKey

_CLAIM_BYTES_MAX: Final = 128


class _Claim(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The consensus key that signs this serves the validator of this account on this chain."""

    chain_id: ChainIdField
    validator: AddressField


_CLAIM_CODEC: Codec[_Claim] = Codec(_Claim, size_bytes_max=_CLAIM_BYTES_MAX)


def prove_possession(key: PrivateKey, *, chain_id: ChainId, validator: Address) -> bytes:
    """Return the signature that `Bond` and `RotateKeys` carry, 64 bytes."""
    return key.sign(Domain.KEY_POSSESSION, _CLAIM_CODEC.encode(_Claim(chain_id, validator)))


def check_possession(
    consensus_key: bytes, possession: bytes, *, chain_id: ChainId, validator: Address
) -> None:
    """Check that the holder of the key agreed to serve the validator.

    Raises:
        PossessionError: the key is unusable, or did not sign this.
    """
    claim = _CLAIM_CODEC.encode(_Claim(chain_id, validator))
    try:
        PublicKey.from_raw(consensus_key).verify(Domain.KEY_POSSESSION, claim, possession)
    except (InvalidKeyError, BadSignatureError) as error:
        raise PossessionError(str(error)) from error
