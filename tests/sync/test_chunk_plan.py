"""Where in a snapshot to go on."""

import msgspec
import pytest

from node.ledger.tree.coverage import NOTHING, Coverage, Gap
from node.ledger.tree.lookup import PLACE_FIRST, PLACE_LAST
from node.ledger.tree.snapshot import CHUNK_ENTRIES_MAX, cut_chunk, place_behind
from node.sync.chunk_plan import SPLIT_GAPS_MAX, is_cut_short, next_low
from tests.ledger.tree.memory import MemoryTree
from tests.ledger.tree.test_update import accounts


def place(first: int, last: int = 0) -> bytes:
    return bytes([first]) + bytes([last]) * 31


def test_first_goes_to_the_beginning() -> None:
    assert next_low(NOTHING.gaps, ()) == PLACE_FIRST


def test_second_takes_the_other_half_and_the_third_a_quarter() -> None:
    half = next_low(NOTHING.gaps, (PLACE_FIRST,))
    assert half == place(0x80)
    assert next_low(NOTHING.gaps, (PLACE_FIRST, place(0x80))) == place(0xC0)


def test_gap_that_nobody_is_at_comes_first() -> None:
    gaps = (Gap(PLACE_FIRST, place(0x10)), Gap(place(0x40), PLACE_LAST))
    assert next_low(gaps, (PLACE_FIRST,)) == place(0x40)


def test_small_rest_is_left_to_who_is_at_it() -> None:
    gaps = (Gap(place(0x40), place(0x40, 0xFF)),)
    assert next_low(gaps, ()) == place(0x40)
    assert (
        next_low(Coverage((Gap(place(0xFF, 0xF1), PLACE_LAST),)).gaps, (place(0xFF, 0xF1),)) is None
    )


def test_many_gaps_are_not_cut_further() -> None:
    gaps = tuple(
        Gap(number.to_bytes(2, "big") + bytes(30), number.to_bytes(2, "big") + b"\x01" * 30)
        for number in range(SPLIT_GAPS_MAX + 1)
    )
    assert next_low(gaps, [gap.low for gap in gaps]) is None


def test_nothing_is_left_of_a_whole_snapshot() -> None:
    assert next_low((), ()) is None


@pytest.mark.parametrize(
    ("entries", "size_bytes", "chunks_min"),
    [(0, 0, 1), (10, 50, 1), (600, 1_000, 3), (CHUNK_ENTRIES_MAX + 1, 1, 2)],
    ids=["empty", "few", "large", "tiny"],
)
def test_honest_chunk_is_never_cut_short(entries: int, size_bytes: int, chunks_min: int) -> None:
    tree = MemoryTree()
    tree.apply(accounts(entries, value=b"v" * size_bytes))
    low: bytes | None = PLACE_FIRST
    count = 0
    while low is not None:
        chunk = cut_chunk(tree.source, tree.root, low=low)
        assert not is_cut_short(chunk)
        low, count = place_behind(chunk.high), count + 1
    assert count >= chunks_min


def test_chunk_that_ends_early_or_behind_its_last_entry_is_cut_short() -> None:
    tree = MemoryTree()
    tree.apply(accounts(600, value=b"v" * 1_000))
    whole = cut_chunk(tree.source, tree.root, low=PLACE_FIRST)
    part = cut_chunk(tree.source, tree.root, low=PLACE_FIRST, content_bytes=len(whole.contents))
    nothing = msgspec.structs.replace(whole, high=PLACE_FIRST, contents=())
    further = msgspec.structs.replace(whole, high=place_behind(whole.high) or b"")
    assert all(map(is_cut_short, (part, nothing, further)))
