"""What every validator must agree on, and what each may tune for itself.

`Parameters` are part of the genesis digest of an epoch, so two nodes that disagree on one of
them never exchange a valid block (a threshold read from local configuration instead of epoch
state is a fork). `Tuning` holds timings and buffer sizes that change speed, never a verdict.

Defaults: Sui `consensus/config`, scaled to Python committees of 4 to 100.
"""

import msgspec

WAVE_LENGTH = 3
"""Rounds from a leader to its certificates: leader r, votes r+1, certificates r+2."""


class Parameters(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Agreed limits and rules of one epoch; hashed into the genesis digest.

    Args:
        leaders_per_round: distinct leader slots per round, 1 to the committee size.
        gc_depth: rounds below the last committed leader that stay in memory and may be linked.
        schedule_window: commits between two changes of the leader schedule.
        transaction_bytes_max: largest single payload item, in bytes.
        payload_bytes_max: largest sum of payload items of one block, in bytes.
        transactions_max: most payload items of one block.
        reports_max: most equivocation reports of one block.
    """

    leaders_per_round: int = 1
    gc_depth: int = 100
    schedule_window: int = 300
    transaction_bytes_max: int = 65_536
    payload_bytes_max: int = 262_144
    transactions_max: int = 512
    reports_max: int = 4


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """Local timings and bounds; two nodes may differ in all of them and still agree.

    Args:
        min_round_delay_ms: least time between two own proposals at the frontier.
        idle_round_delay_ms: the same while no payload waits for its commit, where that is longer;
            keep it below tick_ms, or each tick takes the frontier for stalled.
        laden_round_delay_ms: the same after a round with much payload: fewer and larger blocks.
        laden_after: transactions in all blocks of a round that count as much.
        delta_initial_ms: first estimate of the message delay; the leader timeout is twice it.
        delta_min_ms: least adaptive estimate.
        delta_max_ms: greatest adaptive estimate, back-off included.
        backoff_after_rounds: own proposals without a commit that double the estimate.
        tick_ms: period of retries, frontier exchange and lag checks.
        fetch_timeout_ms: after this a fetch in flight may be asked of another peer.
        fetch_refs_max: most refs of one request.
        fetch_blocks_max: most blocks of one answer.
        fetch_bytes_max: most payload and header bytes of one answer.
        fetch_peers_per_ref: most requests in flight for one ref.
        fetch_requests_per_peer: most requests in flight to one peer.
        drift_max_ms: a block stamped further ahead of our wall clock is not taken from a stream.
        round_margin: a block more than 2 * gc_depth + round_margin above our frontier is ignored.
        suspended_per_author_max: most blocks of one author that wait for ancestors.
        missing_per_author_max: most refs that the suspended blocks of one author lack together.
        novelty_max: most blocks accepted while handling one input; the rest follow at once after.
        commit_batch: commits asked for in one request, and the lag that starts commit sync.
        commit_requests_max: commit ranges in flight.
        pending_bytes_max: payload bytes queued for own blocks.
        unacknowledged_rounds_max: own rounds above GC that a quorum has not seen before we pause.
        push_lag_max: peers this many rounds behind are no longer pushed to (they fetch).
    """

    min_round_delay_ms: int = 50
    idle_round_delay_ms: int = 0
    laden_round_delay_ms: int = 0
    laden_after: int = 64
    delta_initial_ms: int = 250
    delta_min_ms: int = 50
    delta_max_ms: int = 2_000
    backoff_after_rounds: int = 12
    tick_ms: int = 250
    fetch_timeout_ms: int = 1_000
    fetch_refs_max: int = 200
    fetch_blocks_max: int = 200
    fetch_bytes_max: int = 4_194_304
    fetch_peers_per_ref: int = 2
    fetch_requests_per_peer: int = 5
    drift_max_ms: int = 500
    round_margin: int = 20
    suspended_per_author_max: int = 400
    missing_per_author_max: int = 2_000
    novelty_max: int = 500
    commit_batch: int = 100
    commit_requests_max: int = 4
    pending_bytes_max: int = 4_194_304
    unacknowledged_rounds_max: int = 50
    push_lag_max: int = 20
