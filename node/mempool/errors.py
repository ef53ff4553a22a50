"""Why a transaction that the entry rules would let in may not wait here.

InvalidTransactionError (primitives.errors)
  PoolError
    PoolFullError, PoolShareError, ReplacementFeeError, ReplacementLateError
"""

from typing import ClassVar

from primitives.errors import InvalidTransactionError


class PoolError(InvalidTransactionError):
    """The mempool does not take the transaction; it may come again.

    Args:
        actual: what the transaction, or its sender, has.
        limit: what is asked for.
    """

    code = "mempool"
    wording: ClassVar[str] = "not taken: {actual}, limit {limit}"

    def __init__(self, *, actual: int = 0, limit: int = 0) -> None:
        super().__init__(self.wording.format(actual=actual, limit=limit))
        self.actual = actual
        self.limit = limit


class PoolFullError(PoolError):
    """The pool is full of transactions that pay at least as much, or the sender's share is."""

    code = "mempool-full"
    wording = "the mempool is full: the tip per gas is {actual}, so come back or offer over {limit}"


class PoolShareError(PoolError):
    """One peer fills its share of a pool that is more than half full."""

    code = "mempool-share"
    wording = "one peer's transactions take {actual} bytes of the mempool, limit {limit}"


class ReplacementFeeError(PoolError):
    """Another transaction of this nonce waits, and this one does not pay enough more."""

    code = "mempool-replacement-fee"
    wording = "a fee per gas of {actual} does not replace the one that waits, {limit} would"


class ReplacementLateError(PoolError):
    """Another transaction of this nonce is in a block on its way."""

    code = "mempool-replacement-late"
    wording = "nonce {actual} is in a block on its way"
