"""Take the stake that the disputes contract decided to take; it is burned.

Guards: only the contract that genesis founded under the name "disputes" can cause a penalty, only
by an event of a call that succeeded, and one event costs at most `PENALTY_BP_MAX` of the stake.
Everybody else who emits an event of this name only writes on a receipt.

A penalty is for an offence in the epoch in which it was requested: what has left the validator
since then is liable, though it waits unbonding or with another validator. An offender without any
stake loses nothing, and nothing fails: a trainer need not be a validator.
"""

from dataclasses import dataclass
from typing import Final

from node.execution.contract_calls import ContractCalls
from node.execution.epochs import start_of
from node.execution.facts import CommitFacts
from node.ledger.contract import genesis_contract_address
from node.ledger.overlay import Overlay, StateReader
from node.ledger.receipt import Event
from node.ledger.staking.queries import stake_of
from node.ledger.staking.slashing import slash
from node.ledger.staking.tables import find_validator, read_committee
from node.ledger.staking.vault import burn_stake
from node.vm import types
from primitives.ids import Address, Epoch, Grain

DISPUTES: Final = "disputes"
SLASH_DUE: Final = "SlashDue"
PENALTY_BP_MAX: Final = 3_000
EPOCHS_BACK_MAX: Final = 32
"""An older request counts as so old: a slash looks at the records of every epoch since then."""

_ADDRESS: Final = genesis_contract_address(DISPUTES)
_FIELDS: Final = (("who", types.ADDRESS), ("basis_points", types.INT), ("at_ms", types.INT))


@dataclass(frozen=True, slots=True)
class Penalty:
    """Who loses which part of its stake, for what was requested when."""

    who: Address
    basis_points: int
    at_ms: int


def carry_out_penalties(calls: ContractCalls) -> None:
    """Slash whom the events of a successful transaction name."""
    for event in calls.events:
        if event.contract == _ADDRESS and event.name == SLASH_DUE:
            penalty = _read(calls, event)
            if penalty is not None and find_validator(calls.overlay, penalty.who) is not None:
                _slash(calls.overlay, penalty, facts=calls.facts)


def _read(calls: ContractCalls, event: Event) -> Penalty | None:
    """Return what the event asks for, None if the contract declares another event."""
    entry = calls.library.at(calls.overlay, event.contract)
    assert entry is not None, "a contract emitted the event"
    values = entry.decode_event(event, fields=_FIELDS)
    if values is None:
        return None
    who, basis_points, at_ms = values
    assert isinstance(who, bytes)
    assert isinstance(basis_points, int)
    assert isinstance(at_ms, int)
    return Penalty(Address(who), min(PENALTY_BP_MAX, max(0, basis_points)), at_ms)


def _slash(overlay: Overlay, penalty: Penalty, *, facts: CommitFacts) -> None:
    epoch = _epoch_at(overlay, penalty.at_ms, facts=facts)
    lost = slash(
        overlay,
        term=facts.term,
        operator=penalty.who,
        offence_epoch=epoch,
        stake=_stake_in(overlay, penalty.who, epoch),
        fraction_bp=penalty.basis_points,
    )
    burn_stake(overlay, lost)


def _epoch_at(state: StateReader, at_ms: int, *, facts: CommitFacts) -> Epoch:
    """Return the epoch of a moment.

    The last commit of an epoch has the time at which the next begins, so that moment is of both;
    the earlier one is taken, since who left in that commit may have known.
    """
    oldest = max(facts.term.oldest_evidence, facts.epoch - EPOCHS_BACK_MAX)
    epoch = facts.epoch
    while epoch > oldest and start_of(state, epoch) >= at_ms:
        epoch = Epoch(epoch - 1)
    return epoch


def _stake_in(state: StateReader, operator: Address, epoch: Epoch) -> Grain:
    """Return the stake with which a validator ruled in the epoch, or what it has if it did not."""
    for member in read_committee(state, epoch):
        if member.operator == operator:
            return member.stake
    return stake_of(state, operator)
