"""The field types that every wire and stored value of the ledger is made of, with their bounds.

Integers keep to 63 bits: msgspec bounds a signed 64-bit word, and the sum of any two still fits it
after a check. Nothing on the wire is negative.
"""

from typing import Annotated, Final

import msgspec

from primitives.ids import (
    Address,
    AuthorityIndex,
    ChainId,
    CommitIndex,
    Digest,
    DurationMs,
    Epoch,
    Gas,
    Grain,
    Height,
    Power,
    TimestampMs,
)

INT63_MAX: Final = 2**63 - 1

_UNSIGNED: Final = msgspec.Meta(ge=0, le=INT63_MAX)
_WORD: Final = msgspec.Meta(min_length=32, max_length=32)

Counter = Annotated[int, _UNSIGNED]
AmountField = Annotated[Grain, _UNSIGNED]
GasField = Annotated[Gas, _UNSIGNED]
TimeField = Annotated[TimestampMs, _UNSIGNED]
SpanField = Annotated[DurationMs, _UNSIGNED]
HeightField = Annotated[Height, _UNSIGNED]
EpochField = Annotated[Epoch, _UNSIGNED]
CommitIndexField = Annotated[CommitIndex, _UNSIGNED]
AuthorityField = Annotated[AuthorityIndex, _UNSIGNED]
PowerField = Annotated[Power, _UNSIGNED]
AddressField = Annotated[Address, _WORD]
DigestField = Annotated[Digest, _WORD]
ChainIdField = Annotated[ChainId, _WORD]
KeyField = Annotated[bytes, _WORD]
SignatureField = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
