"""Whatever two sessions do and however a network cuts their bytes, streams stay what they are."""

from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.p2p.yamux.talk import Act, Step, Talk

SIZES = st.one_of(st.integers(0, 40), st.integers(0, 3_000), st.sampled_from([65_519, 300_000]))
STEPS = st.builds(
    Step,
    side=st.integers(0, 1),
    act=st.sampled_from(get_args(Act)),
    pick=st.integers(0, 5),
    size=SIZES,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_streams_deliver_exactly_what_was_written(steps: list[Step]) -> None:
    talk = Talk()
    talk.play(Step(0, "open", 0, 0))
    for step in steps:
        talk.play(step)
    talk.settle()
    talk.check()


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 90_000), st.integers(1, 70_000)), min_size=1, max_size=25),
    st.integers(1, 65_519),
)
def test_slow_reader_never_makes_the_writer_overrun_its_window(
    turns: list[tuple[int, int]], read_bytes: int
) -> None:
    talk = Talk()
    talk.play(Step(0, "open", 0, 0))
    for written_bytes, carried_bytes in turns:
        talk.play(Step(0, "write", 0, written_bytes))
        talk.take(0, 65_519)
        talk.carry(0, carried_bytes)
        talk.play(Step(1, "read", 0, read_bytes))
        talk.take(1, 65_519)
        talk.carry(1, carried_bytes)
    talk.settle()
    talk.check()
