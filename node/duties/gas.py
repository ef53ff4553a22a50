"""How much gas the calls of rounds may use: enough for the largest, and no more than is needed.

The chain executes commits up to a sum of gas *limits*, so a limit that is too high keeps others
waiting. Whoever ends a phase also pays for the call that ends the next one, three million.
"""

from typing import Final

from primitives.ids import Gas

CALL_GAS: Final = 4_500_000
"""A call that ends a phase, in a small round, with the wake-up it pays for."""

GAS_PER_UPDATE: Final = 80_000
GAS_PER_SEAT: Final = 40_000
CALL_GAS_MAX: Final = 22_000_000
ADVANCE_STEPS: Final = 8


def call_gas(*, updates: int, seats: int) -> Gas:
    """Return the gas limit of a call in a round of this size."""
    return Gas(min(CALL_GAS_MAX, CALL_GAS + GAS_PER_UPDATE * updates + GAS_PER_SEAT * seats))
