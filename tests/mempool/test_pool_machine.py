"""Whatever happens to a pool, its promises hold."""

from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from node.ledger.errors import EntryError
from node.ledger.transaction import SignedTransaction, transaction_id
from node.mempool.agenda import Seat
from node.mempool.entry import LOCAL, Admission, Claim, Departure
from node.mempool.errors import PoolError
from node.mempool.limits import PoolLimits
from node.mempool.pool import Lead
from primitives.hashing import Domain, tagged_hash
from primitives.ids import AuthorityIndex, Digest, Grain
from tests.mempool.counter import Counter, offer_of
from tests.mempool.purse import BASE_FEE, Purse
from tests.mempool.town import RICH, executed, refused

PURSES = [Purse(number) for number in range(1, 4)]
LIMITS = PoolLimits(
    bytes_max=12_000, per_sender_max=4, flight_commits_max=3, refusals_max=2, patience_ms=300
)
LEAD = Lead(bytes_max=4_000, count_max=6, step_max=4)
SEATS = [Seat(AuthorityIndex(own), 3) for own in range(3)]
ORIGINS = (LOCAL, LOCAL, b"one", b"two")


class Wish(NamedTuple):
    """A transaction that somebody wants to be executed."""

    purse: Purse
    ahead: int
    tip: int
    fee_max: int
    valid_for_ms: int
    memo_bytes: int
    origin: bytes


WISHES = st.builds(
    Wish,
    purse=st.sampled_from(PURSES),
    ahead=st.sampled_from([0, 0, 0, 1, 1, 2]),
    tip=st.sampled_from([0, 0, 50, 400]),
    fee_max=st.sampled_from([BASE_FEE, 2 * BASE_FEE, 3 * BASE_FEE]),
    valid_for_ms=st.sampled_from([2_000, 9_000]),
    memo_bytes=st.sampled_from([0, 0, 300, 3_000]),
    origin=st.sampled_from(ORIGINS),
)


class PoolMachine(RuleBasedStateMachine):
    """A pool, a chain that executes what it pleases, and a record of both."""

    def __init__(self) -> None:
        super().__init__()
        self.counter = Counter(*PURSES, limits=LIMITS)
        self.pool = self.counter.pool
        self.let_in: dict[Digest, SignedTransaction] = {}
        self.flying: dict[Digest, int] = {}
        self.commits = 0

    @initialize(seat=st.sampled_from(SEATS))
    def sit(self, seat: Seat) -> None:
        self.pool.sit(seat)

    @rule(wishes=st.lists(WISHES, min_size=1, max_size=6))
    def offer(self, wishes: list[Wish]) -> None:
        for wish in wishes:
            self._offer(wish)

    def _offer(self, wish: Wish) -> None:
        purse = wish.purse
        nonce = self.counter.town.account(purse.address).nonce + wish.ahead
        signed = purse.transfer(
            nonce,
            tip=wish.tip,
            fee_max=wish.fee_max,
            valid_for_ms=wish.valid_for_ms,
            memo_bytes=wish.memo_bytes,
        )
        name = transaction_id(signed.transaction)
        was_here = name in self.pool
        claim = Claim.OWN if wish.origin == LOCAL else Claim.TAKEN
        try:
            admission = self.counter.admit(signed, origin=wish.origin, claim=claim)
        except (EntryError, PoolError):
            assert (name in self.pool) == was_here
            return
        assert (admission is Admission.KNOWN) == was_here
        assert name in self.pool
        self.let_in[name] = signed

    @rule(seat=st.sampled_from([None, *SEATS, *SEATS]))
    def move(self, seat: Seat | None) -> None:
        self.pool.sit(seat)

    @rule(span_ms=st.sampled_from([1, 300, 2_000]))
    def take(self, span_ms: int) -> None:
        self.counter.now_ms += span_ms
        before = self.pool.flying_count
        taken = self.counter.take(LEAD)
        assert len(taken) <= LEAD.step_max
        assert self.pool.flying_count == before + len(taken) <= LEAD.count_max
        for signed in taken:
            self._check_taken(signed)
            self.flying[transaction_id(signed.transaction)] = self.commits

    def _check_taken(self, signed: SignedTransaction) -> None:
        transaction = signed.transaction
        places = {_place(self.let_in[flying]) for flying in self.flying}
        assert _place(signed) not in places, "proposed twice"
        assert transaction.fee_per_gas_max >= self.counter.town.base_fee
        next_nonce = self.counter.town.account(transaction.sender).nonce
        under_way = {
            self.let_in[flying].transaction.nonce
            for flying in self.flying
            if self.let_in[flying].transaction.sender == transaction.sender
        }
        assert set(range(next_nonce, transaction.nonce)) <= under_way, "out of order"

    @precondition(lambda self: self.flying)
    @rule(picked=st.data())
    def outbid(self, picked: st.DataObject) -> None:
        """Offer far more for a nonce that is under way, and see that it changes nothing."""
        name = picked.draw(st.sampled_from(sorted(self.flying)))
        place = _place(self.let_in[name])
        purse = next(one for one in PURSES if one.address == place[0])
        ahead = place[1] - self.counter.town.account(purse.address).nonce
        if ahead >= 0:
            self._offer(Wish(purse, ahead, 9_000, 90_000, 9_000, 0, LOCAL))
            self.take(1)

    @precondition(lambda self: self.flying)
    @rule(picked=st.data())
    def give_back(self, picked: st.DataObject) -> None:
        names = picked.draw(st.lists(st.sampled_from(sorted(self.flying)), unique=True))
        self.pool.returned([offer_of(self.let_in[name]).raw for name in names])
        for name in names:
            del self.flying[name]

    @rule(
        picked=st.data(),
        base_fee=st.sampled_from([BASE_FEE - 1, BASE_FEE, BASE_FEE + 1, 2 * BASE_FEE + 1]),
        span_ms=st.sampled_from([10, 500]),
    )
    def commit(self, picked: st.DataObject, base_fee: int, span_ms: int) -> None:
        """Execute some of what could execute, refuse some of what was proposed."""
        receipts = []
        for purse in PURSES:
            runnable = self._runnable(purse)
            if picked.draw(st.booleans()) and runnable:
                signed = runnable[picked.draw(st.integers(0, len(runnable) - 1))]
                self.counter.town.count(purse)
                receipts.append(executed(transaction_id(signed.transaction)))
                self.flying.pop(transaction_id(signed.transaction), None)
        if self.flying:
            for name in picked.draw(st.lists(st.sampled_from(sorted(self.flying)), unique=True)):
                raw = offer_of(self.let_in[name]).raw
                receipts.append(refused(tagged_hash(Domain.REFUSED_ITEM, raw)))
                del self.flying[name]
        self.commits += 1
        self.counter.town.base_fee = Grain(base_fee)
        self.counter.commit(*receipts, span_ms=span_ms)
        for name, fed_at in list(self.flying.items()):
            is_gone = self.pool.departure(name) not in {None, Departure.REPLACED}
            if fed_at <= self.commits - LIMITS.flight_commits_max or is_gone:
                del self.flying[name]

    def _runnable(self, purse: Purse) -> list[SignedTransaction]:
        """Return what a block, ours or another's, could hold next of a sender."""
        next_nonce = self.counter.town.account(purse.address).nonce
        waiting = [
            self.let_in[pending.name]
            for pending in self.pool.pending(purse.address)
            if pending.nonce == next_nonce
        ]
        return [*waiting, purse.transfer(next_nonce, amount=77)]

    @rule(
        purse=st.sampled_from(PURSES),
        balance=st.sampled_from([0, 50_000_000, RICH, RICH, RICH, RICH]),
    )
    def endow(self, purse: Purse, balance: int) -> None:
        nonce = self.counter.town.account(purse.address).nonce
        self.counter.town.endow(purse, balance=balance, nonce=nonce)

    @invariant()
    def no_two_transactions_of_one_nonce(self) -> None:
        for purse in PURSES:
            nonces = [pending.nonce for pending in self.pool.pending(purse.address)]
            assert len(set(nonces)) == len(nonces) <= LIMITS.per_sender_max

    @invariant()
    def bytes_are_bounded_and_counted(self) -> None:
        pending = [one for purse in PURSES for one in self.pool.pending(purse.address)]
        assert len(pending) == len(self.pool)
        assert self.pool.used_bytes <= LIMITS.bytes_max
        assert (self.pool.used_bytes == 0) == (not pending)

    @invariant()
    def nothing_is_lost_without_a_reason(self) -> None:
        for name in self.let_in:
            assert (name in self.pool) != (self.pool.departure(name) is not None)

    @invariant()
    def what_is_under_way_is_what_was_taken(self) -> None:
        shown = {
            pending.name
            for purse in PURSES
            for pending in self.pool.pending(purse.address)
            if pending.is_in_flight
        }
        assert shown <= self.flying.keys()
        assert len(shown) == self.pool.flying_count

    @override
    def teardown(self) -> None:
        """Whatever happened, what can execute is proposed in the end."""
        for purse in PURSES:
            nonce = self.counter.town.account(purse.address).nonce
            self.counter.town.endow(purse, balance=RICH, nonce=nonce)
        self.counter.town.base_fee = BASE_FEE
        self.pool.sit(Seat(AuthorityIndex(0), 3))
        for _ in range(LIMITS.flight_commits_max + 1):
            self.counter.commit(span_ms=0)
        self.flying.clear()
        for _ in range(len(self.pool)):
            self.counter.now_ms += 10 * LIMITS.patience_ms
            for signed in self.counter.take(LEAD):
                purse = next(one for one in PURSES if one.address == signed.transaction.sender)
                self.counter.execute(purse, signed)
        for purse in PURSES:
            next_nonce = self.counter.town.account(purse.address).nonce
            assert all(one.nonce > next_nonce for one in self.pool.pending(purse.address))


def _place(signed: SignedTransaction) -> tuple[bytes, int]:
    return signed.transaction.sender, signed.transaction.nonce


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
