"""The committee of an epoch as light clients know it: keys and powers, in the order of the seats.

Guards: a quorum is `total * 2 // 3 + 1`, so that any two share more than a third of the power, and
so an honest seat. The digest is the one that the consensus room gives the same committee.
"""

from collections.abc import Sequence
from typing import Annotated, Final, Protocol, TypeAlias

import msgspec

from node.ledger.errors import CheckpointCommitteeError
from node.ledger.wire import KeyField, PowerField
from primitives.codec import Codec
from primitives.errors import InvalidKeyError
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Digest, Power
from primitives.keys import PublicKey

SEATS_MAX: Final = 1_000
POWER_TOTAL_MAX: Final = 2**53
SEATS_BYTES_MAX: Final = SEATS_MAX * 48


class Seat(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The power of one validator in one epoch, and the key that it signs with."""

    power: PowerField
    consensus_key: KeyField


Seats: TypeAlias = tuple[Seat, ...]
SeatsField = Annotated[tuple[Seat, ...], msgspec.Meta(min_length=1, max_length=SEATS_MAX)]
SEATS_CODEC: Codec[Seats] = Codec(tuple[Seat, ...], size_bytes_max=SEATS_BYTES_MAX)


def seats_digest(seats: Sequence[Seat]) -> Digest:
    """Return the digest that the last checkpoint of the epoch before names."""
    return tagged_hash(Domain.COMMITTEE, SEATS_CODEC.encode(tuple(seats)))


class Powered(Protocol):
    """Whatever has voting power: a seat, or a member of a committee."""

    @property
    def power(self) -> Power:
        """How much."""
        ...


def quorum_of(seats: Sequence[Powered]) -> Power:
    """Return the least power that is more than two thirds of the total."""
    return Power(sum(seat.power for seat in seats) * 2 // 3 + 1)


def check_seats(seats: Sequence[Seat]) -> None:
    """Check that a committee could rule.

    Raises:
        CheckpointCommitteeError: no seat or too many, a seat without power, a total that is too
            great, or a key that is unusable or has two seats.
    """
    if not 1 <= len(seats) <= SEATS_MAX:
        raise CheckpointCommitteeError(f"{len(seats)} seats, must be 1 to {SEATS_MAX}")
    if any(seat.power < 1 for seat in seats):
        raise CheckpointCommitteeError("a seat without power")
    if sum(seat.power for seat in seats) > POWER_TOTAL_MAX:
        raise CheckpointCommitteeError(f"total power above {POWER_TOTAL_MAX}")
    if len({seat.consensus_key for seat in seats}) != len(seats):
        raise CheckpointCommitteeError("two seats share a key")
    for index, seat in enumerate(seats):
        try:
            PublicKey.from_raw(seat.consensus_key)
        except InvalidKeyError as error:
            raise CheckpointCommitteeError(f"seat {index}: {error}") from error
