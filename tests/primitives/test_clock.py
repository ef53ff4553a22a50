from primitives.clock import Clock, Instant


class StoppedClock:
    """The least that is a clock."""

    def monotonic_ms(self) -> int:
        return 5

    def wall_ms(self) -> int:
        return 1_700_000_000_000


def reading(clock: Clock) -> Instant:
    return Instant(monotonic_ms=clock.monotonic_ms(), wall_ms=clock.wall_ms())


def test_an_instant_holds_both_times_of_a_clock() -> None:
    assert reading(StoppedClock()) == Instant(monotonic_ms=5, wall_ms=1_700_000_000_000)
