"""The bounds and the fixed proportions of a federated task, each with its name.

Everything that a call walks through is bounded by one of these, so the work of one call, and of one
step of `advance`, has a greatest size whatever anybody sends.
"""

from typing import Final

ONE: Final = 1 << 16
"""One in Q16, the fixed point of weights, reputations and shares."""

UPDATES_MAX: Final = 100
"""Updates in one round."""

SEATS_MAX: Final = 64
"""Validators that judge one round; the first ones of a committee that is larger."""

MEASURES_MAX: Final = 16
"""Loss, class and probe changes in one guard report."""

STEPS_MAX: Final = 16
"""Steps that one call of `advance` may take. On the chain a transaction may leave 256 events, and
one step of SETTLE leaves up to nine, those of the contracts that are told included."""

STEPS_PER_WAKE: Final = 8
STEP_PAUSE_MS: Final = 1

LEVEL_PART: Final = 4
"""An update is accepted if it gains more than this part of the level of its round..."""
PEAK_PART: Final = 64
"""...and than this part of the highest level that the task has reached."""

DROPS: Final = (0, 0, 0, 1, 3)
"""How many of the worst updates each rung of the ladder leaves out, in total."""
HALVINGS: Final = (0, 1, 2, 2, 2)
"""How often each rung halves the step of the model.

Updates are scored at half a step. Where the loss is convex, half a step along a mean of updates
that gain alone gains too; nothing promises that for a whole step.
"""

WINDOW_MS_MIN: Final = 1_000
WINDOW_MS_MAX: Final = 7 * 24 * 3_600_000

BOND_MIN: Final = 1_000_000
GRAINS_MAX: Final = 2**63 - 1
NORM_MAX: Final = 2**63 - 1
SCORE_MAX: Final = 2**31 - 1
SCORE_MIN: Final = -(2**31)
HASH_SIZE_BYTES: Final = 32

VESTING_ROUNDS: Final = 7
QUARANTINE_ROUNDS: Final = 20
HARM_WINDOW: Final = 5
"""Of the last rounds that an identity took part in, so many are looked at for persistent harm..."""
HARM_ROUNDS: Final = 3
"""...and so many of them with harm make a fault."""

TRAINERS_PERCENT: Final = 48
VALIDATORS_PERCENT: Final = 48
STORAGE_PERCENT: Final = 4
WEIGHT_PERCENT: Final = 70
"""The part of the trainers' pot that goes by weight; the rest goes by left-out gain."""
SLOT_PERCENT_MAX: Final = 15
"""The most that one slot weighs in the aggregate, if there are enough slots."""
IDENTITY_PERCENT_MIN: Final = 15
"""The least bound that a task may set on what one identity gets of the trainers' pot; its default.

Where few train, a task sets a higher one: of three that share alike, 15 % each would burn 55 %."""
IDENTITY_PERCENT_MAX: Final = 100
