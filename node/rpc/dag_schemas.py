"""What the API says about the DAG and rows of commits; see `schemas` for the conventions."""

import msgspec

from node.rpc.texts import AddressText, BigWhole, DigestText, Whole


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The root of these schemas."""


class Lane(_Answer, frozen=True, kw_only=True):
    """One seat of the committee: whose blocks stand in its lane."""

    seat: Whole
    operator: AddressText
    name: str
    """Of the identity, empty without one."""
    power: Whole


class DagBlock(_Answer, frozen=True, kw_only=True):
    """One block of the DAG."""

    round: Whole
    seat: Whole
    bit: Whole
    """Its place in the round: that of its seat, or one above all seats for a further twin."""
    digest: DigestText
    parents: tuple[Whole, ...]
    """Bits of its ancestors in the round before."""
    weak: tuple[tuple[Whole, Whole], ...]
    """Round and bit of older ancestors."""
    transactions: Whole
    time_ms: Whole
    is_committed: bool


class LeaderSlot(_Answer, frozen=True, kw_only=True):
    """What became of a slot whose block orders what lies in its cone."""

    round: Whole
    offset: Whole
    """Among the leaders of the round."""
    seat: Whole
    verdict: str
    """direct or indirect (how a commit shows in this DAG, whichever rule came first), committed
    (how is not known here), skipped, undecided. A slot is left out while nobody knows whose it was.
    """
    digest: DigestText | None
    commit_index: Whole | None
    height: Whole | None
    """None while the commit is not executed here."""


class Twins(_Answer, frozen=True, kw_only=True):
    """Several blocks of one seat in one round: proof that it lied."""

    round: Whole
    seat: Whole
    digests: tuple[DigestText, ...]


class Dag(_Answer, frozen=True, kw_only=True):
    """The last rounds of the DAG, as this node has them; a copy at most 500 ms old."""

    source: str
    """consensus: of a node with a seat; commits: of one that follows, so only what is committed."""
    epoch: Whole
    height: Whole
    first_round: Whole
    last_round: Whole
    committed_round: Whole
    """Of the last committed leader, 0 before the first."""
    lanes: tuple[Lane, ...]
    blocks: tuple[DagBlock, ...]
    leaders: tuple[LeaderSlot, ...]
    twins: tuple[Twins, ...]


class CommitLine(_Answer, frozen=True, kw_only=True):
    """One commit in a row of them."""

    height: Whole
    epoch: Whole
    commit_index: Whole
    digest: DigestText
    time_ms: Whole
    receipts: Whole
    gas_used: BigWhole
    fees: BigWhole
    is_final: bool
    checkpoint: Whole | None
    """Its number; None for a commit without one."""


class Commits(_Answer, frozen=True, kw_only=True):
    """Commits, the newest first; ask again before the last one, even if there are few."""

    head: Whole
    certified_height: Whole | None
    commits: tuple[CommitLine, ...]
    is_complete: bool
    """Whether none below is kept here."""
