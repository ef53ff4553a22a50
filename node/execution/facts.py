"""What every transaction of one commit runs with; fixed before the first of them."""

from dataclasses import dataclass, field

from node.ledger.committee import quorum_of
from node.ledger.parameters import LedgerParameters
from node.ledger.staking.records import Members
from node.ledger.staking.term import Term
from primitives.ids import Address, ChainId, Digest, Epoch, Grain, Height, Power, TimestampMs


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFacts:
    """One commit, as transactions and contracts see it.

    Args:
        height: commits before this one.
        time_ms: of the commit.
        beacon: see `primitives.hashing.Domain.BEACON`; nobody knew it before the commit.
        base_fee: per gas.
        members: the committee of the epoch, by authority index.

    Attributes:
        powers: of the operators of the members.
        quorum: of the members; contracts ask for both at a price that no committee changes.
    """

    chain_id: ChainId
    epoch: Epoch
    height: Height
    time_ms: TimestampMs
    beacon: Digest
    base_fee: Grain
    parameters: LedgerParameters
    members: Members
    powers: dict[Address, Power] = field(init=False, repr=False, compare=False)
    quorum: Power = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Add up the powers once."""
        powers = {member.operator: member.power for member in self.members}
        object.__setattr__(self, "powers", powers)
        object.__setattr__(self, "quorum", quorum_of(self.members))

    @property
    def term(self) -> Term:
        """The epoch with the rules of staking."""
        return Term(self.epoch, self.parameters.staking)
