"""What was used of late is remembered, and no more of it than the bound allows."""

from random import Random

from node.ledger.tree.recent import Recent

EXTRA = 100


def recent(bytes_max: int) -> Recent[int, bytes]:
    return Recent(bytes_max=bytes_max, extra_bytes=EXTRA)


def remembered(memory: Recent[int, bytes], numbers: range) -> dict[int, bytes]:
    """Return what is there, without using it."""
    found: dict[int, bytes] = {}
    for number in numbers:
        value = memory.take(number)
        if value is not None:
            found[number] = value
    return found


def test_last_value_of_a_key_counts_wherever_the_one_before_was() -> None:
    for between in range(40):
        memory = recent(bytes_max=10 * EXTRA)
        memory.put(0, b"before")
        for number in range(1, between):
            memory.put(number, b"other")
        memory.put(0, b"after")
        assert memory.get(0) == b"after"
        assert memory.take(0) == b"after"
        assert memory.get(0) is None


def test_what_is_remembered_stays_within_the_bound() -> None:
    dice, bytes_max = Random(1), 100_000
    memory = recent(bytes_max=bytes_max)
    for _ in range(5_000):
        number = dice.randrange(3_000)
        match dice.randrange(4):
            case 0:
                memory.get(number)
            case 1:
                memory.take(number)
            case _:
                memory.put(number, bytes(dice.randrange(1_000)))
    found = remembered(memory, range(3_000))
    taken = sum(len(value) + EXTRA for value in found.values())
    assert bytes_max // 4 < taken < bytes_max + 2 * (1_000 + EXTRA)


def test_what_is_used_often_stays_while_others_come_and_go() -> None:
    memory = recent(bytes_max=20 * EXTRA)
    memory.put(0, b"often")
    for number in range(1, 200):
        memory.put(number, b"")
        assert memory.get(0) == b"often"
    assert memory.get(1) is None
    assert memory.get(199) == b""


def test_nothing_is_left_after_a_hand_over() -> None:
    memory = recent(bytes_max=20 * EXTRA)
    for number in range(15):
        memory.put(number, b"%d" % number)
    heir = memory.hand_over()
    assert remembered(memory, range(15)) == {}
    assert remembered(heir, range(15)) == {number: b"%d" % number for number in range(15)}
    memory.put(1, b"late")
    assert heir.get(1) is None
