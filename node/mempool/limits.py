"""What a mempool may hold and how patient it is; local, so two nodes may differ."""

from typing import Final

import msgspec

from node.ledger.admission import NONCE_WINDOW


class PoolLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of the pool.

    Args:
        bytes_max: of all that waits, with `ENTRY_EXTRA_BYTES` for each.
        per_sender_max: transactions of one sender; the entry rules allow no more than their window.
        replace_percent: how much more a replacement must offer, of fee and of tip.
        origin_share: once the pool is half full, one peer may fill one part in so many.
        backup_share: of what is on its way, the part that others should have proposed.
        patience_ms: how long a transaction waits for the validator whose turn it is, and then for
            the next one.
        ranks_max: from so many turns on everybody proposes it.
        flight_commits_max: commits after which what was proposed and never seen again waits anew;
            well over the depth at which consensus gives up a block, and gives it back.
        refusals_max: how often a transaction may be refused by the executor.
        departures_kept: the newest transactions of which is known how they left.
        refreshed_per_commit: senders whose accounts are looked up after a commit, in turn.
    """

    bytes_max: int = 32 << 20
    per_sender_max: int = NONCE_WINDOW
    replace_percent: int = 10
    origin_share: int = 4
    backup_share: int = 8
    patience_ms: int = 2_000
    ranks_max: int = 4
    flight_commits_max: int = 300
    refusals_max: int = 8
    departures_kept: int = 8_192
    refreshed_per_commit: int = 32


ENTRY_EXTRA_BYTES: Final = 1_024
"""What a transaction takes in memory beside its bytes, decoded and in every index."""

DEFAULT_LIMITS: Final = PoolLimits()
