from p2p.bans import (
    BANS_MAX,
    STRIKERS_MAX,
    STRIKES_MAX,
    STRIKES_WINDOW_MS,
    BanList,
    Strikes,
)
from tests.p2p.town import peer_of

PEER = peer_of(1)


def test_ban_holds_until_its_moment() -> None:
    bans = BanList()
    bans.ban(PEER, until_ms=100, reason="rude")
    assert bans.is_banned(PEER, now_ms=99)
    assert not bans.is_banned("10.0.0.1", now_ms=99)
    assert not bans.is_banned(PEER, now_ms=100)
    assert not list(bans)


def test_longer_ban_stays_and_a_shorter_one_gives_way() -> None:
    bans = BanList()
    bans.ban("10.0.0.1", until_ms=100, reason="long")
    bans.ban("10.0.0.1", until_ms=50, reason="short")
    assert [(ban.subject, ban.reason) for ban in bans] == [("10.0.0.1", "long")]
    bans.ban("10.0.0.1", until_ms=200, reason="longer")
    assert [(ban.until_ms, ban.reason) for ban in bans] == [(200, "longer")]


def test_ban_can_be_lifted() -> None:
    bans = BanList()
    bans.ban(PEER, until_ms=100, reason="rude")
    bans.lift(PEER)
    bans.lift(PEER)
    assert not bans.is_banned(PEER, now_ms=0)


def test_ban_that_ends_first_makes_room() -> None:
    bans = BanList()
    bans.ban("first", until_ms=10, reason="")
    for number in range(BANS_MAX):
        bans.ban(f"{number}", until_ms=1_000 + number, reason="")
    assert len(list(bans)) == BANS_MAX
    assert not bans.is_banned("first", now_ms=0)
    assert bans.is_banned("0", now_ms=0)


def test_third_strike_within_the_window_is_one_too_many() -> None:
    strikes = Strikes()
    assert [strikes.strike(PEER, now_ms=now) for now in range(STRIKES_MAX)] == [False, False, True]
    assert not strikes.strike(PEER, now_ms=3), "it starts anew"


def test_strikes_grow_old() -> None:
    strikes = Strikes()
    strikes.strike(PEER, now_ms=0)
    strikes.strike(PEER, now_ms=1)
    assert not strikes.strike(PEER, now_ms=STRIKES_WINDOW_MS)
    assert strikes.strike(PEER, now_ms=STRIKES_WINDOW_MS)


def test_oldest_striker_makes_room() -> None:
    strikes = Strikes()
    for subject in ("first", "first"):
        strikes.strike(subject, now_ms=0)
    for number in range(STRIKERS_MAX):
        strikes.strike(f"{number}", now_ms=0)
    assert not strikes.strike("first", now_ms=0)
