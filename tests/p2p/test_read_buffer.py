from hypothesis import given
from hypothesis import strategies as st

from p2p.read_buffer import COLLECTED_SIZE_BYTES, SCRAP_SIZE_BYTES, ReadBuffer

SIZES = st.integers(1, 3 * SCRAP_SIZE_BYTES)
STEPS = st.lists(st.tuples(st.sampled_from(["put", "put back", "take"]), SIZES), max_size=40)


@given(STEPS)
def test_bytes_come_out_in_order_however_they_came_in(steps: list[tuple[str, int]]) -> None:
    buffer, expected = ReadBuffer(), b""
    for number, (step, size_bytes) in enumerate(steps):
        raw = number.to_bytes(2, "big") * size_bytes
        if step == "put":
            buffer.put(raw)
            expected += raw
        elif step == "put back":
            buffer.put_back(raw)
            expected = raw + expected
        elif expected:
            taken = buffer.take(size_bytes)
            assert type(taken) is bytes
            assert 1 <= len(taken) <= size_bytes
            assert expected.startswith(taken)
            expected = expected[len(taken) :]
        assert bool(buffer) is bool(expected)


def test_small_pieces_are_kept_together_and_large_ones_as_they_are() -> None:
    buffer = ReadBuffer()
    large = bytes(SCRAP_SIZE_BYTES)
    buffer.put(large)
    for _ in range(COLLECTED_SIZE_BYTES):
        buffer.put(b"ab")
    assert buffer.take(1 << 30) is large
    assert len(buffer.take(1 << 30)) == COLLECTED_SIZE_BYTES
    assert len(buffer.take(1 << 30)) == COLLECTED_SIZE_BYTES
    assert not buffer
