"""Where in a snapshot to go on."""

from node.ledger.tree.coverage import NOTHING, Coverage, Gap
from node.ledger.tree.lookup import PLACE_FIRST, PLACE_LAST
from node.sync.chunk_plan import SPLIT_GAPS_MAX, next_low


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
