import pytest

from p2p.errors import PeerTimeoutError
from p2p.limits import TimeLimits
from p2p.vigil import Vigil

TIMES = TimeLimits(idle_ping_s=30, pong_s=10, silence_s=60)


def vigil() -> Vigil:
    return Vigil(TIMES, peer="peer", now_ms=0)


def look(
    subject: Vigil, now_ms: int, *, sent_bytes: int = 0, is_writable: bool = True
) -> int | None:
    return subject.look(sent_bytes=sent_bytes, is_writable=is_writable, now_ms=now_ms)


def test_idle_peer_is_asked_once_until_it_answers() -> None:
    subject = vigil()
    assert look(subject, 30_000) is None
    assert look(subject, 30_001) == 1
    assert look(subject, 31_000) is None
    subject.heard_ms = 31_500
    assert subject.ponged(now_ms=31_500) == 1_499
    assert subject.ponged(now_ms=31_500) is None
    assert look(subject, 61_500) is None
    assert look(subject, 61_501) == 2


def test_peer_that_does_not_answer_is_given_up_even_if_it_talks() -> None:
    subject = vigil()
    assert look(subject, 30_001) == 1
    subject.heard_ms = 40_000
    assert look(subject, 40_001) is None
    with pytest.raises(PeerTimeoutError, match="no answer"):
        look(subject, 40_002)


def test_silent_peer_is_given_up_even_if_it_was_never_asked() -> None:
    with pytest.raises(PeerTimeoutError, match="nothing came"):
        look(vigil(), 60_001)


def test_peer_that_takes_nothing_is_given_up_even_if_it_talks() -> None:
    subject = vigil()
    assert look(subject, 1_000, sent_bytes=7, is_writable=False) is None
    subject.heard_ms = 61_000
    assert look(subject, 61_000, sent_bytes=7, is_writable=False) is None
    with pytest.raises(PeerTimeoutError, match="does not read"):
        look(subject, 61_001, sent_bytes=7, is_writable=False)


def test_peer_that_reads_slowly_is_kept() -> None:
    subject = vigil()
    for second in range(200):
        subject.heard_ms = 1_000 * second
        sent_bytes = second // 50
        assert look(subject, 1_000 * second, sent_bytes=sent_bytes, is_writable=False) is None
