"""Whom to ask for a missing block: bounded per ref and per peer, never ourselves."""

from collections.abc import Iterable

import pytest

from consensus.block import BlockRef
from consensus.fetcher import Fetcher, FetchPlan
from consensus.parameters import Tuning
from primitives.ids import AuthorityIndex
from tests.consensus.builders import phantom

OWN = AuthorityIndex(0)
PEER = AuthorityIndex(1)
TIMEOUT_MS = Tuning().fetch_timeout_ms


def fetcher_of(*, size: int = 4, tuning: Tuning | None = None) -> Fetcher:
    """Return a fetcher of seat 0."""
    return Fetcher(own=OWN, size=size, tuning=tuning or Tuning())


def wanted(*numbers: int) -> list[BlockRef]:
    """Return missing blocks of these rounds by author 2."""
    return [phantom(number, 2) for number in numbers]


def peers(plans: Iterable[FetchPlan]) -> list[int]:
    """Return who is asked, plan by plan."""
    return [peer for plan in plans for peer in plan]


def test_sender_of_the_child_is_asked_at_once() -> None:
    refs = wanted(3, 4)
    assert fetcher_of().ask(refs, PEER, now_ms=0) == {PEER: refs}


def test_own_seat_is_never_asked() -> None:
    fetcher = fetcher_of()
    assert fetcher.ask(wanted(3), OWN, now_ms=0) == {}
    own_block = phantom(3, OWN)
    asked = peers(fetcher.retry([own_block], now_ms=step * TIMEOUT_MS) for step in range(12))
    assert asked
    assert OWN not in asked


@pytest.mark.parametrize("size", [2, 4, 7, 10])
def test_rotation_comes_to_every_peer(size: int) -> None:
    fetcher = fetcher_of(size=size)
    ref = phantom(3, size - 1)
    asked = peers(fetcher.retry([ref], now_ms=step * TIMEOUT_MS) for step in range(2 * size))
    assert asked[0] == ref.author
    assert set(asked) == set(range(1, size))


def test_at_most_two_requests_fly_for_one_ref() -> None:
    fetcher = fetcher_of()
    refs = wanted(3)
    plans = [fetcher.retry(refs, now_ms=0) for _ in range(6)]
    assert len(peers(plans)) == 2
    assert fetcher.ask(refs, AuthorityIndex(3), now_ms=TIMEOUT_MS - 1) == {}


def test_another_peer_is_asked_after_the_timeout() -> None:
    fetcher = fetcher_of()
    refs = wanted(3)
    first = fetcher.ask(refs, PEER, now_ms=0) | fetcher.retry(refs, now_ms=0)
    second = fetcher.retry(refs, now_ms=TIMEOUT_MS)
    assert len(first) == 2
    assert len(second) == 1


def test_at_most_five_requests_fly_to_one_peer() -> None:
    fetcher = fetcher_of()
    plans = [fetcher.ask(wanted(number), PEER, now_ms=0) for number in range(1, 9)]
    assert [len(plan) for plan in plans] == [1] * 5 + [0] * 3
    assert fetcher.ask(wanted(9), PEER, now_ms=TIMEOUT_MS) == {PEER: wanted(9)}


def test_answer_frees_a_place_of_the_peer() -> None:
    fetcher = fetcher_of()
    for number in range(1, 6):
        fetcher.ask(wanted(number), PEER, now_ms=0)
    fetcher.answered(PEER)
    fetcher.answered(AuthorityIndex(3))
    assert fetcher.ask(wanted(8), PEER, now_ms=1) == {PEER: wanted(8)}
    assert fetcher.ask(wanted(9), PEER, now_ms=1) == {}


def test_request_holds_at_most_its_number_of_refs() -> None:
    fetcher = fetcher_of(tuning=Tuning(fetch_refs_max=3))
    refs = wanted(1, 2, 3, 4, 5)
    assert fetcher.ask(refs, PEER, now_ms=0) == {PEER: refs[:3]}
    assert fetcher.ask(refs, PEER, now_ms=0) == {PEER: refs[:3]}


def test_lowest_rounds_are_retried_first() -> None:
    fetcher = fetcher_of(tuning=Tuning(fetch_refs_max=2))
    refs = [phantom(number, 2) for number in (9, 5, 7)]
    (planned,) = fetcher.retry(refs, now_ms=0).values()
    assert planned == sorted(refs)[:2]


def test_ref_that_came_is_asked_for_anew_if_it_is_lost_again() -> None:
    fetcher = fetcher_of()
    refs = wanted(3)
    for _ in range(3):
        fetcher.retry(refs, now_ms=0)
    fetcher.arrived(refs[0])
    assert peers([fetcher.retry(refs, now_ms=0)]) == [2]


def test_refs_nobody_waits_for_are_forgotten() -> None:
    fetcher = fetcher_of()
    refs = wanted(3, 4)
    for _ in range(3):
        fetcher.retry(refs, now_ms=0)
    fetcher.keep_only({refs[1]: None})
    assert fetcher.retry(refs, now_ms=0) == {AuthorityIndex(2): [refs[0]]}


def test_refs_that_nobody_has_do_not_starve_the_others() -> None:
    tuning = Tuning(fetch_refs_max=5)
    fetcher = fetcher_of(tuning=tuning)
    made_up = [phantom(number, 3, "made up") for number in range(1, 100)]
    honest = phantom(200, 2)
    asked: list[BlockRef] = []
    for tick in range(40):
        plan = fetcher.retry([*made_up, honest], now_ms=tick * tuning.fetch_timeout_ms)
        asked += [ref for refs in plan.values() for ref in refs]
    assert honest in asked
