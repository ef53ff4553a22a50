"""The validators that genesis names, with stake and seats from the first commit on."""

from collections.abc import Sequence
from dataclasses import dataclass

from node.ledger.overlay import Overlay
from node.ledger.staking.boundary import seat
from node.ledger.staking.election import Candidate, Wish, elect
from node.ledger.staking.parameters import StakingParameters
from node.ledger.staking.pool import deposit
from node.ledger.staking.records import Delegation, Keys, Members
from node.ledger.staking.tables import read_validator, write_delegation, write_validator
from node.ledger.staking.validators import register
from node.ledger.staking.vault import lock
from primitives.errors import ConfigurationError, InvalidTransactionError
from primitives.ids import Address, Epoch, Grain

FIRST_EPOCH = Epoch(0)


@dataclass(frozen=True, slots=True)
class Founder:
    """A validator of genesis; its stake comes from the balance that genesis gave it."""

    operator: Address
    keys: Keys
    commission_bp: int
    stake: Grain


def found(
    overlay: Overlay, *, parameters: StakingParameters, founders: Sequence[Founder]
) -> Members:
    """Register the founders, lock their stake and seat the first committee.

    Raises:
        ConfigurationError: nobody, or one of them could not be a candidate, or not pay its stake.
    """
    if not founders:
        raise ConfigurationError("genesis names no validator")
    node_keys = set()
    for founder in founders:
        if founder.keys.node_key in node_keys:
            raise ConfigurationError(
                f"founder {founder.operator.hex()}: "
                f"the key {founder.keys.node_key.hex()} was registered before"
            )
        node_keys.add(founder.keys.node_key)
        if founder.stake < parameters.stake_join_min:
            raise ConfigurationError(
                f"founder {founder.operator.hex()} has a stake of {founder.stake}, "
                f"the least is {parameters.stake_join_min}"
            )
        try:
            _settle_founder(overlay, founder, parameters)
        except InvalidTransactionError as error:
            raise ConfigurationError(f"founder {founder.operator.hex()}: {error}") from error
    candidates = [
        Candidate(operator=founder.operator, keys=founder.keys, stake=founder.stake, wish=Wish.JOIN)
        for founder in founders
    ]
    members = elect((), candidates, parameters=parameters)
    seat(overlay, FIRST_EPOCH, members)
    return members


def _settle_founder(overlay: Overlay, founder: Founder, parameters: StakingParameters) -> None:
    operator, stake = founder.operator, founder.stake
    register(
        overlay,
        parameters=parameters,
        operator=operator,
        keys=founder.keys,
        commission_bp=founder.commission_bp,
    )
    lock(overlay, owner=operator, amount=stake)
    pool = read_validator(overlay, operator)
    write_validator(overlay, deposit(pool, grains=stake, shares=stake))
    write_delegation(overlay, operator, operator, Delegation(shares=stake))
