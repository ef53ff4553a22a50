"""Pay out the pot of an epoch: its tips, and the emission.

The share of a seat is its power times the rounds in which it had a committed block, next to the
total power and the most rounds that anyone had. What an absent, jailed or tombstoned seat would
have got goes to the treasury with all remainders, not to the others: nobody earns by keeping
somebody else out. The pool gets the share without the commission, so delegators need no update.
"""

from dataclasses import dataclass

from node.ledger.overlay import Overlay
from node.ledger.staking.attendance import is_absent
from node.ledger.staking.parameters import POWER_TOTAL, WHOLE_BP
from node.ledger.staking.pool import grow
from node.ledger.staking.records import Members, Rounds, Standing
from node.ledger.staking.tables import read_validator, write_validator
from node.ledger.staking.term import Term
from node.ledger.staking.vault import empty_pot, fill_pot, pay_reward
from primitives.ids import Grain


@dataclass(frozen=True, slots=True)
class Payout:
    """Where the pot went; `pot == sum(rewards) + treasury`.

    Args:
        rewards: one per seat, commission included.
    """

    pot: Grain
    rewards: tuple[Grain, ...]
    treasury: Grain


def reward_of(pot: Grain, *, power: int, rounds: int, rounds_most: int) -> Grain:
    """Return the share of one seat, rounded down."""
    return Grain(pot * power * rounds // (POWER_TOTAL * rounds_most)) if rounds_most else Grain(0)


def pay_rewards(overlay: Overlay, *, term: Term, members: Members, rounds: Rounds) -> Payout:
    """Empty the pot into pools, commissions and the treasury."""
    pot = fill_pot(overlay, term.parameters.emission_per_epoch)
    rewards = []
    for member, count in zip(members, rounds, strict=True):
        validator = read_validator(overlay, member.operator)
        reward = reward_of(pot, power=member.power, rounds=count, rounds_most=max(rounds))
        absent = is_absent(count, rounds=rounds, parameters=term.parameters)
        if absent or validator.standing is not Standing.GOOD or validator.tokens == 0:
            rewards.append(Grain(0))
            continue
        commission = Grain(reward * validator.commission_bp // WHOLE_BP)
        stake = Grain(reward - commission)
        pay_reward(overlay, operator=member.operator, commission=commission, stake=stake)
        write_validator(overlay, grow(validator, stake))
        rewards.append(reward)
    return Payout(pot=pot, rewards=tuple(rewards), treasury=empty_pot(overlay))
