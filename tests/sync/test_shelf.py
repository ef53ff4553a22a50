"""States that are held for others."""

from node.storage.state_errors import HoldLimitError, StatePrunedError
from node.sync.limits import ServingLimits
from node.sync.shelf import Shelf
from primitives.ids import Height

LIMITS = ServingLimits(snapshots_max=3, snapshot_idle_ms=1_000, snapshot_fresh_ms=500)


class Pantry:
    """Keeps states from a height on."""

    def __init__(self, *, oldest: int = 0, room: int = 8) -> None:
        self.held: list[Height] = []
        self._oldest = oldest
        self._room = room

    def hold(self, height: Height) -> None:
        if height < self._oldest:
            raise StatePrunedError(height=height, oldest=self._oldest)
        if len(self.held) == self._room:
            raise HoldLimitError(limit=self._room)
        self.held.append(height)

    def release(self, height: Height) -> None:
        self.held.remove(height)


def shelf(pantry: Pantry) -> Shelf:
    return Shelf(pantry, limits=LIMITS)


def test_offer_stays_fresh_for_a_while() -> None:
    states = shelf(Pantry())
    assert states.fresh(now_ms=0) is None
    assert states.offer(Height(5), now_ms=0)
    assert states.fresh(now_ms=499) == 5
    assert states.fresh(now_ms=500) is None


def test_state_that_nobody_asks_about_is_let_go() -> None:
    pantry = Pantry()
    states = shelf(pantry)
    states.offer(Height(5), now_ms=0)
    assert states.use(Height(5), now_ms=900)
    states.tidy(now_ms=1_899)
    assert pantry.held == [5]
    states.tidy(now_ms=1_900)
    assert pantry.held == []
    assert not states.use(Height(5), now_ms=1_900)


def test_strangers_cannot_take_the_place_of_our_own_choice() -> None:
    states = shelf(Pantry())
    assert states.request(Height(1), now_ms=0)
    assert states.request(Height(2), now_ms=0)
    assert not states.request(Height(3), now_ms=0)
    assert states.offer(Height(9), now_ms=0)
    assert states.heights == (1, 2, 9)
    # Nobody who fetches is cut off for somebody who comes later.
    assert not states.offer(Height(10), now_ms=600)
    assert states.offer(Height(10), now_ms=1_000)


def test_state_is_held_once_for_all_who_ask() -> None:
    pantry = Pantry()
    states = shelf(pantry)
    assert states.offer(Height(5), now_ms=0)
    assert states.request(Height(5), now_ms=1)
    assert pantry.held == [5]


def test_state_that_is_kept_no_longer_cannot_be_held() -> None:
    states = shelf(Pantry(oldest=7))
    assert not states.offer(Height(6), now_ms=0)
    assert states.heights == ()


def test_shelf_gives_way_to_other_holds() -> None:
    states = shelf(Pantry(room=0))
    assert not states.offer(Height(6), now_ms=0)


def test_everything_is_let_go_in_the_end() -> None:
    pantry = Pantry()
    states = shelf(pantry)
    states.offer(Height(1), now_ms=0)
    states.offer(Height(2), now_ms=0)
    states.clear()
    assert pantry.held == []
