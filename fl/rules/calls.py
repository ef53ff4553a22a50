"""What happens to a task: calls by anyone, and wake-ups by the chain's scheduler.

Arguments arrive with the types that the contract language guarantees, an integer, bytes, an
address, and with nothing else checked: every bound is a rule of the machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fl.rules.limits import IDENTITY_PERCENT_MIN
from primitives.ids import Address, Height, Power, TimestampMs

UNREGISTERED: Final = Height(0)
"""The registration height of an address without one; genesis is no commit, so nobody has it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The commit that carries an event: its time and its height."""

    now_ms: TimestampMs
    height: Height


@dataclass(frozen=True, slots=True)
class Chain:
    """What the chain knows beside the rounds.

    Args:
        committee: the validators of this epoch with their normalised, capped power, in order.
        registered: at which height each identity was registered last; a revoked one is absent.
    """

    committee: tuple[tuple[Address, Power], ...]
    registered: Mapping[Address, Height] = field(default_factory=dict)

    def registered_at(self, address: Address) -> Height:
        """Return the registration height, `UNREGISTERED` for an address without one."""
        return self.registered.get(address, UNREGISTERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTask:
    """Offer a task; the money sent becomes its escrow.

    Args:
        document: hash of what the chain need not read: layout, probe sets, base model, tokenizer.
        model: hash of the first model.
        reward: grains for one round.
        bond: grains that each update puts down.
        slots: updates per round, at most.
        ready: as many updates end COMMIT at once, 1 to `slots`; 0: COMMIT takes its whole window.
            A round that starts early gives up the defence against identities that cost little: it
            is never full, so no better reputation displaces a lesser one, and whoever comes late
            waits for the next round. Those who are first can keep all others out, round by round;
            so it is for a consortium that knows its trainers.
        epsilon: the least threshold of a score, in 100 micro-nats as the next two; what a round
            gains and what the task has gained set it higher, see `select.threshold_of`.
        band_min: the least half-width of the band that scores are clamped to.
        harm: an update is harm if it costs more than this, and more than the task's peak gained.
        clip: norm to which updates are clipped in the first round.
        clip_min: floor of later clips.
        windows: durations of the seven waiting phases in ms, in the order of `Phase`.
        guard_bounds: the greatest change of each guard measure; loss first, then classes, probes.
        identity_percent: the most that one identity gets of the trainers' pot; the rest is burned.
    """

    document: bytes
    model: bytes
    reward: int
    bond: int
    slots: int
    ready: int = 0
    epsilon: int
    band_min: int
    harm: int
    clip: int
    clip_min: int
    windows: tuple[int, ...]
    guard_bounds: tuple[int, ...]
    identity_percent: int = IDENTITY_PERCENT_MIN


@dataclass(frozen=True, slots=True)
class TopUp:
    """Add the money sent to the escrow; it then belongs to the sponsor."""

    task: int


@dataclass(frozen=True, slots=True)
class CloseTask:
    """End the task: at once, or when the running round has ended; the escrow goes back."""

    task: int


@dataclass(frozen=True, slots=True)
class OpenRound:
    """Open the next round; the reward moves from the escrow into its pot."""

    task: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Commit to an update and put down the bond."""

    task: int
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Reveal:
    """Open the commitment to an update."""

    task: int
    root: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class Attest:
    """Say which blobs the sender holds; bit i stands for update i."""

    task: int
    held: int


@dataclass(frozen=True, slots=True)
class CommitScores:
    """Commit to a scorecard."""

    task: int
    commitment: bytes


@dataclass(frozen=True, slots=True)
class RevealScores:
    """Open the commitment to a scorecard."""

    task: int
    card: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class Vote:
    """Name the hash of the aggregate that the sender computed."""

    task: int
    aggregate: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """Report how the guard measures change under the aggregate."""

    task: int
    changes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Advance:
    """Take up to so many steps that are due, for whoever wants the round to go on."""

    task: int
    steps: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Pay out what has vested for an identity, to that identity, whoever asks."""

    task: int
    address: Address
    registered_at: int


TaskAction = (
    TopUp
    | CloseTask
    | OpenRound
    | Commit
    | Reveal
    | Attest
    | CommitScores
    | RevealScores
    | Vote
    | Report
    | Advance
    | Claim
)
Action = CreateTask | TaskAction


@dataclass(frozen=True, slots=True)
class Call:
    """One call with the money it brings, in grains."""

    sender: Address
    value: int
    moment: Moment
    action: Action


@dataclass(frozen=True, slots=True)
class Wake:
    """The scheduler's call, with what `ScheduleWake` named."""

    moment: Moment
    task: int
    serial: int


Event = Call | Wake
