"""Voting power from stake: normalised to 10,000, and capped so that nobody holds too much of it.

With n seats the cap is max(power_cap, ceil(10,000 / n)): four seats have a quarter each whatever
their stake, and no single one of ten or more can block a quorum.

Theory of operation. Everybody has power 1. The rest is shared out from the greatest stake down:
each takes its part of what is left, rounded up, by its part of the stake that is left, but never
more than the cap. So what the cap cuts off goes to the others by their stake; Sui hands it out in
equal parts, which makes many seats with little stake in sum more than a third. Why it holds:
- the sum is exact, since the last seat takes all the rest, and n caps are enough;
- power follows stake, since rounding up never raises the price of power for those who come after,
  and the cap, which does, is the most anyone has;
- the next takes at least the average of what is left, or the cap, so what is left for k seats is
  never more than k caps.
Source of the rules: Sui `voting_power.move`.
"""

from collections.abc import Sequence

from node.ledger.staking.parameters import POWER_TOTAL
from primitives.ids import Power


def cap_of(seat_count: int, *, power_cap: int) -> Power:
    """Return the most power of one of so many seats."""
    return Power(max(power_cap, -(-POWER_TOTAL // seat_count)))


def powers_of(weights: Sequence[int], *, power_cap: int) -> tuple[Power, ...]:
    """Return the power of each seat.

    Args:
        weights: positive, in descending order, at least one and at most 10,000.
        power_cap: the most power of one seat, unless the seats are too few to add up.
    """
    cap = cap_of(len(weights), power_cap=power_cap)
    power_left = POWER_TOTAL - len(weights)
    weight_left = sum(weights)
    powers = []
    for weight in weights:
        extra = min(cap - 1, -(-power_left * weight // weight_left))
        powers.append(Power(1 + extra))
        power_left -= extra
        weight_left -= weight
    return tuple(powers)
