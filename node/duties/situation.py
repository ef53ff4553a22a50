"""What a plan follows from: what the chain says of one task, and what this node has of it."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fl.rules.phase import Phase
from node.duties.duty import Step
from primitives.ids import Address


@enum.unique
class Role(enum.Enum):
    """What a node is willing to do; whether it has a seat is the chain's to say."""

    TRAINER = "trainer"
    VALIDATOR = "validator"
    SCORER = "scorer"
    """Beside `VALIDATOR`: it has torch, the base model and examples that were held out."""


@enum.unique
class Deed(enum.Enum):
    """What a seat has done in a round, as the chain has it."""

    PROMISED = "promised"
    CARDED = "carded"
    VOTED = "voted"
    REPORTED = "reported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One update of a round.

    Args:
        root: of its blob; empty until it is revealed.
        attested: the power of those who hold it.
        weight: in the aggregate, at this rung; 0 before SELECT or if it is left out.
    """

    trainer: Address
    root: bytes = b""
    attested: int = 0
    weight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRound:
    """A round that is not over.

    Args:
        deadline_ms: of a waiting phase; when a phase of steps began.
        window_ms: how long the phase lasts at most; 0 for a phase of steps.
        seats: operators, in order.
        held: the updates that the own seat has attested, as bits.
        deeds: of the own seat, at this rung.
        aggregate: that has a quorum at this rung; empty before.
    """

    number: int
    phase: Phase
    deadline_ms: int
    window_ms: int
    seats: tuple[Address, ...]
    quorum: int
    entries: tuple[Entry, ...] = ()
    rung: int = 0
    held: int = 0
    deeds: frozenset[Deed] = frozenset()
    aggregate: bytes = b""

    def available(self) -> list[int]:
        """Return the updates that a quorum holds."""
        return [i for i, one in enumerate(self.entries) if one.root and self._is_held(one)]

    def weighted(self) -> list[int]:
        """Return the updates that make the aggregate."""
        return [i for i, one in enumerate(self.entries) if one.weight > 0]

    def _is_held(self, entry: Entry) -> bool:
        return entry.attested >= self.quorum


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the chain says of one task, and of this node in it.

    Args:
        who: the account of this node.
        registered_at: of that account; 0 without an identity.
        is_quarantined: the account may not commit updates for now.
        model: digest of the newest version.
        rounds: opened so far.
        serial: phases entered so far.
        committee: operators of this epoch's validators, in order.
        claimable: what has vested for the account.
        round_pause_ms: how long nobody opens a round after the last one.
        round: None between two.
    """

    task: int
    who: Address
    model: bytes
    version: int = 0
    rounds: int = 0
    serial: int = 0
    escrow: int = 0
    reward: int = 0
    is_closing: bool = False
    registered_at: int = 0
    is_quarantined: bool = False
    committee: tuple[Address, ...] = ()
    claimable: int = 0
    round_pause_ms: int = 0
    round: RunningRound | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What this node has of a task and of its running round.

    Args:
        has_model: the blob of the newest model.
        known_version: up to which the models, deltas and optimiser states are at hand.
        is_history_beyond_reach: nobody gave what is missing of them when this node asked.
        update_root: of the own update for this round; empty if there is none.
        is_offered: the own update lies sealed, for those who have seats.
        holdings: roots of updates whose content is at hand.
        has_card: the own scorecard.
        candidates: by rung, the digest of the aggregate as this node computed it.
        has_aggregate: the blob that has a quorum at this rung.
        reports: rungs for which the guard's measures are at hand, under what has a quorum or,
            before anything has, under the own candidate.
        given_up: steps that cannot be done here, for this round or for good.
        idle_since_ms: when this node saw that no round runs.
        empty_rounds: how many rounds in a row ended without any update.
    """

    has_model: bool = False
    known_version: int = -1
    is_history_beyond_reach: bool = False
    update_root: bytes = b""
    is_offered: bool = False
    holdings: frozenset[bytes] = frozenset()
    has_card: bool = False
    candidates: Mapping[int, bytes] = field(default_factory=lambda: MappingProxyType({}))
    has_aggregate: bool = False
    reports: frozenset[int] = frozenset()
    given_up: frozenset[Step] = frozenset()
    idle_since_ms: int = 0
    empty_rounds: int = 0
