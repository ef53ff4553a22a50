"""The calls of trainers: commit an update, reveal it, and claim what has vested."""

from dataclasses import replace

from fl.rules.calls import Call, Claim, Commit, Reveal
from fl.rules.effects import Anomaly, Purpose, Reason, UpdateCommitted, UpdateRevealed
from fl.rules.errors import Rule, require
from fl.rules.limits import HASH_SIZE_BYTES, UPDATES_MAX
from fl.rules.phase import Phase
from fl.rules.phases import close_if_complete, close_if_ready
from fl.rules.scorecard import Place, commit_update
from fl.rules.state import Identity, Round, Update
from fl.rules.turn import Turn
from fl.rules.vesting import mature
from primitives.ids import Address, Grain, Height


def commit(turn: Turn, call: Call, action: Commit) -> None:
    """Take a bonded commitment into the round.

    A full round makes room for a better reputation than its least one: new identities cost little,
    and first come, first served would let a hundred of them keep everybody out. A task that sets
    `ready` does without: its rounds go on with so many updates, and are never full.
    """
    running = turn.require_phase(Phase.COMMIT)
    require(len(action.commitment) == HASH_SIZE_BYTES, Rule.BAD_HASH)
    require(call.value == turn.task.terms.bond, Rule.WRONG_BOND)
    require(_index_of(running, call.sender) is None, Rule.ALREADY)
    identity = Identity(call.sender, turn.chain.registered_at(call.sender))
    require(identity.registered_at > 0, Rule.NOT_REGISTERED)
    standing = turn.standing_of(identity)
    require(standing.quarantined_until <= turn.task.scored, Rule.QUARANTINED)
    update = Update(
        trainer=identity,
        commitment=action.commitment,
        committed_at=call.moment.height,
        reputation=standing.reputation,
        bond=Grain(call.value),
    )
    if len(running.updates) < turn.task.terms.slots:
        index = len(running.updates)
        turn.running = replace(running, updates=(*running.updates, update))
    else:
        index = _displace(turn, update)
    turn.effects.append(UpdateCommitted(turn.task.number, running.number, index, call.sender))
    close_if_ready(turn)


def reveal(turn: Turn, call: Call, action: Reveal) -> None:
    """Open the commitment to an update."""
    running = turn.require_phase(Phase.REVEAL)
    index = _index_of(running, call.sender)
    require(index is not None, Rule.NO_UPDATE)
    assert index is not None
    update = running.updates[index]
    require(update.root is None, Rule.ALREADY)
    sizes = {len(action.root), len(action.salt)}
    require(sizes == {HASH_SIZE_BYTES}, Rule.BAD_HASH)
    place = Place(turn.task.number, running.number, call.sender)
    opened = commit_update(place, root=action.root, salt=action.salt)
    require(opened == update.commitment, Rule.WRONG_OPENING)
    turn.put_update(index, replace(update, root=action.root))
    turn.effects.append(UpdateRevealed(turn.task.number, running.number, index, action.root))
    close_if_complete(turn)


def claim(turn: Turn, action: Claim) -> None:
    """Pay what has vested for an identity to its address, whoever asks."""
    identity = Identity(action.address, Height(action.registered_at))
    standing = turn.standing_of(identity)
    matured = mature(standing.vesting, turn.clock)
    require(matured.vested > 0, Rule.NOTHING_VESTED)
    turn.put_standing(identity, replace(standing, vesting=replace(matured, vested=Grain(0))))
    turn.pay(action.address, matured.vested, Purpose.REWARD)


def _index_of(running: Round, address: Address) -> int | None:
    """Return the index of the update of an address; it has at most one, at any registration."""
    indices = (i for i, update in enumerate(running.updates) if update.trainer.address == address)
    return next(indices, None)


def _displace(turn: Turn, update: Update) -> int:
    """Put the update in the place of the least reputation, of equal ones the latest."""
    updates = turn.running.updates
    rank = min(
        one.reputation * UPDATES_MAX + (UPDATES_MAX - 1 - index)
        for index, one in enumerate(updates)
    )
    index = UPDATES_MAX - 1 - rank % UPDATES_MAX
    loser = updates[index]
    require(update.reputation > loser.reputation, Rule.FULL)
    turn.put_update(index, update)
    turn.pay(loser.trainer.address, loser.bond, Purpose.BOND)
    address, number = loser.trainer.address, turn.running.number
    turn.effects.append(Anomaly(turn.task.number, number, address, Reason.DISPLACED))
    return index
