"""What a router remembers of messages and backoffs, and when it forgets."""

from p2p.gossip.backoff import PEERS_MAX, Backoff
from p2p.gossip.events import Message
from p2p.gossip.message_cache import MessageCache
from p2p.gossip.seen import AUTHORS_MAX, REJECTED, SeenIds, SeqnoFloors
from p2p.wire.peer_id import PeerId
from tests.p2p.gossip.bench import peer_of

ALICE, BOB = peer_of(1), peer_of(2)


def message(name: bytes, *, topic: str = "a", size_bytes: int = 10) -> Message:
    return Message(
        id=name,
        topic=topic,
        payload=b"",
        author=None,
        seqno=None,
        publish_field=bytes(size_bytes),
    )


def test_id_is_remembered_for_one_span_at_least_and_two_at_most() -> None:
    seen = SeenIds(seen_ms=100, ids_max=10)
    assert not seen.rotate_if_due(0)
    seen.add(b"id", now_ms=99)
    assert seen.rotate_if_due(100)
    assert not seen.rotate_if_due(199)
    assert seen.get(b"id") == 99
    assert b"id" in seen
    assert seen.rotate_if_due(200)
    assert seen.get(b"id") is None
    assert len(seen) == 0


def test_many_ids_make_the_older_ones_forgotten_early() -> None:
    seen = SeenIds(seen_ms=100, ids_max=10)
    for number in range(1_000):
        seen.add(number.to_bytes(2, "big"), now_ms=0)
        assert len(seen) <= 20
    assert seen.overflows == 100
    assert (990).to_bytes(2, "big") in seen


def test_rejected_id_stays_rejected() -> None:
    seen = SeenIds(seen_ms=100, ids_max=10)
    seen.add(b"id", now_ms=5)
    seen.reject(b"id")
    assert seen.get(b"id") == REJECTED


def test_seqnos_may_come_in_any_order_while_their_ids_are_remembered() -> None:
    floors = SeqnoFloors()
    for seqno in (5, 3, 9, 4):
        assert not floors.is_replay(ALICE, seqno)
        floors.note(ALICE, seqno)
    floors.rotate()
    assert not floors.is_replay(ALICE, 4)
    floors.note(ALICE, 12)
    floors.rotate()
    assert floors.is_replay(ALICE, 9)
    assert not floors.is_replay(ALICE, 10)
    assert not floors.is_replay(BOB, 1)


def test_floor_never_falls() -> None:
    floors = SeqnoFloors()
    for seqno in (9, 2):
        floors.note(ALICE, seqno)
        floors.rotate()
    floors.rotate()
    assert floors.is_replay(ALICE, 9)


def test_authors_that_are_remembered_are_bounded() -> None:
    floors = SeqnoFloors()
    for batch in range(3):
        for number in range(AUTHORS_MAX + 5):
            floors.note(PeerId(b"%d/%d" % (batch, number)), 1)
        floors.rotate()
    floors.rotate()
    assert floors.is_replay(PeerId(b"2/0"), 1)
    assert not floors.is_replay(PeerId(b"0/0"), 1), "its author was silent longest"
    assert not floors.is_replay(PeerId(b"2/%d" % AUTHORS_MAX), 1), "beyond the bound"


def cache(*, bytes_max: int = 1_000) -> MessageCache:
    return MessageCache(history_windows=3, gossip_windows=2, bytes_max=bytes_max)


def test_message_is_advertised_for_two_windows_and_held_for_three() -> None:
    held = cache()
    held.put(message(b"1"))
    held.shift()
    held.put(message(b"2"))
    held.put(message(b"3", topic="b"))
    assert held.advertised() == {"a": [b"1", b"2"], "b": [b"3"]}
    held.shift()
    assert held.advertised() == {"a": [b"2"], "b": [b"3"]}
    assert held.get(b"1") is not None
    held.shift()
    assert held.get(b"1") is None
    held.shift()
    assert held.size_bytes == 0


def test_requests_are_counted_by_peer_and_forgotten_with_the_message() -> None:
    held = cache()
    held.put(message(b"1"))
    assert [held.count_request(b"1", ALICE) for _ in range(3)] == [1, 2, 3]
    assert held.count_request(b"1", BOB) == 1
    for _ in range(3):
        held.shift()
    held.put(message(b"1"))
    assert held.count_request(b"1", ALICE) == 1


def test_cache_is_bounded_in_bytes() -> None:
    held = cache(bytes_max=25)
    held.put(message(b"1"))
    held.shift()
    held.put(message(b"2"))
    held.put(message(b"3"))
    assert (held.get(b"1"), held.size_bytes) == (None, 20)
    held.put(message(b"4"))
    assert held.size_bytes <= 25


def test_oldest_messages_of_the_only_window_make_room() -> None:
    held = cache(bytes_max=25)
    for name in (b"1", b"2", b"3", b"4"):
        held.put(message(name))
    assert [held.get(name) is not None for name in (b"1", b"2", b"3", b"4")] == [
        False,
        False,
        True,
        True,
    ]
    assert held.advertised() == {"a": [b"3", b"4"]}
    held.put(message(b"5", size_bytes=26))
    assert held.size_bytes == 0


def test_message_that_is_in_two_windows_outlives_the_older_one() -> None:
    held = cache()
    held.put(message(b"1"))
    held.shift()
    held.put(message(b"1", size_bytes=20))
    held.shift()
    held.shift()
    assert held.get(b"1") is not None
    assert held.size_bytes == 20


def test_longer_backoff_stays() -> None:
    backoff = Backoff()
    backoff.add(ALICE, until_ms=100)
    backoff.add(ALICE, until_ms=50)
    assert backoff.until_ms(ALICE) == 100
    assert backoff.until_ms(BOB) == 0
    backoff.clear_past(100)
    assert backoff.until_ms(ALICE) == 100
    backoff.clear_past(101)
    assert backoff.until_ms(ALICE) == 0


def test_backoffs_are_bounded_and_the_one_that_ends_first_makes_room() -> None:
    backoff = Backoff()
    for number in range(PEERS_MAX):
        backoff.add(PeerId(b"%d" % number), until_ms=1_000 + number)
    backoff.add(ALICE, until_ms=5_000)
    assert len(backoff) == PEERS_MAX
    assert backoff.until_ms(PeerId(b"0")) == 0
    assert backoff.until_ms(ALICE) == 5_000
