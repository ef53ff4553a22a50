"""Which chunks are asked of whom: everything once, and the end of a slow one by a second asker."""

from hypothesis import given
from hypothesis import strategies as st

from node.blobs.fetch_plan import SPAN_LEAVES, FetchPlan, Span


def test_what_is_missing_is_given_out_in_spans() -> None:
    plan = FetchPlan([0, 1, 2, 5, 6, 9])
    assert [plan.take() for _ in range(3)] == [Span(0, 3), Span(5, 2), Span(9, 1)]
    long = FetchPlan(range(SPAN_LEAVES + 1))
    assert [long.take(), long.take()] == [Span(0, SPAN_LEAVES), Span(SPAN_LEAVES, 1)]


def test_nothing_missing_is_over_at_once() -> None:
    plan = FetchPlan([])
    assert plan.is_over
    assert plan.take() is None


def test_what_fails_goes_back_without_what_was_kept() -> None:
    plan = FetchPlan(range(4))
    span = plan.take()
    assert span is not None
    plan.ended(span, kept={1})
    assert [plan.take(), plan.take()] == [Span(0, 1), Span(2, 2)]


def test_the_last_span_is_doubled_once_and_ends_once() -> None:
    plan = FetchPlan([3])
    assert [plan.take(), plan.take(), plan.take()] == [Span(3, 1), Span(3, 1), None]
    over = [plan.is_over]
    for kept in ((), (3,), (3,)):
        plan.ended(Span(3, 1), kept=kept)
        over.append(plan.is_over)
    assert over == [False, False, True, True]


@given(
    missing=st.sets(st.integers(0, 60), max_size=40),
    turns=st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=60),
)
def test_whatever_fails_everything_comes_at_last(
    missing: set[int], turns: list[tuple[bool, int]]
) -> None:
    plan, kept, out = FetchPlan(missing), set[int](), list[Span]()
    for takes, number in turns:
        if takes and (span := plan.take()) is not None:
            out.append(span)
        elif out:
            span = out.pop(number % len(out))
            some = {index for index in span.places if (index + number) % 2}
            kept |= some
            plan.ended(span, kept=some)
    for span in out:
        kept |= set(span.places)
        plan.ended(span, kept=span.places)
    while (span := plan.take()) is not None:
        kept |= set(span.places)
        plan.ended(span, kept=span.places)
    assert plan.is_over
    assert kept == missing
