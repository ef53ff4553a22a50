import random

import pytest

from fl.training.examples.example import LabelledText
from fl.training.examples.split import Part, Split, Spool

TEXTS = [f"Text {number} " + "ä🍎" * (number % 7) for number in range(300)]


def split(*, memory_size_bytes_max: int) -> Split[LabelledText]:
    spool = Spool(memory_size_bytes_max=memory_size_bytes_max)
    for number, text in enumerate(TEXTS):
        spool.add(text, number % 3)
    return Split(spool, LabelledText)


@pytest.mark.parametrize("memory_size_bytes_max", [100, 1 << 20])
def test_examples_are_read_in_any_order_from_memory_or_disk(memory_size_bytes_max: int) -> None:
    held = split(memory_size_bytes_max=memory_size_bytes_max)
    order = list(range(len(TEXTS)))
    random.Random(3).shuffle(order)
    assert [held[index].text for index in order] == [TEXTS[index] for index in order]
    assert list(held) == [LabelledText(text, n % 3) for n, text in enumerate(TEXTS)]


def test_split_counts_from_the_end_and_has_an_end() -> None:
    held = split(memory_size_bytes_max=100)
    assert held[-1] == held[299]
    assert held[297:] == [held[297], held[298], held[299]]
    with pytest.raises(IndexError):
        held[300]


def test_part_shows_the_chosen_examples_in_their_order() -> None:
    held = split(memory_size_bytes_max=100)
    part = held.part([5, 2, 299])
    assert isinstance(part, Part)
    assert list(part) == [held[5], held[2], held[299]]
    assert part[1:] == [held[2], held[299]]
    assert len(part) == 3
