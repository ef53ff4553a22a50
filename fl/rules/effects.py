"""What follows from an event, for the chain and for those who watch it, in order."""

import enum
from dataclasses import dataclass

from fl.rules.phase import Phase
from fl.rules.reputation import Fault
from primitives.ids import Address, Grain, TimestampMs


@enum.unique
class Purpose(enum.Enum):
    """What a payment is for."""

    BOND = "bond"
    REWARD = "reward"
    VALIDATION = "validation"
    ESCROW = "escrow"


@enum.unique
class Reason(enum.Enum):
    """Why an update is refused."""

    DISPLACED = "displaced by a better reputation"
    WITHHELD = "not revealed"
    UNAVAILABLE = "not held by two thirds"
    UNSCORED = "not scored by two thirds"
    UNDECIDED = "no two thirds agree on its facts"
    MALFORMED = "malformed"
    REPLAY = "a replay"
    COPY = "a copy of an earlier update"
    TWIN = "committed twice at one height"
    LOW_QUALITY = "no better than the threshold"
    DROPPED = "dropped by the ladder"
    NOT_COMMITTED = "no aggregate passed"


@enum.unique
class Outcome(enum.Enum):
    """How a round ended."""

    COMMITTED = "committed"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Pay:
    """Money leaves for an account."""

    to: Address
    amount: Grain
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Burn:
    """Money leaves for nobody."""

    amount: Grain


@dataclass(frozen=True, slots=True)
class SlashRequest:
    """Ask the disputes contract for a part of a stake, after its appeal window."""

    task: int
    round: int
    who: Address
    fault: Fault
    basis_points: int


@dataclass(frozen=True, slots=True)
class ScheduleWake:
    """Have the scheduler send `Wake` with this task and serial."""

    at_ms: TimestampMs
    task: int
    serial: int


@dataclass(frozen=True, slots=True)
class TaskCreated:
    """A task exists; its number is `task`."""

    task: int
    sponsor: Address


@dataclass(frozen=True, slots=True)
class TaskFunded:
    """The escrow grew."""

    task: int
    amount: Grain


@dataclass(frozen=True, slots=True)
class TaskClosed:
    """The task takes part in nothing any more, except that rewards can be claimed."""

    task: int


@dataclass(frozen=True, slots=True)
class RoundOpened:
    """A round begins from this model."""

    task: int
    round: int
    model: bytes
    clip: int


@dataclass(frozen=True, slots=True)
class PhaseEntered:
    """A phase begins."""

    task: int
    round: int
    phase: Phase
    deadline_ms: TimestampMs


@dataclass(frozen=True, slots=True)
class UpdateCommitted:
    """Update `index` is the sender's from now on."""

    task: int
    round: int
    index: int
    trainer: Address


@dataclass(frozen=True, slots=True)
class UpdateRevealed:
    """The blob of an update has this root."""

    task: int
    round: int
    index: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Anomaly:
    """An update is refused; a record for everybody to see."""

    task: int
    round: int
    trainer: Address
    reason: Reason


@dataclass(frozen=True, slots=True)
class AggregateSelected:
    """Validators compute the aggregate with these weights, one per update, 0 if left out."""

    task: int
    round: int
    rung: int
    weights: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelCommitted:
    """The registry gets a new version; `weights` and the round name its lineage."""

    task: int
    round: int
    version: int
    parent: bytes
    model: bytes
    clip: int


@dataclass(frozen=True, slots=True)
class RoundEnded:
    """A round is settled and gone."""

    task: int
    round: int
    outcome: Outcome


Effect = (
    Pay
    | Burn
    | SlashRequest
    | ScheduleWake
    | TaskCreated
    | TaskFunded
    | TaskClosed
    | RoundOpened
    | PhaseEntered
    | UpdateCommitted
    | UpdateRevealed
    | Anomaly
    | AggregateSelected
    | ModelCommitted
    | RoundEnded
)
