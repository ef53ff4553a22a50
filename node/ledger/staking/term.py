"""When something happens to stake, and under which rules."""

from dataclasses import dataclass

from node.ledger.staking.parameters import StakingParameters
from primitives.ids import Epoch


@dataclass(frozen=True, slots=True)
class Term:
    """The running epoch and the staking parameters of the chain."""

    epoch: Epoch
    parameters: StakingParameters

    @property
    def next_epoch(self) -> Epoch:
        """The epoch in which what is asked for now takes effect."""
        return Epoch(self.epoch + 1)

    @property
    def oldest_evidence(self) -> Epoch:
        """The first epoch whose offences are still punished."""
        return Epoch(max(0, self.epoch - self.parameters.evidence_window_epochs))

    def release_of(self, left: Epoch) -> Epoch:
        """Return the epoch from which stake is free that left at the end of an epoch."""
        return Epoch(left + self.parameters.unbonding_epochs)

    def is_mature(self, left: Epoch) -> bool:
        """Tell whether stake that left at the end of that epoch is free by now."""
        return self.epoch >= self.release_of(left)
