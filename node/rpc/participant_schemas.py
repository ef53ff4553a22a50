"""What the API says about who takes part, and what is found; see `schemas` for the conventions."""

import msgspec

from node.rpc.texts import AddressText, BigInteger, BigWhole, DigestText, Whole


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The root of these schemas."""


class OffenceEvidence(_Answer, frozen=True, kw_only=True):
    """What proves an offence."""

    height: Whole
    """Of the commit that punished it."""
    transaction: DigestText | None
    """That brought the proof; null where the commit itself held both blocks."""
    reporter: AddressText | None
    round: Whole | None
    """For which two blocks were made; null for two votes."""
    digests: tuple[DigestText, ...]
    """Of the two blocks or checkpoints, as far as they are known."""


class Offence(_Answer, frozen=True, kw_only=True):
    """What a validator was shut out for: a lie that its own signatures prove."""

    code: str
    """equivocation or conflicting_votes."""
    basis_points: Whole
    """Of what it had at stake, that it cost beyond graver or equal ones before it."""
    evidence: OffenceEvidence | None
    """Null in lists of participants, and where this node no longer has the blocks of that time, or
    is not through with them: ask again."""


class Tenure(_Answer, frozen=True, kw_only=True):
    """How a participant stands as a validator."""

    standing: str
    seat: Whole | None
    power: Whole
    stake: BigWhole
    rounds_attended: Whole
    """Rounds of the running epoch in which its seat had a block."""
    rounds_most: Whole
    """The same, of the most present seat."""
    absences: Whole
    """Epochs in a row in which it was absent."""
    release_epoch: Whole
    offences: tuple[Offence, ...]


class Participant(_Answer, frozen=True, kw_only=True):
    """Somebody with an identity, a validator's pool, or a part in a task."""

    address: AddressText
    name: str
    organisation: str
    role: str
    registered_at: Whole
    """0 without an identity; then the texts are empty."""
    validator: Tenure | None
    tasks: tuple[Whole, ...]
    updates: Whole
    """That it committed to."""
    accepted: Whole
    faults: Whole
    """In tasks, and offences of a validator."""


class Participants(_Answer, frozen=True, kw_only=True):
    """A page of participants by address; ask again after the last one for more."""

    count: Whole
    participants: tuple[Participant, ...]
    is_complete: bool
    """Whether nobody follows; never where the node leaves some out, for there are too many."""


class RoundPart(_Answer, frozen=True, kw_only=True):
    """A participant's part in one round."""

    round: Whole
    height: Whole
    """At which the round ended, or of its last event."""
    time_ms: Whole | None
    outcome: str
    """running, committed or null."""
    reputation: BigInteger | None
    """After it, Q16; null where it did not move."""
    verdict: str | None
    """As in a judgement; null without an update."""
    score: BigInteger | None
    weight: BigWhole | None
    gain: BigInteger | None
    earned: BigWhole | None
    """For training; null where this node did not see it."""
    paid: BigWhole
    """For validating."""


class Reward(_Answer, frozen=True, kw_only=True):
    """A payment of a task."""

    height: Whole
    time_ms: Whole | None
    amount: BigWhole
    purpose: str


class DisputeNote(_Answer, frozen=True, kw_only=True):
    """What became of a request to slash."""

    number: Whole
    state: str
    """waiting, appealed, slashed or lifted."""
    until: Whole


class FaultNote(_Answer, frozen=True, kw_only=True):
    """A fault and the event that is its evidence."""

    code: str
    fault: str
    round: Whole
    basis_points: Whole
    """Of the stake, that is asked for."""
    height: Whole
    receipt_index: Whole
    event_index: Whole
    dispute: DisputeNote | None


class PartHistory(_Answer, frozen=True, kw_only=True):
    """What a participant did in a task, the oldest first, and what became of it."""

    address: AddressText
    task: Whole
    initial_reputation: BigWhole
    """What an identity has that nobody has met, Q16."""
    rounds: tuple[RoundPart, ...]
    rewards: tuple[Reward, ...]
    faults: tuple[FaultNote, ...]
    is_complete: bool
    """False where older rounds, payments or faults are left out."""


class Hit(_Answer, frozen=True, kw_only=True):
    """Something that was found, and where the explorer shows it."""

    kind: str
    title: str
    note: str
    path: str


class Hits(_Answer, frozen=True, kw_only=True):
    """What a search found."""

    hits: tuple[Hit, ...]
