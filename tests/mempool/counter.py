"""A pool over a counted town: offers, takes and commits in one line each."""

from collections.abc import Iterable

from node.ledger.receipt import Receipt
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    SignedTransaction,
    transaction_id,
)
from node.mempool.agenda import Seat
from node.mempool.entry import LOCAL, Admission, Claim, Offer
from node.mempool.limits import DEFAULT_LIMITS, PoolLimits
from node.mempool.pool import Lead, Pool
from primitives.ids import AuthorityIndex, Digest
from tests.mempool.purse import Purse
from tests.mempool.town import Town, executed

LEAD = Lead(bytes_max=100_000, count_max=100, step_max=100)
ALONE = Seat(AuthorityIndex(0), 1)


def offer_of(
    signed: SignedTransaction, *, origin: bytes = LOCAL, claim: Claim = Claim.OWN
) -> Offer:
    """Return the offer of a transaction."""
    raw = SIGNED_TRANSACTION_CODEC.encode(signed)
    name = transaction_id(signed.transaction)
    return Offer(raw=raw, name=name, signed=signed, origin=origin, claim=claim)


class Counter:
    """Who stands at the counter of a pool."""

    def __init__(
        self, *purses: Purse, limits: PoolLimits = DEFAULT_LIMITS, seat: Seat | None = ALONE
    ) -> None:
        self.town = Town()
        self.town.endow(*purses)
        self.pool = Pool(base_fee=self.town.base_fee, limits=limits)
        self.pool.sit(seat)
        self.now_ms = 0

    def admit(
        self, signed: SignedTransaction, *, origin: bytes = LOCAL, claim: Claim = Claim.OWN
    ) -> Admission:
        offer = offer_of(signed, origin=origin, claim=claim)
        account = self.town.account(signed.transaction.sender)
        return self.pool.admit(offer, account=account, now_ms=self.now_ms)

    def take(self, lead: Lead = LEAD) -> list[SignedTransaction]:
        items = self.pool.take(lead, now_ms=self.now_ms, account_of=self.town.account)
        return [SIGNED_TRANSACTION_CODEC.decode(raw) for raw in items]

    def commit(self, *receipts: Receipt, span_ms: int = 100) -> None:
        event = self.town.commit(*receipts, span_ms=span_ms)
        self.pool.committed(
            event.receipts,
            time_ms=event.time_ms,
            base_fee=self.town.base_fee,
            account_of=self.town.account,
        )

    def execute(self, purse: Purse, *signed: SignedTransaction) -> None:
        """Let a commit execute transactions of one sender."""
        for _ in signed:
            self.town.count(purse)
        self.commit(*(executed(transaction_id(one.transaction)) for one in signed))


def names(transactions: Iterable[SignedTransaction]) -> list[Digest]:
    """Return the ids of transactions."""
    return [transaction_id(signed.transaction) for signed in transactions]


def nonces(transactions: Iterable[SignedTransaction]) -> list[int]:
    """Return the nonces of transactions."""
    return [signed.transaction.nonce for signed in transactions]
