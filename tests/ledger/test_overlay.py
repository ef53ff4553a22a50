from hypothesis import given
from hypothesis import strategies as st

from node.ledger.overlay import Overlay

KEYS = st.sampled_from([b"a", b"b", b"c"])
WRITES = st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=2)), max_size=12)


class Below:
    def __init__(self, values: dict[bytes, bytes]) -> None:
        self.values = values
        self.reads = 0

    def get(self, key: bytes) -> bytes | None:
        self.reads += 1
        return self.values.get(key)


def apply(overlay: Overlay, writes: list[tuple[bytes, bytes | None]]) -> None:
    for key, value in writes:
        if value is None:
            overlay.delete(key)
        else:
            overlay.put(key, value)


def test_a_write_hides_what_lies_below() -> None:
    overlay = Overlay(Below({b"a": b"old"}))
    overlay.put(b"a", b"new")
    assert overlay.get(b"a") == b"new"


def test_a_deleted_key_is_absent_though_it_lies_below() -> None:
    overlay = Overlay(Below({b"a": b"old"}))
    overlay.delete(b"a")
    assert overlay.get(b"a") is None


def test_the_state_below_is_asked_once_for_a_key() -> None:
    below = Below({b"a": b"old"})
    overlay = Overlay(below)
    for _ in range(3):
        overlay.get(b"a")
        overlay.get(b"absent")
    assert below.reads == 2


def test_writing_what_lies_below_already_is_no_change() -> None:
    overlay = Overlay(Below({b"a": b"old"}))
    overlay.put(b"a", b"new")
    overlay.put(b"a", b"old")
    overlay.delete(b"absent")
    assert overlay.changes() == {}


def test_changes_come_by_ascending_key() -> None:
    overlay = Overlay(Below({b"b": b"old"}))
    overlay.put(b"c", b"3")
    overlay.delete(b"b")
    overlay.put(b"a", b"1")
    assert list(overlay.changes().items()) == [(b"a", b"1"), (b"b", None), (b"c", b"3")]


@given(below=st.dictionaries(KEYS, st.binary(max_size=2)), kept=WRITES, undone=WRITES)
def test_a_rollback_undoes_exactly_the_writes_since_the_mark(
    below: dict[bytes, bytes],
    kept: list[tuple[bytes, bytes | None]],
    undone: list[tuple[bytes, bytes | None]],
) -> None:
    overlay, untouched = Overlay(Below(below)), Overlay(Below(below))
    apply(overlay, kept)
    apply(untouched, kept)
    mark = overlay.mark()
    apply(overlay, undone)
    overlay.rollback(mark)
    assert overlay.changes() == untouched.changes()
    assert all(overlay.get(key) == untouched.get(key) for key in (b"a", b"b", b"c"))


@given(below=st.dictionaries(KEYS, st.binary(max_size=2)), writes=WRITES)
def test_changes_applied_to_the_state_below_give_what_the_overlay_shows(
    below: dict[bytes, bytes], writes: list[tuple[bytes, bytes | None]]
) -> None:
    overlay = Overlay(Below(dict(below)))
    apply(overlay, writes)
    after = dict(below)
    for key, value in overlay.changes().items():
        if value is None:
            del after[key]
        else:
            after[key] = value
    assert all(overlay.get(key) == after.get(key) for key in (b"a", b"b", b"c"))
