"""What the API says about why a round ended as it did; see `schemas` for the conventions.

Everything that only the state told while the round ran is null where this node did not look then.
"""

import msgspec

from node.rpc.texts import AddressText, BigInteger, BigWhole, HexText, Whole


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The root of these schemas."""


class Judge(_Answer, frozen=True, kw_only=True):
    """One validator's part in a round."""

    seat: Whole
    validator: AddressText
    power: BigWhole
    held: tuple[Whole, ...]
    has_revealed: bool
    """Its scorecard."""
    trust: BigWhole | None
    """How near its scores were to the medians."""
    paid: BigWhole | None
    paid_storage: BigWhole | None
    """The part of it that is for keeping updates."""


class Opinion(_Answer, frozen=True, kw_only=True):
    """What one validator said of one update, in 100 micro-nats."""

    seat: Whole
    alone: BigInteger
    """How much the update alone lowers the loss; below zero the loss rose."""
    left_out: BigInteger
    """How much the loss rises when it is left out."""
    verdict: str
    """valid, malformed or replay."""
    original: Whole
    cluster: Whole
    norm: BigWhole


class Cause(_Answer, frozen=True, kw_only=True):
    """Why an update got its verdict: a code, and the numbers that make words of it."""

    code: str
    """accepted, pending, or displaced, withheld, unavailable, unscored, undecided, malformed,
    replay, copy, twin, low_quality, dropped, not_committed."""
    seats: Whole | None = None
    """How many validators scored it."""
    rose: Whole | None = None
    """How many of them saw the loss rise."""
    score: BigInteger | None = None
    threshold: BigInteger | None = None
    median: BigInteger | None = None
    attested: BigWhole | None = None
    """Power of those that hold it."""
    quorum: BigWhole | None = None
    original: Whole | None = None
    """The update that it is a copy or a twin of."""
    rung: Whole | None = None
    """The rung of the ladder that left it out."""
    agreeing: BigWhole | None = None
    """Power of the largest group with equal facts."""


class JudgedUpdate(_Answer, frozen=True, kw_only=True):
    """One update, by everything that counted."""

    index: Whole
    trainer: AddressText
    root: HexText | None
    attested: BigWhole | None
    scores: tuple[Opinion, ...]
    score: BigInteger | None
    left_out: BigInteger | None
    """Medians by power, as the score."""
    band: BigWhole | None
    norm: BigWhole | None
    is_clipped: bool
    """Its norm is above the limit, so it was cut."""
    verdict: str
    weight: BigWhole
    gain: BigInteger | None
    sharers: Whole | None
    """How many updates of one cluster share a slot."""
    earned: BigWhole | None
    bond: str
    """held, returned or burned."""
    reason: Cause


class Ballot(_Answer, frozen=True, kw_only=True):
    """A vote for the hash of an aggregate."""

    seat: Whole
    hash: HexText


class Report(_Answer, frozen=True, kw_only=True):
    """How the guard's measures change under the aggregate, as one validator found."""

    seat: Whole
    changes: tuple[BigInteger, ...]


class Rung(_Answer, frozen=True, kw_only=True):
    """One rung of the ladder: an aggregate, and what became of it."""

    rung: Whole
    halvings: Whole
    """How often the step of the model is halved."""
    weights: tuple[BigWhole, ...]
    """Of all updates, Q16."""
    height: Whole | None
    dropped: tuple[Whole, ...]
    """Updates that left with this rung."""
    votes: tuple[Ballot, ...]
    aggregate: HexText | None
    """What a quorum voted for."""
    agreeing: BigWhole
    """Power behind the most common vote."""
    reports: tuple[Report, ...]
    medians: tuple[BigInteger, ...] | None
    passed: tuple[bool, ...] | None
    """Whether each median is within its bound."""
    result: str
    """running, committed, no_quorum_of_votes, no_quorum_of_reports, refused or unknown."""


class Payment(_Answer, frozen=True, kw_only=True):
    """Money that left for an account."""

    to: AddressText
    amount: BigWhole
    purpose: str
    height: Whole


class Money(_Answer, frozen=True, kw_only=True):
    """Where the money of a round went."""

    reward: BigWhole
    trainers: BigWhole | None
    """Earned; it vests later."""
    validators: BigWhole | None
    """Paid out, with what is for storage; like all sums null if more was told than is read."""
    storage: BigWhole | None
    burned: BigWhole | None
    bonds: BigWhole | None
    """Given back."""
    returned: BigWhole | None
    """To the escrow."""
    payments: tuple[Payment, ...]


class SlashWanted(_Answer, frozen=True, kw_only=True):
    """A request to slash that the round made."""

    who: AddressText
    code: str
    fault: str
    basis_points: Whole
    height: Whole


class Judgement(_Answer, frozen=True, kw_only=True):
    """Why a round ended as it did, or stands as it does."""

    task: Whole
    round: Whole
    outcome: str
    """running, committed or null."""
    phase: str | None
    """Of a running round."""
    source: str
    """seen: this node watched; events: it did not, so much is null."""
    clip: BigWhole | None
    """The norm to which updates are cut, 2**16 for one."""
    quorum: BigWhole | None
    power: BigWhole | None
    threshold: BigInteger | None
    """What a score must exceed."""
    median: BigInteger | None
    """Of the accepted scores."""
    level: BigInteger | None
    seats: tuple[Judge, ...]
    updates: tuple[JudgedUpdate, ...]
    displaced: tuple[AddressText, ...]
    """Trainers whose place went to a better reputation."""
    guard_names: tuple[str, ...]
    guard_bounds: tuple[BigInteger, ...]
    rungs: tuple[Rung, ...]
    money: Money
    slashes: tuple[SlashWanted, ...]
    version: Whole | None
    model: HexText | None
    first_height: Whole
    last_height: Whole


class VersionLine(_Answer, frozen=True, kw_only=True):
    """A version of a model, and how the guard saw it change."""

    version: Whole
    round: Whole
    parent: HexText
    model: HexText
    clip: BigWhole
    """Of the round after."""
    limit: BigWhole
    """The norm to which the updates of its round were cut."""
    contributors: tuple[AddressText, ...]
    roots: tuple[HexText, ...]
    weights: tuple[BigWhole, ...]
    scores: tuple[BigInteger, ...]
    height: Whole
    time_ms: Whole
    changes: tuple[BigInteger, ...] | None
    """Medians of the guard's reports, the loss first; null where this node did not see them."""


class Versions(_Answer, frozen=True, kw_only=True):
    """Versions of a model, the newest first; version 0 is what the task began with."""

    task: Whole
    latest: Whole
    start: HexText | None
    """Id of the MODEL blob of version 0; null while it is not known."""
    guard_names: tuple[str, ...]
    guard_bounds: tuple[BigInteger, ...]
    versions: tuple[VersionLine, ...]
    is_complete: bool
