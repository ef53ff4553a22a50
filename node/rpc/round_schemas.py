"""What the API says about tasks, rounds, models, identities; `schemas` has the conventions."""

import msgspec

from node.rpc.schemas import PlacedEvent
from node.rpc.texts import AddressText, BigInteger, BigWhole, DigestText, HexText, Whole


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The root of these schemas."""


class Terms(_Answer, frozen=True, kw_only=True):
    """What a task promises for all its rounds."""

    document: HexText
    reward: BigWhole
    bond: BigWhole
    slots: Whole
    ready: Whole
    epsilon: BigWhole
    band_min: BigWhole
    harm: BigWhole
    clip_min: BigWhole
    windows: tuple[Whole, ...]
    guard_bounds: tuple[BigInteger, ...]
    identity_percent: Whole


class Task(_Answer, frozen=True, kw_only=True):
    """One federated task."""

    task: Whole
    title: str
    description: str
    organisation: str
    sponsor: AddressText
    model: HexText
    """Id of the newest MODEL blob."""
    clip: BigWhole
    escrow: BigWhole
    version: Whole
    rounds: Whole
    scored: Whole
    is_running: bool
    is_closing: bool
    is_closed: bool
    terms: Terms


class Tasks(_Answer, frozen=True, kw_only=True):
    """A page of tasks by number; ask again from the number after the last one for more."""

    count: Whole
    tasks: tuple[Task, ...]


class Update(_Answer, frozen=True, kw_only=True):
    """One trainer's part in a round."""

    index: Whole
    trainer: AddressText
    commitment: HexText
    committed_at: Whole
    bond: BigWhole
    root: HexText | None
    attested: BigWhole
    is_available: bool
    is_judged: bool
    score: BigInteger
    norm: BigInteger
    cluster: BigInteger
    verdict: str
    """pending, accepted, or why it earns nothing."""
    weight: BigWhole
    gain: BigInteger


class Seat(_Answer, frozen=True, kw_only=True):
    """One validator's part in a round."""

    index: Whole
    validator: AddressText
    power: BigWhole
    held: tuple[Whole, ...]
    has_committed: bool
    has_revealed: bool
    vote: HexText | None
    report: tuple[BigInteger, ...] | None


class Round(_Answer, frozen=True, kw_only=True):
    """The round that runs."""

    task: Whole
    number: Whole
    phase: str
    deadline_ms: Whole
    quorum: BigWhole
    pot: BigWhole
    rung: Whole
    aggregate: HexText | None
    is_committed: bool
    updates: tuple[Update, ...]
    seats: tuple[Seat, ...]


class RunningRound(_Answer, frozen=True, kw_only=True):
    """The running round of a task, if there is one between two."""

    round: Round | None


class Model(_Answer, frozen=True, kw_only=True):
    """One version of a model with what made it."""

    task: Whole
    version: Whole
    round: Whole
    parent: HexText
    model: HexText
    clip: BigWhole
    """Of the round that follows."""
    limit: BigWhole
    """The norm to which the updates of this round were cut."""
    halvings: Whole
    """How often the step was halved before the guard let it pass."""
    contributors: tuple[AddressText, ...]
    roots: tuple[HexText, ...]
    """Of their UPDATE blobs; empty if they were not recorded."""
    weights: tuple[BigWhole, ...]
    scores: tuple[BigInteger, ...]
    height: Whole
    time_ms: Whole


class PhaseEntry(_Answer, frozen=True, kw_only=True):
    """When a round entered a phase, in chain time."""

    phase: str
    height: Whole
    time_ms: Whole | None
    deadline_ms: Whole


class RoundHistory(_Answer, frozen=True, kw_only=True):
    """What became of a round, as far as this node keeps its events."""

    task: Whole
    number: Whole
    outcome: str
    """running, committed or null."""
    first_height: Whole
    last_height: Whole
    phases: tuple[PhaseEntry, ...]
    model: Model | None
    """What it committed, None if nothing."""
    events: tuple[PlacedEvent, ...]
    is_complete: bool
    """False where there are more events than one answer holds, or older ones are pruned."""


class Identity(_Answer, frozen=True, kw_only=True):
    """Who an account is; without an identity the texts are empty."""

    address: AddressText
    name: str
    role: str
    organisation: str
    registered_at: Whole
    roles: tuple[str, ...]
    keys: tuple[DigestText, ...]


class Standing(_Answer, frozen=True, kw_only=True):
    """What a task remembers of an identity, and what it owes it."""

    address: AddressText
    reputation: BigInteger
    """65,536 stands for one."""
    gain_average: BigInteger
    harm_history: BigInteger
    quarantined_until: Whole
    vested: BigWhole
    vesting: BigWhole
