"""What goes into blocks, in which order: nonces in order, the best tip first."""

import pytest

from node.mempool.agenda import Seat
from node.mempool.entry import Claim
from node.mempool.limits import PoolLimits
from node.mempool.pool import Lead
from primitives.ids import AuthorityIndex, Grain
from tests.mempool.counter import ALONE, LEAD, Counter, names, nonces, offer_of
from tests.mempool.purse import BASE_FEE, Purse

A, B, C = Purse(1), Purse(2), Purse(3)
LIMITS = PoolLimits()
PEER = b"a peer"


def whose_turn(seats: int, own: int) -> Purse:
    """Return somebody whose transactions it is the turn of this seat to propose."""
    return next(
        purse
        for purse in map(Purse, range(10, 2_000))
        if int.from_bytes(purse.address[:8], "big") % seats == own
    )


def test_nonces_of_a_sender_go_out_in_order_however_they_came() -> None:
    counter = Counter(A)
    for nonce in (2, 0, 1, 4):
        counter.admit(A.transfer(nonce, tip=10 - nonce))
    assert nonces(counter.take()) == [0, 1, 2]
    counter.admit(A.transfer(3))
    assert nonces(counter.take()) == [3, 4]


def test_best_tip_goes_first_and_among_equals_the_oldest() -> None:
    counter = Counter(A, B, C)
    offered = [A.transfer(tip=5), B.transfer(tip=7), C.transfer(tip=5)]
    for signed in offered:
        counter.admit(signed)
    assert names(counter.take()) == names([offered[1], offered[0], offered[2]])


def test_tip_counts_as_far_as_the_burned_fee_leaves_it() -> None:
    counter = Counter(A, B)
    boaster = A.transfer(tip=1_000, fee_max=BASE_FEE + 1_000)
    modest = B.transfer(tip=600, fee_max=3 * BASE_FEE)
    counter.admit(boaster)
    counter.admit(modest)
    counter.town.base_fee = Grain(BASE_FEE + 500)
    counter.commit()
    assert names(counter.take()) == names([modest, boaster])


def test_transaction_that_pays_less_than_is_burned_waits_until_the_fee_falls() -> None:
    counter = Counter(A, B)
    counter.admit(A.transfer(fee_max=BASE_FEE))
    counter.admit(B.transfer(fee_max=2 * BASE_FEE))
    counter.town.base_fee = Grain(BASE_FEE + 1)
    counter.commit()
    assert len(counter.take()) == 1
    counter.commit()
    assert counter.take() == []
    counter.town.base_fee = BASE_FEE
    counter.commit()
    assert len(counter.take()) == 1


def test_prices_are_right_even_for_senders_that_nobody_looked_up_again() -> None:
    crowd = [Purse(number) for number in range(10, 13)]
    counter = Counter(*crowd, limits=PoolLimits(refreshed_per_commit=0))
    poor, boaster, modest = (
        crowd[0].transfer(tip=900, fee_max=BASE_FEE + 100),
        crowd[1].transfer(tip=800, fee_max=BASE_FEE + 800),
        crowd[2].transfer(tip=600, fee_max=3 * BASE_FEE),
    )
    for signed in (poor, boaster, modest):
        counter.admit(signed)
    counter.town.base_fee = Grain(BASE_FEE + 300)
    counter.commit()
    assert names(counter.take()) == names([modest, boaster])
    counter.town.base_fee = BASE_FEE
    counter.commit()
    assert names(counter.take()) == names([poor])


def test_what_came_back_goes_before_what_was_next() -> None:
    counter = Counter(A)
    for nonce in range(3):
        counter.admit(A.transfer(nonce))
    two = Lead(bytes_max=10**6, count_max=2, step_max=2)
    taken = counter.take(two)
    counter.pool.returned([offer_of(taken[0]).raw])
    assert nonces(counter.take(LEAD)) == [0, 2]


def test_lead_bounds_what_is_under_way_by_count_bytes_and_step() -> None:
    counter = Counter(A)
    offered = [A.transfer(nonce) for nonce in range(20)]
    for signed in offered:
        counter.admit(signed)
    size = len(A.raw())
    assert len(counter.take(Lead(bytes_max=10**6, count_max=4, step_max=3))) == 3
    assert len(counter.take(Lead(bytes_max=10**6, count_max=4, step_max=3))) == 1
    assert counter.take(Lead(bytes_max=10**6, count_max=4, step_max=3)) == []
    assert len(counter.take(Lead(bytes_max=6 * size, count_max=100, step_max=99))) == 2
    counter.execute(A, *offered[:6])
    assert nonces(counter.take(Lead(bytes_max=6 * size, count_max=5, step_max=99))) == [
        *range(6, 11)
    ]


def test_transaction_longer_than_the_lead_goes_alone() -> None:
    counter = Counter(A, B)
    counter.admit(A.transfer(tip=1))
    counter.admit(B.transfer())
    tight = Lead(bytes_max=1, count_max=9, step_max=9)
    assert len(counter.take(tight)) == 1
    assert counter.take(tight) == []


def test_node_without_a_seat_proposes_nothing_and_begins_when_it_has_one() -> None:
    counter = Counter(A, seat=None)
    counter.admit(A.transfer(), claim=Claim.OPEN)
    assert counter.take() == []
    counter.pool.sit(ALONE)
    assert counter.pool.seat == ALONE
    assert len(counter.take()) == 1


@pytest.mark.parametrize("own", range(4))
def test_open_transaction_is_the_turn_of_one_validator_and_then_of_the_next(own: int) -> None:
    first = whose_turn(4, 1)
    counter = Counter(first, seat=Seat(AuthorityIndex(own), 4))
    counter.admit(first.transfer(), origin=PEER, claim=Claim.OPEN)
    turns = (own - 1) % 4
    if turns:
        due_ms = turns * LIMITS.patience_ms
        assert counter.take() == []
        assert counter.pool.due_ms() == due_ms
        counter.now_ms = due_ms - 1
        assert counter.take() == []
        counter.now_ms = due_ms
    assert len(counter.take()) == 1
    assert counter.pool.due_ms() is None


def test_transaction_that_another_claims_is_nobody_elses_turn_before_patience_ends() -> None:
    first = whose_turn(4, 1)
    counter = Counter(first, seat=Seat(AuthorityIndex(1), 4))
    counter.admit(first.transfer(), origin=PEER, claim=Claim.TAKEN)
    assert counter.take() == []
    counter.now_ms = LIMITS.patience_ms
    assert len(counter.take()) == 1


def test_claim_is_no_reason_to_wait_once_it_is_handed_in_here_too() -> None:
    counter = Counter(A, seat=Seat(AuthorityIndex(0), 4))
    counter.admit(A.transfer(), origin=PEER, claim=Claim.TAKEN)
    assert counter.take() == []
    counter.admit(A.transfer(), claim=Claim.OWN)
    assert len(counter.take()) == 1


def test_in_a_large_committee_everybody_proposes_after_a_bounded_time() -> None:
    first = whose_turn(100, 1)
    counter = Counter(first, seat=Seat(AuthorityIndex(0), 100))
    counter.admit(first.transfer(), origin=PEER, claim=Claim.OPEN)
    counter.now_ms = LIMITS.ranks_max * LIMITS.patience_ms
    assert len(counter.take()) == 1


def test_backups_get_a_small_part_of_the_lead_and_get_it_first() -> None:
    crowd = [Purse(number) for number in range(100, 140)]
    counter = Counter(A, *crowd, seat=Seat(AuthorityIndex(0), 2))
    for purse in crowd:
        counter.admit(purse.transfer(), origin=PEER, claim=Claim.TAKEN)
    for nonce in range(40):
        counter.admit(A.transfer(nonce, tip=1))
    counter.now_ms = 10 * LIMITS.patience_ms
    lead = Lead(bytes_max=10**6, count_max=16, step_max=16)
    taken = counter.take(lead)
    assert [signed.transaction.sender == A.address for signed in taken] == [False] * 2 + [True] * 14
    backups = [signed for signed in taken if signed.transaction.sender != A.address]
    for purse in crowd:
        mine = [signed for signed in backups if signed.transaction.sender == purse.address]
        if mine:
            counter.execute(purse, *mine)
    assert sum(one.transaction.sender != A.address for one in counter.take(lead)) == 2


def test_seat_that_stays_the_same_changes_nothing_and_another_one_changes_turns() -> None:
    first = whose_turn(4, 1)
    counter = Counter(first, seat=Seat(AuthorityIndex(2), 4))
    counter.admit(first.transfer(), origin=PEER, claim=Claim.OPEN)
    counter.pool.sit(Seat(AuthorityIndex(2), 4))
    assert counter.take(LEAD) == []
    counter.pool.sit(Seat(AuthorityIndex(1), 4))
    assert len(counter.take(LEAD)) == 1
