from hypothesis import given
from hypothesis import strategies as st

from p2p.token_bucket import TokenBucket


def test_burst_passes_at_once_and_what_follows_waits_for_the_rate() -> None:
    bucket = TokenBucket(per_s=100, burst=50, now_ms=0)
    assert bucket.take(50, now_ms=0) == 0
    assert bucket.take(10, now_ms=0) == 101
    assert bucket.take(10, now_ms=100) == 101


def test_debt_is_paid_before_anything_is_there_again() -> None:
    bucket = TokenBucket(per_s=100, burst=50, now_ms=0)
    bucket.take(150, now_ms=0)
    assert not bucket.has(1, now_ms=1_000)
    assert bucket.has(1, now_ms=1_010)
    assert not bucket.has(1, now_ms=1_010)


def test_bucket_is_full_when_nothing_was_taken_for_long_enough() -> None:
    bucket = TokenBucket(per_s=100, burst=50, now_ms=0)
    assert bucket.is_full(now_ms=0)
    bucket.take(50, now_ms=0)
    assert not bucket.is_full(now_ms=499)
    assert bucket.is_full(now_ms=500)
    assert bucket.is_full(now_ms=100_000)
    assert not bucket.has(51, now_ms=100_000)


def test_clock_that_stands_still_gives_nothing() -> None:
    bucket = TokenBucket(per_s=100, burst=1, now_ms=500)
    assert bucket.has(1, now_ms=500)
    assert not bucket.has(1, now_ms=500)
    assert not bucket.has(1, now_ms=400)


@given(
    st.integers(1, 10_000),
    st.integers(1, 10_000),
    st.lists(st.tuples(st.integers(0, 1_000), st.integers(1, 500)), max_size=50),
)
def test_no_more_than_burst_and_rate_ever_passes(
    per_s: int, burst: int, steps: list[tuple[int, int]]
) -> None:
    bucket = TokenBucket(per_s=per_s, burst=burst, now_ms=0)
    now_ms = passed = 0
    for wait_ms, amount in steps:
        now_ms += wait_ms
        passed += amount * bucket.has(amount, now_ms=now_ms)
        assert passed <= burst + per_s * now_ms / 1_000 + 1e-6
