"""How much sync asks for, how long it waits, and what it serves."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncLimits:
    """What one node does when it follows others.

    Args:
        peers_wait_ms: how long to wait for a first peer before going on alone.
        patience_ms: how long to go on when peers say that they have no more what is needed.
        answer_ms: how long one answer may take.
        survey_ms: how long peers have to say how far they are.
        stagger_ms: without an answer for this long, another peer is asked as well.
        poll_ms: between two questions for a newer certificate, if none came by gossip.
        rest_ms: how long a peer that failed is asked only if there is no other.
        asked_max: peers that are asked the same thing, one after another.
        span_commits: how far ahead of the state the next certificate is chosen.
        direct_commits_max: what is fetched in one answer, without asking for the chain first.
        range_commits: of one answer, where several are fetched at the same time.
        ranges_max: answers that are under way, or wait to be executed.
        snapshot_peers_max: that give chunks of one snapshot at the same time.
    """

    peers_wait_ms: int = 5_000
    patience_ms: int = 30_000
    answer_ms: int = 10_000
    survey_ms: int = 3_000
    stagger_ms: int = 300
    poll_ms: int = 2_000
    rest_ms: int = 10_000
    asked_max: int = 4
    span_commits: int = 512
    direct_commits_max: int = 64
    range_commits: int = 64
    ranges_max: int = 4
    snapshot_peers_max: int = 4


DEFAULT_LIMITS: Final = SyncLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingLimits:
    """What one node does for those who follow it.

    Args:
        snapshots_max: versions of the state that are held for others at a time.
        snapshot_idle_ms: one that nobody asked about for so long is let go.
        snapshot_fresh_ms: an offer that is older makes room for a newer one.
    """

    snapshots_max: int = 3
    snapshot_idle_ms: int = 60_000
    snapshot_fresh_ms: int = 60_000


DEFAULT_SERVING: Final = ServingLimits()
