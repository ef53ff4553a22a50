"""What commits do to the pool: nothing is proposed twice, nothing leaves without a reason."""

import pytest

from node.ledger.receipt import Receipt
from node.ledger.transaction import SignedTransaction, transaction_id
from node.mempool.entry import Departure
from node.mempool.limits import PoolLimits
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Digest
from tests.mempool.counter import Counter, nonces, offer_of
from tests.mempool.purse import BASE_FEE, GAS_LIMIT, Purse
from tests.mempool.town import executed, refused

A, B = Purse(1), Purse(2)
COST = GAS_LIMIT * 2 * BASE_FEE + 1


def name_of(signed: SignedTransaction) -> Digest:
    return transaction_id(signed.transaction)


def refusal_of(signed: SignedTransaction) -> Receipt:
    return refused(tagged_hash(Domain.REFUSED_ITEM, offer_of(signed).raw))


def test_what_is_under_way_is_not_proposed_again() -> None:
    counter = Counter(A)
    counter.admit(A.transfer())
    assert len(counter.take()) == 1
    for _ in range(5):
        counter.commit()
        assert counter.take() == []


def test_what_consensus_gives_back_is_proposed_again_in_order() -> None:
    counter = Counter(A)
    for nonce in range(3):
        counter.admit(A.transfer(nonce))
    taken = counter.take()
    counter.pool.returned([offer_of(signed).raw for signed in taken[:2]])
    counter.pool.returned([offer_of(taken[0]).raw, B.raw()])
    assert counter.pool.proposals["returned"] == 2
    assert nonces(counter.take()) == [0, 1]
    assert counter.take() == []


def test_what_is_never_seen_again_waits_anew_after_many_commits() -> None:
    counter = Counter(A, limits=PoolLimits(flight_commits_max=3))
    counter.admit(A.transfer())
    assert len(counter.take()) == 1
    for _ in range(3):
        assert counter.take() == []
        counter.commit()
    assert counter.pool.proposals["overdue"] == 1
    assert len(counter.take()) == 1


def test_executed_transaction_leaves_and_the_next_may_go() -> None:
    counter = Counter(A)
    first = A.transfer(0)
    counter.admit(first)
    counter.take()
    counter.execute(A, first)
    assert counter.pool.departure(name_of(first)) is Departure.EXECUTED
    assert (len(counter.pool), counter.pool.used_bytes, counter.pool.flying_count) == (0, 0, 0)
    counter.admit(A.transfer(1))
    assert nonces(counter.take()) == [1]


def test_what_executed_from_the_block_of_another_leaves_too() -> None:
    counter = Counter(A)
    first, second = A.transfer(0), A.transfer(1)
    counter.admit(first)
    counter.admit(second)
    counter.execute(A, first, second)
    assert counter.take() == []
    assert counter.pool.departures[Departure.EXECUTED] == 2


def test_nonce_that_another_transaction_used_is_overtaken() -> None:
    counter = Counter(A)
    waiting = A.transfer(0)
    counter.admit(waiting)
    counter.admit(A.transfer(1))
    counter.execute(A, A.transfer(0, tip=77))
    assert nonces(counter.take()) == [1]
    assert counter.pool.departure(name_of(waiting)) is Departure.OVERTAKEN


def test_earlier_nonce_goes_with_a_later_one_that_was_executed() -> None:
    counter = Counter(A, seat=None)
    stale, later = A.transfer(0), A.transfer(1)
    counter.admit(stale)
    counter.admit(later)
    counter.town.count(A)
    counter.town.count(A)
    counter.commit(executed(name_of(later)))
    assert counter.pool.departure(name_of(stale)) is Departure.OVERTAKEN
    assert len(counter.pool) == 0


def test_departure_is_corrected_once_the_commit_is_heard_of() -> None:
    counter = Counter(A)
    signed = A.transfer(0)
    counter.admit(signed)
    # The state is ahead of the feed.
    counter.town.count(A)
    assert counter.take() == []
    assert counter.pool.departure(name_of(signed)) is Departure.OVERTAKEN
    counter.commit(executed(name_of(signed)))
    assert counter.pool.departure(name_of(signed)) is Departure.EXECUTED
    assert counter.pool.departures[Departure.OVERTAKEN] == 0


def test_missing_transaction_that_was_executed_elsewhere_closes_the_gap() -> None:
    counter = Counter(A)
    counter.admit(A.transfer(1))
    assert counter.take() == []
    counter.town.count(A)
    counter.commit()
    assert nonces(counter.take()) == [1]


def test_expired_transaction_leaves_and_one_valid_at_this_very_time_stays() -> None:
    counter = Counter(A, B)
    brief, exact = A.transfer(valid_for_ms=99), B.transfer(valid_for_ms=100)
    counter.admit(brief)
    counter.admit(exact)
    counter.commit(span_ms=100)
    assert counter.pool.departure(name_of(brief)) is Departure.EXPIRED
    assert name_of(exact) in counter.pool


def test_sender_that_spent_its_money_elsewhere_loses_what_it_cannot_pay() -> None:
    counter = Counter(A)
    signed = A.transfer()
    counter.admit(signed)
    counter.town.endow(A, balance=COST - 1)
    assert counter.take() == []
    assert counter.pool.departure(name_of(signed)) is Departure.UNAFFORDABLE


def test_money_that_is_spoken_for_by_what_is_under_way_is_waited_for() -> None:
    counter = Counter(A)
    first, second = A.transfer(0), A.transfer(1)
    counter.admit(first)
    counter.admit(second)
    counter.town.endow(A, balance=COST)
    assert nonces(counter.take()) == [0]
    assert counter.take() == []
    counter.execute(A, first)
    assert nonces(counter.take()) == [1]


def test_refused_item_waits_anew_and_is_given_up_when_that_goes_on() -> None:
    counter = Counter(A, limits=PoolLimits(refusals_max=3))
    signed = A.transfer()
    counter.admit(signed)
    for _ in range(3):
        assert len(counter.take()) == 1
        counter.commit(refusal_of(signed), refused(Digest(bytes(32))))
    assert counter.pool.departure(name_of(signed)) is Departure.REFUSED
    assert counter.pool.proposals["refused"] == 3


def test_item_refused_because_its_nonce_was_used_is_overtaken() -> None:
    counter = Counter(A)
    signed = A.transfer()
    counter.admit(signed)
    counter.take()
    counter.town.count(A)
    counter.commit(refusal_of(signed))
    assert counter.pool.departure(name_of(signed)) is Departure.OVERTAKEN


def test_missed_commits_are_made_up_for_from_the_accounts() -> None:
    counter = Counter(A, B)
    for nonce in range(3):
        counter.admit(A.transfer(nonce))
    brief = B.transfer(valid_for_ms=10)
    counter.admit(brief)
    assert len(counter.take()) == 4
    counter.town.count(A)
    counter.pool.caught_up(
        time_ms=counter.town.commit().time_ms,
        base_fee=counter.town.base_fee,
        account_of=counter.town.account,
    )
    # What may still be in a block is not proposed twice.
    assert counter.take() == []
    assert [pending.nonce for pending in counter.pool.pending(A.address)] == [1, 2]
    assert counter.pool.departure(name_of(brief)) is Departure.EXPIRED


@pytest.mark.parametrize("kept", [1, 2])
def test_only_the_newest_departures_are_remembered(kept: int) -> None:
    counter = Counter(A, limits=PoolLimits(departures_kept=kept))
    done = [A.transfer(nonce) for nonce in range(3)]
    for signed in done:
        counter.admit(signed)
        counter.execute(A, signed)
    known = [counter.pool.departure(name_of(signed)) is not None for signed in done]
    assert known == [place >= 3 - kept for place in range(3)]


def test_transaction_that_comes_back_is_not_said_to_have_left() -> None:
    counter = Counter(A)
    signed = A.transfer(valid_for_ms=1_000)
    counter.admit(signed)
    counter.town.endow(A, balance=0)
    counter.take()
    assert counter.pool.departure(name_of(signed)) is Departure.UNAFFORDABLE
    counter.town.endow(A)
    counter.admit(signed)
    assert counter.pool.departure(name_of(signed)) is None
