"""Who took part: counted from committed blocks, judged when the epoch ends.

A validator is absent if it had blocks in too few of the rounds in which the most present one had
them. It earns nothing then, and if it stays absent it is jailed and loses a little. At most as much
power as may change hands is jailed at one boundary, the most absent first: an attack on the network
that silences half of the committee must not hand the chain to the other half.
"""

from collections.abc import Iterable

import msgspec

from node.ledger.overlay import Overlay
from node.ledger.staking.parameters import WHOLE_BP, StakingParameters
from node.ledger.staking.records import Members, Rounds, Standing, Validator
from node.ledger.staking.slashing import slash
from node.ledger.staking.tables import read_rounds, read_validator, write_rounds, write_validator
from node.ledger.staking.term import Term
from node.ledger.staking.vault import burn_stake
from primitives.ids import Address, AuthorityIndex


def record_commit(overlay: Overlay, authors: Iterable[AuthorityIndex]) -> None:
    """Count one round for the author of each block of a commit.

    Args:
        overlay: the state of the running epoch.
        authors: of the blocks that count; the second block of a slot does not.
    """
    rounds = list(read_rounds(overlay))
    for author in authors:
        rounds[author] += 1
    write_rounds(overlay, tuple(rounds))


def is_absent(count: int, *, rounds: Rounds, parameters: StakingParameters) -> bool:
    """Tell whether blocks in `count` rounds are too few, next to what others had."""
    most = max(rounds)
    if most < parameters.rounds_judged_min:
        return False
    return count * WHOLE_BP < most * parameters.attendance_min_bp


def judge_absence(
    overlay: Overlay, *, term: Term, members: Members, rounds: Rounds
) -> tuple[Address, ...]:
    """Count the epochs in which each seat was absent, jail who went on; return whom."""
    due = []
    for member, count in zip(members, rounds, strict=True):
        validator = read_validator(overlay, member.operator)
        absent = is_absent(count, rounds=rounds, parameters=term.parameters)
        absences = validator.absences + 1 if absent else 0
        if absences != validator.absences:
            validator = msgspec.structs.replace(validator, absences=absences)
            write_validator(overlay, validator)
        if absences > term.parameters.absences_max and validator.standing is Standing.GOOD:
            due.append((count, member))
    jailed = []
    power_left: int = term.parameters.power_change_max
    for _, member in sorted(due, key=lambda pair: (pair[0], pair[1].operator)):
        if member.power > power_left:
            break
        power_left -= member.power
        jailed.append(member.operator)
        _jail(overlay, read_validator(overlay, member.operator), term=term)
        lost = slash(
            overlay,
            term=term,
            operator=member.operator,
            offence_epoch=term.epoch,
            stake=member.stake,
            fraction_bp=term.parameters.slash_downtime_bp,
        )
        burn_stake(overlay, lost)
    return tuple(jailed)


def _jail(overlay: Overlay, validator: Validator, *, term: Term) -> None:
    jailed = msgspec.structs.replace(
        validator,
        standing=Standing.JAILED,
        release_epoch=term.next_epoch + term.parameters.jail_epochs,
        absences=0,
    )
    write_validator(overlay, jailed)
