from p2p.dial_backoff import BACKOFF_MAX_MS, BACKOFFS_MAX, DialBackoff
from p2p.wire.peer_id import PeerId
from tests.p2p.town import peer_of

PEER = peer_of(1)


def test_wait_doubles_up_to_ten_minutes() -> None:
    backoff = DialBackoff()
    waits = [backoff.failed(PEER, now_ms=0) for _ in range(40)]
    assert waits[:4] == [2_000, 4_000, 8_000, 16_000]
    assert set(waits[9:]) == {BACKOFF_MAX_MS}


def test_wait_runs_out_with_time() -> None:
    backoff = DialBackoff()
    assert backoff.wait_ms(PEER, now_ms=0) == 0
    backoff.failed(PEER, now_ms=1_000)
    assert backoff.wait_ms(PEER, now_ms=1_500) == 1_500
    assert backoff.wait_ms(PEER, now_ms=3_000) == 0


def test_success_forgets_the_failures() -> None:
    backoff = DialBackoff()
    backoff.failed(PEER, now_ms=0)
    backoff.succeeded(PEER)
    backoff.succeeded(PEER)
    assert backoff.wait_ms(PEER, now_ms=0) == 0
    assert backoff.failed(PEER, now_ms=0) == 2_000


def test_oldest_failure_makes_room() -> None:
    backoff = DialBackoff()
    backoff.failed(PEER, now_ms=0)
    for number in range(BACKOFFS_MAX - 1):
        backoff.failed(PeerId(b"%d" % number), now_ms=0)
    assert backoff.wait_ms(PEER, now_ms=0) > 0
    backoff.failed(PeerId(b"one more"), now_ms=0)
    assert backoff.wait_ms(PEER, now_ms=0) == 0
