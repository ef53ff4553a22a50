"""Tasks, rounds, models and identities as the standard contracts show them, typed.

Records are read by the names of their fields, so a contract may gain fields and change their order.
Bits of a round are counted from the first update or seat.
"""

from typing import Final

import msgspec

from fl.rules.effects import Reason
from fl.rules.phase import Phase
from primitives.ids import Address, Grain, Height, Power, TimestampMs

REASONS: Final = tuple(Reason)
"""Why an update earns nothing; the chain counts them from 1."""


class TaskState(msgspec.Struct, frozen=True, kw_only=True):
    """One task.

    Args:
        model: id of the newest MODEL blob.
        clip: norm to which updates are cut in the round that runs, or is opened next.
        rounds: opened so far; the next one has this number.
        scored: rounds that reached SELECT.
        serial: phases entered so far.
    """

    sponsor: Address
    model: bytes
    clip: int
    escrow: Grain
    version: int
    rounds: int
    scored: int
    serial: int
    is_running: bool
    is_closing: bool
    is_closed: bool


class TermsState(msgspec.Struct, frozen=True, kw_only=True):
    """What a task promises for all its rounds; `fl.rules.calls.CreateTask` says what it means."""

    document: bytes
    reward: Grain
    bond: Grain
    slots: int
    ready: int
    epsilon: int
    band_min: int
    harm: int
    clip_min: int
    windows: tuple[int, ...]
    guard_bounds: tuple[int, ...]
    identity_percent: int


class UpdateState(msgspec.Struct, frozen=True, kw_only=True):
    """One trainer's part in the round.

    Args:
        index: of the update; bit `index` of holdings stands for it.
        root: id of the UPDATE blob; None before it is revealed.
        attested: the power of those who hold the blob.
        is_available: a quorum holds it.
        is_judged: facts and scores were agreed; score, norm and the like mean something then.
        reason: why it is refused, if it is by now.
        weight: in the aggregate of this rung, Q16.
    """

    index: int
    trainer: Address
    registered_at: Height
    commitment: bytes
    committed_at: Height
    bond: Grain
    root: bytes | None
    attested: Power
    is_available: bool
    is_judged: bool
    score: int
    norm: int
    original: int
    cluster: int
    reason: Reason | None
    weight: int
    gain: int


class SeatState(msgspec.Struct, frozen=True, kw_only=True):
    """One validator's part in the round.

    Args:
        held: the updates that it says it holds, as bits.
        has_committed: to a scorecard, which is `commitment`.
        has_revealed: its scorecard.
        vote: for an aggregate, at this rung.
        report: of the guard, at this rung.
    """

    index: int
    address: Address
    power: Power
    held: int
    has_committed: bool
    commitment: bytes
    has_revealed: bool
    vote: bytes | None
    report: tuple[int, ...] | None


class RoundState(msgspec.Struct, frozen=True, kw_only=True):
    """The round that runs.

    Args:
        deadline_ms: end of a waiting phase, in chain time.
        quorum: of power.
        rung: of the ladder.
        aggregate: what has a quorum at this rung.
    """

    task: int
    number: int
    phase: Phase
    deadline_ms: TimestampMs
    quorum: Power
    pot: Grain
    rung: int
    aggregate: bytes | None
    is_committed: bool
    updates: tuple[UpdateState, ...]
    seats: tuple[SeatState, ...]

    def update_of(self, who: Address) -> UpdateState | None:
        """Return the update of a trainer, None if it has none."""
        return next((one for one in self.updates if one.trainer == who), None)

    def seat_of(self, who: Address) -> SeatState | None:
        """Return the seat of a validator, None if it has none."""
        return next((one for one in self.seats if one.address == who), None)

    @property
    def weighted(self) -> tuple[UpdateState, ...]:
        """Return the updates that this rung aggregates."""
        return tuple(one for one in self.updates if one.weight > 0)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a task remembers of an identity.

    Args:
        reputation: Q16.
        quarantined_until: it may commit once so many rounds of the task were scored.
    """

    reputation: int
    gain_average: int
    harm_history: int
    quarantined_until: int


class Vesting(msgspec.Struct, frozen=True, kw_only=True):
    """What a task owes an identity.

    Args:
        vested: at the last time that the contract looked; `claim` pays it and what follows.
        scored: by tranche, how many rounds were scored when it was earned.
        unlock_ms: by tranche, when it vests at the latest.
        amounts: by tranche.
    """

    vested: Grain
    scored: tuple[int, ...]
    unlock_ms: tuple[TimestampMs, ...]
    amounts: tuple[Grain, ...]


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a model with what made it.

    Args:
        round: that made it.
        parent: id of the MODEL blob before.
        model: id of the MODEL blob.
        clip: of the round that follows.
        limit: the norm to which the updates of this round were cut.
        halvings: how often the step of the outer optimiser was halved.
        contributors: whose updates went in, in the order of the round.
        roots: of their UPDATE blobs.
        weights: of their updates, Q16.
        scores: of their updates, in 100 micro-nats.
        height: of the commit that added it.
    """

    round: int
    parent: bytes
    model: bytes
    clip: int
    limit: int
    halvings: int
    contributors: tuple[Address, ...]
    roots: tuple[bytes, ...]
    weights: tuple[int, ...]
    scores: tuple[int, ...]
    height: Height
    time_ms: TimestampMs


class IdentityState(msgspec.Struct, frozen=True, kw_only=True):
    """Who an account is; without an identity the texts are empty and `registered_at` is 0.

    Args:
        roles: what a token of the account may claim.
        keys: for signing in, beside the account's own.
    """

    address: Address
    name: str
    role: str
    organisation: str
    registered_at: Height
    roles: tuple[str, ...]
    keys: tuple[bytes, ...]


class CatalogueEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What a sponsor tells people about a task."""

    title: str
    description: str
    organisation: str
    sponsor: Address
    published_ms: TimestampMs
    is_listed: bool


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """A request to slash; see the contract `disputes`."""

    task: int
    round: int
    who: Address
    fault: int
    basis_points: int
    at_ms: TimestampMs
    state: int
    until: Height
