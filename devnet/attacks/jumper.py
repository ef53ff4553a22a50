"""The round jumper: it proposes at the highest possible round, at once, and leaves out leaders.

`JumpingPacemaker` is the pacemaker without the repair of section 2.6; `devnet.attacks.denier`
stalls a chain that uses it. Source: Sui `core.rs`; Qiu, Xiao, Shao, S&P 2026.
"""

from typing_extensions import override

from consensus.committee import EpochContext
from consensus.pacemaker import Pacemaker
from devnet.simulator.validators.validator import EpochInstance, Validator
from primitives.ids import Round


class JumpingPacemaker(Pacemaker):
    """Targets the clock itself, as production did before the repair."""

    @override
    def target(self, *, proposed: Round, decided: Round, clock: Round) -> Round | None:
        return clock if clock > proposed else None

    @override
    def can_serve(self, *, has_leaders: bool, has_opinions: bool) -> bool:
        return has_leaders


class EagerPacemaker(JumpingPacemaker):
    """Jumps, and waits for neither leaders nor the minimum delay."""

    @override
    def due_ms(
        self,
        target: Round,
        *,
        now_ms: int,
        last_proposal_ms: int,
        delay_ms: int,
        is_late: bool,
        can_serve: bool,
    ) -> int:
        return now_ms


class RoundJumper(Validator):
    """A validator with an eager, jumping pacemaker."""

    @override
    def open_epoch(self, context: EpochContext) -> EpochInstance:
        committee = context.committee
        return self.keep(
            EpochInstance(self, context, pacemaker=EagerPacemaker(committee, self.world.tuning))
        )
