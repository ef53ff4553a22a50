"""The validators of one epoch and the arithmetic of their voting power.

Guards: every threshold is on the power of distinct authors, never on block counts. With total
power N and f = (N - 1) // 3, a quorum is N - f and a validity threshold f + 1; any two quorums
share more than f power, so they share an honest author.
"""

from collections.abc import Sequence

import msgspec

from consensus.parameters import WAVE_LENGTH, Parameters
from primitives.errors import ConfigurationError
from primitives.hashing import Domain, tagged_hash
from primitives.ids import (
    AuthorityIndex,
    ChainId,
    Digest,
    Epoch,
    Power,
    TimestampMs,
)
from primitives.keys import PublicKey

COMMITTEE_SIZE_MAX = 1_000
POWER_TOTAL_MAX = 2**53


class Authority(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One validator: its voting power and its 32-byte Ed25519 public key."""

    power: Power
    public_key: bytes


class Committee:
    """An ordered list of authorities; an author's index is its place in that list.

    Raises:
        ConfigurationError: no authority, too many, a power below 1, or a key used twice (two
            seats that share a key would count one equivocator as two honest authors).
    """

    def __init__(self, authorities: Sequence[Authority]) -> None:
        self.authorities = tuple(authorities)
        self.size = len(self.authorities)
        _check_authorities(self.authorities)
        self.powers = tuple(authority.power for authority in self.authorities)
        self.public_keys = tuple(PublicKey.from_raw(a.public_key) for a in self.authorities)
        self.total_power = Power(sum(self.powers))
        self.faulty_power_max = Power((self.total_power - 1) // 3)
        self.quorum = quorum_threshold(self.total_power)
        self.validity = Power(self.faulty_power_max + 1)
        self.indices = tuple(AuthorityIndex(index) for index in range(self.size))
        self.everyone = (1 << self.size) - 1
        self._uniform_power = self.powers[0] if len(set(self.powers)) == 1 else 0
        self._byte_powers = () if self._uniform_power else _byte_powers(self.powers)

    def power_of(self, author_mask: int) -> int:
        """Return the summed power of the authors whose bits are set in `author_mask`."""
        if self._uniform_power:
            return author_mask.bit_count() * self._uniform_power
        power = 0
        for table in self._byte_powers:
            power += table[author_mask & 0xFF]
            author_mask >>= 8
        return power

    def is_quorum(self, author_mask: int) -> bool:
        """Tell whether the authors in `author_mask` hold at least N - f power."""
        if self._uniform_power:
            return author_mask.bit_count() * self._uniform_power >= self.quorum
        return self.power_of(author_mask) >= self.quorum


def quorum_threshold(total_power: int) -> Power:
    """Return N - f, the least power that is more than two thirds of `total_power`."""
    return Power(total_power * 2 // 3 + 1)


class EpochSpan(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """When an epoch runs, in Unix milliseconds of commit time.

    Args:
        starts_at_ms: the time before the first commit.
        closes_at_ms: the first commit stamped at or after this closes the epoch; None: never.
    """

    starts_at_ms: TimestampMs = TimestampMs(0)
    closes_at_ms: TimestampMs | None = None


UNBOUNDED = EpochSpan()
FIRST_EPOCH_PREVIOUS = Digest(bytes(32))


class EpochContext:
    """The agreed facts of one epoch: chain, committee, parameters, and when it closes.

    The genesis digest binds chain id, epoch, committee, parameters, deadline and the last
    checkpoint of the epoch before, so a header that names it is valid in this epoch alone.

    Args:
        previous: digest of the last checkpoint of the epoch before; zeros for the first epoch.
    """

    def __init__(
        self,
        *,
        chain_id: ChainId,
        epoch: Epoch,
        committee: Committee,
        parameters: Parameters,
        span: EpochSpan = UNBOUNDED,
        previous: Digest = FIRST_EPOCH_PREVIOUS,
    ) -> None:
        if not 1 <= parameters.leaders_per_round <= committee.size:
            raise ConfigurationError(
                f"leaders_per_round is {parameters.leaders_per_round}, "
                f"must be 1 to the committee size {committee.size}"
            )
        _check_parameters(parameters)
        self.chain_id = chain_id
        self.epoch = epoch
        self.committee = committee
        self.parameters = parameters
        self.span = span
        encode = msgspec.msgpack.encode
        committee_digest = tagged_hash(Domain.COMMITTEE, encode(committee.authorities))
        facts = (chain_id, epoch, committee_digest, parameters, span, previous)
        self.genesis_digest = tagged_hash(Domain.CHAIN, encode(facts))
        self.seed = tagged_hash(Domain.EPOCH_SEED, self.genesis_digest)


def _check_parameters(parameters: Parameters) -> None:
    if parameters.gc_depth < WAVE_LENGTH:
        raise ConfigurationError(f"gc_depth is {parameters.gc_depth}, least is {WAVE_LENGTH}")
    if parameters.schedule_window < 1:
        raise ConfigurationError(f"schedule_window is {parameters.schedule_window}, least is 1")
    if parameters.transaction_bytes_max > parameters.payload_bytes_max:
        raise ConfigurationError(
            f"transaction_bytes_max {parameters.transaction_bytes_max} exceeds "
            f"payload_bytes_max {parameters.payload_bytes_max}: such an item would fit no block"
        )


def _check_authorities(authorities: tuple[Authority, ...]) -> None:
    if not 1 <= len(authorities) <= COMMITTEE_SIZE_MAX:
        raise ConfigurationError(
            f"a committee of {len(authorities)}, must be 1 to {COMMITTEE_SIZE_MAX}"
        )
    for index, authority in enumerate(authorities):
        if authority.power < 1:
            raise ConfigurationError(f"authority {index} has power {authority.power}, least is 1")
    if sum(authority.power for authority in authorities) > POWER_TOTAL_MAX:
        raise ConfigurationError(f"total power exceeds {POWER_TOTAL_MAX}")
    if len({authority.public_key for authority in authorities}) != len(authorities):
        raise ConfigurationError("two authorities share a public key")


def _byte_powers(powers: tuple[Power, ...]) -> tuple[tuple[int, ...], ...]:
    """Tabulate the power of every byte of an author mask: 8 authors a lookup."""
    tables = []
    for start in range(0, len(powers), 8):
        group = powers[start : start + 8]
        tables.append(
            tuple(
                sum(power for bit, power in enumerate(group) if byte >> bit & 1)
                for byte in range(256)
            )
        )
    return tuple(tables)
