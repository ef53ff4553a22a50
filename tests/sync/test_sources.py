"""Whom to ask next."""

from node.sync.sources import REMEMBERED_MAX, Sources
from p2p.wire.peer_id import PeerId
from tests.p2p.town import peer_of

ANN, BEN, CAT = sorted((peer_of(1), peer_of(2), peer_of(3)))
ALL = (ANN, BEN, CAT)


def sources() -> Sources:
    return Sources(rest_ms=1_000)


def ask(known: Sources, peer: PeerId) -> None:
    known.asked(peer)
    known.done(peer)


def test_equals_take_turns() -> None:
    known = sources()
    ask(known, ANN)
    assert known.ranked(ALL, now_ms=0) == [BEN, CAT, ANN]
    ask(known, BEN)
    assert known.ranked(ALL, now_ms=0) == [CAT, ANN, BEN]


def test_busy_peer_is_asked_later() -> None:
    known = sources()
    known.asked(ANN)
    assert known.ranked(ALL, now_ms=0)[-1] == ANN


def test_quick_peer_is_asked_first_unless_the_difference_is_noise() -> None:
    known = sources()
    for peer, took_ms in ((ANN, 400), (BEN, 60), (CAT, 70)):
        ask(known, peer)
        known.answered(peer, took_ms=took_ms)
    assert known.ranked(ALL, now_ms=0) == [BEN, CAT, ANN]
    # A peer that has become quick again is forgiven little by little.
    for _ in range(12):
        known.answered(ANN, took_ms=10)
    assert known.ranked(ALL, now_ms=0)[0] == ANN


def test_peer_that_failed_rests_longer_each_time_until_it_answers() -> None:
    known = sources()
    known.failed(ANN, now_ms=0)
    assert known.ranked(ALL, now_ms=999)[-1] == ANN
    assert known.ranked(ALL, now_ms=1_000)[0] == ANN
    known.failed(ANN, now_ms=1_000)
    assert known.ranked(ALL, now_ms=2_999)[-1] == ANN
    known.answered(ANN, took_ms=1)
    assert known.ranked(ALL, now_ms=2_999)[0] == ANN


def test_peer_that_lacks_something_rests_a_little() -> None:
    known = sources()
    known.lacked(ANN, now_ms=0)
    assert known.ranked(ALL, now_ms=99)[-1] == ANN
    assert known.ranked(ALL, now_ms=100)[0] == ANN


def test_memory_is_bounded_and_keeps_who_is_being_asked() -> None:
    known = sources()
    known.asked(ANN)
    for number in range(REMEMBERED_MAX + 10):
        ask(known, peer_of(100 + number))
    assert known.ranked((ANN, BEN), now_ms=0) == [BEN, ANN]


def test_end_of_a_question_nobody_remembers_is_harmless() -> None:
    known = sources()
    known.done(ANN)
    assert known.ranked(ALL, now_ms=0) == list(ALL)


def test_peers_that_only_fail_are_bounded_too() -> None:
    known = sources()
    for number in range(REMEMBERED_MAX + 10):
        known.failed(peer_of(100 + number), now_ms=0)
    assert len(known._records) == REMEMBERED_MAX  # noqa: SLF001 - the bound itself
