"""What the pool lets wait: one for each nonce, replaced by who pays more, within its bounds."""

import pytest

from node.ledger.errors import NonceWindowError, ReplayedNonceError, UnaffordableError
from node.ledger.transaction import transaction_id
from node.mempool.entry import Admission, Claim, Departure
from node.mempool.errors import (
    PoolFullError,
    PoolShareError,
    ReplacementFeeError,
    ReplacementLateError,
)
from node.mempool.limits import ENTRY_EXTRA_BYTES, PoolLimits
from tests.mempool.counter import Counter, names, nonces
from tests.mempool.purse import BASE_FEE, GAS_LIMIT, Purse

A, B, C, D = Purse(1), Purse(2), Purse(3), Purse(4)
SIZE_BYTES = len(A.raw()) + ENTRY_EXTRA_BYTES + 4
PEER = b"a peer"


def roomy(count: int) -> PoolLimits:
    """Return limits with room for so many transfers."""
    return PoolLimits(bytes_max=count * SIZE_BYTES, origin_share=4)


def test_what_waits_already_is_no_news() -> None:
    counter = Counter(A)
    assert counter.admit(A.transfer()) is Admission.ADDED
    assert counter.admit(A.transfer()) is Admission.KNOWN
    assert len(counter.pool) == 1
    assert counter.pool.admissions == {Admission.ADDED: 1, Admission.KNOWN: 1}


def test_replacement_must_offer_a_tenth_more_of_fee_and_tip() -> None:
    counter = Counter(A)
    first = A.transfer(tip=100, fee_max=2_000)
    counter.admit(first)
    for tip, fee_max in ((110, 2_199), (109, 2_200), (100, 9_000)):
        with pytest.raises(ReplacementFeeError):
            counter.admit(A.transfer(tip=tip, fee_max=fee_max))
    second = A.transfer(tip=110, fee_max=2_200)
    assert counter.admit(second) is Admission.REPLACED
    assert counter.pool.departure(transaction_id(first.transaction)) is Departure.REPLACED
    assert names(counter.take()) == names([second])


def test_what_is_under_way_is_not_replaced() -> None:
    counter = Counter(A)
    counter.admit(A.transfer())
    counter.take()
    with pytest.raises(ReplacementLateError):
        counter.admit(A.transfer(tip=9, fee_max=9_000))


def test_sender_must_be_able_to_pay_for_all_that_waits_together() -> None:
    counter = Counter()
    cost = GAS_LIMIT * 2 * BASE_FEE + 1
    counter.town.endow(A, balance=3 * cost - 1)
    counter.admit(A.transfer(0))
    counter.admit(A.transfer(1))
    with pytest.raises(UnaffordableError) as caught:
        counter.admit(A.transfer(2))
    assert (caught.value.actual, caught.value.limit) == (3 * cost - 1, 3 * cost)
    # What is replaced counts no longer.
    with pytest.raises(UnaffordableError):
        counter.admit(A.transfer(1, fee_max=5 * BASE_FEE))
    assert counter.admit(A.transfer(1, fee_max=2_200)) is Admission.REPLACED


def test_nonce_that_the_account_has_passed_meanwhile_is_refused() -> None:
    counter = Counter()
    counter.town.endow(A, nonce=5)
    with pytest.raises(ReplayedNonceError):
        counter.admit(A.transfer(4))


def test_sender_has_no_more_waiting_than_it_may() -> None:
    counter = Counter(A, limits=PoolLimits(per_sender_max=3))
    for nonce in range(3):
        counter.admit(A.transfer(nonce))
    with pytest.raises(NonceWindowError):
        counter.admit(A.transfer(3))
    assert counter.admit(A.transfer(2, fee_max=4_000)) is Admission.REPLACED


def test_full_pool_gives_up_what_pays_least_for_what_pays_more() -> None:
    counter = Counter(A, B, C, D, limits=roomy(3))
    cheap, fair = A.transfer(tip=1), B.transfer(tip=2)
    counter.admit(fair)
    counter.admit(cheap)
    counter.admit(C.transfer(tip=3))
    with pytest.raises(PoolFullError) as caught:
        counter.admit(D.transfer(tip=1))
    assert caught.value.code == "mempool-full"
    counter.admit(D.transfer(tip=5))
    assert counter.pool.departure(transaction_id(cheap.transaction)) is Departure.EVICTED
    assert transaction_id(fair.transaction) in counter.pool


def test_as_many_leave_as_a_long_one_needs_and_no_more() -> None:
    counter = Counter(A, B, C, D, limits=roomy(3))
    for purse, tip in ((A, 1), (B, 2), (C, 3)):
        counter.admit(purse.transfer(tip=tip))
    counter.admit(D.transfer(tip=9, memo_bytes=SIZE_BYTES - 100))
    assert counter.pool.used_bytes <= 3 * SIZE_BYTES
    assert [len(counter.pool.pending(purse.address)) for purse in (A, B, C, D)] == [0, 0, 1, 1]


def test_end_of_a_queue_goes_first_so_that_no_gap_is_left() -> None:
    counter = Counter(A, B, limits=roomy(3))
    for nonce, tip in enumerate((1, 50, 60)):
        counter.admit(A.transfer(nonce, tip=tip))
    counter.admit(B.transfer(tip=9))
    assert [pending.nonce for pending in counter.pool.pending(A.address)] == [0, 1]


def test_what_cannot_execute_goes_first_however_much_it_offers() -> None:
    counter = Counter(A, B, C, D, limits=roomy(2))
    gap = A.transfer(1, tip=900)
    counter.admit(gap)
    counter.admit(B.transfer())
    counter.admit(C.transfer())
    assert counter.pool.departure(transaction_id(gap.transaction)) is Departure.EVICTED
    with pytest.raises(PoolFullError):
        counter.admit(D.transfer(1, tip=900))


def test_sender_pushes_out_nothing_of_its_own_and_nothing_under_way() -> None:
    counter = Counter(A, B, limits=roomy(2))
    counter.admit(A.transfer(0))
    counter.admit(A.transfer(1))
    with pytest.raises(PoolFullError):
        counter.admit(A.transfer(2, tip=9))
    counter.take()
    with pytest.raises(PoolFullError):
        counter.admit(B.transfer(tip=9))
    assert len(counter.pool) == 2


def test_replacement_fits_where_its_forerunner_was() -> None:
    counter = Counter(A, B, limits=roomy(2))
    counter.admit(A.transfer())
    counter.admit(B.transfer())
    assert counter.admit(A.transfer(fee_max=4_000)) is Admission.REPLACED


def test_one_peer_fills_its_share_of_a_busy_pool_and_clients_here_are_not_counted() -> None:
    purses = [Purse(number) for number in range(1, 40)]
    counter = Counter(*purses, limits=roomy(20))
    rest = iter(purses)
    for _ in range(11):
        counter.admit(next(rest).transfer(), origin=PEER, claim=Claim.OPEN)
    with pytest.raises(PoolShareError):
        counter.admit(next(rest).transfer(tip=99), origin=PEER, claim=Claim.OPEN)
    counter.admit(next(rest).transfer(), origin=b"another", claim=Claim.OPEN)
    for _ in range(8):
        counter.admit(next(rest).transfer())
    assert counter.pool.used_bytes <= 20 * SIZE_BYTES


def test_pool_tells_what_waits_and_which_nonce_is_next() -> None:
    counter = Counter(A)
    account = counter.town.account(A.address)
    assert counter.pool.pending(A.address) == ()
    assert counter.pool.next_nonce(A.address, account=account) == 0
    for nonce in (0, 1, 3):
        counter.admit(A.transfer(nonce))
    assert nonces(counter.take()) == [0, 1]
    shown = [(pending.nonce, pending.is_in_flight) for pending in counter.pool.pending(A.address)]
    assert shown == [(0, True), (1, True), (3, False)]
    assert counter.pool.next_nonce(A.address, account=account) == 2
    assert counter.pool.sender_count == 1


def test_what_was_handed_in_here_and_not_executed_is_repeated_now_and_then() -> None:
    counter = Counter(A, B)
    counter.admit(A.transfer())
    counter.admit(B.transfer(), origin=PEER, claim=Claim.OPEN)
    assert counter.pool.unheard(before_ms=0, now_ms=0, bytes_max=9_999) == ()
    heard = counter.pool.unheard(before_ms=1, now_ms=5, bytes_max=9_999)
    assert heard == (A.raw(),)
    assert counter.pool.unheard(before_ms=5, now_ms=9, bytes_max=9_999) == ()
    assert counter.pool.unheard(before_ms=6, now_ms=9, bytes_max=9) == ()
