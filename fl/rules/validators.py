"""The calls of validators: attest, score, vote for an aggregate, report on it."""

from dataclasses import replace

from fl.rules.calls import Attest, Call, CommitScores, Report, RevealScores, Vote
from fl.rules.errors import Rule, require
from fl.rules.limits import HASH_SIZE_BYTES, SCORE_MAX, SCORE_MIN
from fl.rules.phase import Phase
from fl.rules.phases import close_if_complete
from fl.rules.scorecard import RECORD_SIZE_BYTES, Place, commit_scores
from fl.rules.state import Round
from fl.rules.turn import Turn
from primitives.ids import Address


def attest(turn: Turn, call: Call, action: Attest) -> None:
    """Add the sender's power to every update that it holds."""
    running = turn.require_phase(Phase.AVAILABILITY)
    index = _seat_of(running, call.sender)
    seat, held = running.seats[index], action.held
    revealed = revealed_updates(running)
    # A negative number has infinitely many bits, so it is never within the revealed ones.
    is_new = held & revealed == held and held & seat.held == 0
    require(held and is_new, Rule.BAD_HOLDINGS)
    turn.put_updates(
        {
            i: replace(update, attested=update.attested + seat.power)
            for i, update in enumerate(running.updates)
            if held >> i & 1
        }
    )
    turn.put_seat(index, replace(seat, held=seat.held | held))
    close_if_complete(turn)


def promise_scores(turn: Turn, call: Call, action: CommitScores) -> None:
    """Take the commitment to a scorecard."""
    running = turn.require_phase(Phase.SCORE_COMMIT)
    index = _seat_of(running, call.sender)
    seat = running.seats[index]
    require(len(action.commitment) == HASH_SIZE_BYTES, Rule.BAD_HASH)
    require(seat.commitment is None, Rule.ALREADY)
    registered_at = turn.chain.registered_at(call.sender)
    promised = replace(seat, commitment=action.commitment, registered_at=registered_at)
    turn.put_seat(index, promised)
    close_if_complete(turn)


def reveal_scores(turn: Turn, call: Call, action: RevealScores) -> None:
    """Open the commitment to a scorecard."""
    running = turn.require_phase(Phase.SCORE_REVEAL)
    index = _seat_of(running, call.sender)
    seat = running.seats[index]
    require(seat.commitment is not None, Rule.NO_SCORE_COMMITMENT)
    require(seat.card is None, Rule.ALREADY)
    require(len(action.salt) == HASH_SIZE_BYTES, Rule.BAD_HASH)
    size = len(running.updates) * RECORD_SIZE_BYTES
    require(len(action.card) == size, Rule.BAD_SCORECARD)
    place = Place(turn.task.number, running.number, call.sender)
    opened = commit_scores(place, card=action.card, salt=action.salt)
    require(opened == seat.commitment, Rule.WRONG_OPENING)
    turn.put_seat(index, replace(seat, card=action.card))
    close_if_complete(turn)


def vote(turn: Turn, call: Call, action: Vote) -> None:
    """Take a vote for an aggregate; one for each rung."""
    running = turn.require_phase(Phase.AGGREGATE)
    index = _seat_of(running, call.sender)
    seat = running.seats[index]
    require(seat.vote is None, Rule.ALREADY)
    require(len(action.aggregate) == HASH_SIZE_BYTES, Rule.BAD_HASH)
    turn.put_seat(index, replace(seat, vote=action.aggregate))
    close_if_complete(turn)


def report(turn: Turn, call: Call, action: Report) -> None:
    """Take a guard report; one for each rung."""
    running = turn.require_phase(Phase.GUARD)
    index = _seat_of(running, call.sender)
    seat, changes = running.seats[index], action.changes
    require(seat.report is None, Rule.ALREADY)
    fits = len(changes) == len(turn.task.terms.guard_bounds)
    in_range = all(SCORE_MIN <= change <= SCORE_MAX for change in changes)
    require(fits and in_range, Rule.BAD_REPORT)
    turn.put_seat(index, replace(seat, report=changes))
    close_if_complete(turn)


def revealed_updates(running: Round) -> int:
    """Return the revealed updates as bits."""
    return sum(1 << i for i, update in enumerate(running.updates) if update.root is not None)


def _seat_of(running: Round, address: Address) -> int:
    indices = (i for i, seat in enumerate(running.seats) if seat.address == address)
    index = next(indices, None)
    require(index is not None, Rule.NOT_SEATED)
    assert index is not None
    return index
