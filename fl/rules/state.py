"""Everything that the rounds remember. Values only: a transition makes a new state.

Money sits in exactly four places: a task's escrow, a round's pot, an update's bond, and an
identity's vesting. `money_held` is their sum, and equals what came in less what went out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fl.rules.calls import UNREGISTERED
from fl.rules.effects import Reason
from fl.rules.phase import Phase
from fl.rules.reputation import INITIAL
from fl.rules.select import Consensus
from fl.rules.vesting import NOTHING, Vesting
from primitives.ids import Address, Grain, Height, TimestampMs


class Identity(NamedTuple):
    """A key at one registration: who registers again starts anew."""

    address: Address
    registered_at: Height


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a task promises for all its rounds; `calls.CreateTask` says what each field means."""

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

    @property
    def round_ms(self) -> int:
        """Return how long a round of one rung takes when everybody uses the whole time."""
        return sum(self.windows)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the validators together think of one update."""

    consensus: Consensus
    norm: int
    original: int
    cluster: int
    gain: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One trainer's part in a round.

    Args:
        trainer: at its registration.
        commitment: to the blob root.
        committed_at: the height, which decides between copies.
        reputation: when it was committed; the least one gives way in a full round.
        bond: held until the update is settled.
        root: of the blob, once revealed.
        attested: the power of those who hold the blob.
        judged: what SELECT found, if facts and scores were agreed.
        reason: why it is refused, if it is.
        weight: in the aggregate, in Q16.
        gain: its part of the left-out gain of its slot; none is negative.
        sharers: accepted updates of its cluster, itself included, which share one slot.
    """

    trainer: Identity
    commitment: bytes
    committed_at: Height
    reputation: int
    bond: Grain
    root: bytes | None = None
    attested: int = 0
    judged: Judged | None = None
    reason: Reason | None = None
    weight: int = 0
    gain: int = 0
    sharers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One validator's part in a round.

    Args:
        address: of the validator.
        power: when the round was opened.
        registered_at: when it committed scores.
        held: the updates it holds, as bits.
        commitment: to its scorecard.
        card: its scorecard, once revealed.
        vote: for an aggregate, at this rung.
        report: of the guard, at this rung.
        trust: the sum of its credits.
        stored: how many available updates it holds.
        dividend: its support of trainers, weighted, in Q32.
        share: of the validators' pot.
    """

    address: Address
    power: int
    registered_at: Height = UNREGISTERED
    held: int = 0
    commitment: bytes | None = None
    card: bytes | None = None
    vote: bytes | None = None
    report: tuple[int, ...] | None = None
    trust: int = 0
    stored: int = 0
    dividend: int = 0
    share: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A round that is not over.

    Args:
        number: of the round in its task, from 0.
        phase: where it stands.
        deadline_ms: end of a waiting phase; in a phase of steps, when it began.
        seats: the committee when the round was opened.
        quorum: more than two thirds of their power.
        pot: what is left of the reward.
        updates: by order of commitment.
        cursor: the next step of SELECT or SETTLE.
        rung: of the ladder.
        level: what a good update gained.
        threshold: a score must be greater to be accepted, and to be support.
        median: of the accepted scores.
        band_total: the sum of all bands.
        gain_total: of the weighted updates.
        share_total: of the validators.
        stored_total: power times stored updates, over all seats.
        aggregate: the hash that has a quorum at this rung.
        were_scores_due: validators who had committed scores could reveal them.
        is_earned: at least one update was accepted, so validators are paid whatever follows.
        is_committed: the model of the round is in the registry.
    """

    number: int
    phase: Phase
    deadline_ms: TimestampMs
    seats: tuple[Seat, ...]
    quorum: int
    pot: Grain
    updates: tuple[Update, ...] = ()
    cursor: int = 0
    rung: int = 0
    level: int = 0
    threshold: int = 0
    median: int = 0
    band_total: int = 0
    gain_total: int = 0
    share_total: int = 0
    stored_total: int = 0
    aggregate: bytes | None = None
    were_scores_due: bool = False
    is_earned: bool = False
    is_committed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a task remembers of an identity, as a trainer or as a validator.

    Args:
        reputation: in Q16.
        gain_average: of its left-out scores, in Q16.
        harm_history: of its last judged rounds, as bits.
        quarantined_until: it may commit once so many rounds were scored.
        vesting: its rewards that were not paid out.
        supporters: how steadily each validator has supported it, in Q16.
    """

    reputation: int = INITIAL
    gain_average: int = 0
    harm_history: int = 0
    quarantined_until: int = 0
    vesting: Vesting = NOTHING
    supporters: Mapping[Identity, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One federated task.

    Args:
        number: of the task, from 0.
        sponsor: who gets the escrow back.
        terms: fixed.
        model: hash of the newest version.
        clip: norm to which updates are clipped next.
        escrow: the sponsor's money.
        version: of the model, from 0.
        rounds: opened so far.
        scored: rounds that reached SELECT.
        peak: the highest level of a round that committed a model.
        serial: phases entered so far, so that a wake-up for an earlier one is known as such.
        running: the round that is not over, if there is one.
        standings: by identity; read one at a time, never walked.
        is_closing: no more rounds.
        is_closed: the escrow is paid back.
    """

    number: int
    sponsor: Address
    terms: Terms
    model: bytes
    clip: int
    escrow: Grain
    version: int = 0
    rounds: int = 0
    scored: int = 0
    peak: int = 0
    serial: int = 0
    running: Round | None = None
    standings: Mapping[Identity, Standing] = field(default_factory=dict)
    is_closing: bool = False
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """All tasks, by number."""

    tasks: tuple[Task, ...] = ()


def money_held(state: State) -> Grain:
    """Return all the money that is inside."""
    return Grain(sum(_money_of(task) for task in state.tasks))


def _money_of(task: Task) -> int:
    running = task.running
    in_round = running.pot + sum(update.bond for update in running.updates) if running else 0
    in_vesting = sum(standing.vesting.total for standing in task.standings.values())
    return task.escrow + in_round + in_vesting
