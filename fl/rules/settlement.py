"""SETTLE by steps: every update, then every validator, then the round itself.

Each step moves the money that it concerns out of the round for good, so the round may stop between
any two steps and still owe exactly what is left in it. Steps: one per update; if scores were due,
one that adds up the validators' shares and one per seat; one that returns the rest of the pot.
"""

from dataclasses import replace

from fl.rules import scorecard
from fl.rules.effects import Anomaly, Outcome, Purpose, Reason, RoundEnded, SlashRequest
from fl.rules.limits import ONE, QUARANTINE_ROUNDS, VESTING_ROUNDS
from fl.rules.opening import return_escrow
from fl.rules.reputation import (
    PENALTIES,
    BondFate,
    Fault,
    after_quality,
    cut,
    is_harm,
    is_persistent,
    remember_harm,
)
from fl.rules.rewards import (
    Conduct,
    Merit,
    part,
    smooth,
    split,
    trainer_reward,
    validator_share,
)
from fl.rules.select import is_support
from fl.rules.state import Identity, Judged, Round, Seat, Update
from fl.rules.turn import Turn
from fl.rules.vesting import Tranche, earn, slash
from primitives.ids import Grain, TimestampMs

_FAULT_OF = {
    Reason.WITHHELD: Fault.WITHHELD_UPDATE,
    Reason.MALFORMED: Fault.MALFORMED,
    Reason.REPLAY: Fault.COPY,
    Reason.COPY: Fault.COPY,
}


def take_step(turn: Turn) -> None:
    """Take the next step of SETTLE."""
    running = turn.running
    seat_index = running.cursor - len(running.updates) - 1
    if running.cursor < len(running.updates):
        _settle_update(turn, running.cursor)
    elif not running.were_scores_due or seat_index == len(running.seats):
        _end(turn)
        return
    elif seat_index < 0:
        _share_out(turn)
    else:
        _settle_seat(turn, seat_index)
    turn.running = replace(turn.running, cursor=running.cursor + 1)


def _settle_update(turn: Turn, index: int) -> None:
    running = turn.running
    update = running.updates[index]
    reason = _reason(update, running)
    fault = None if reason is None else _FAULT_OF.get(reason)
    if reason is not None:
        address = update.trainer.address
        turn.effects.append(Anomaly(turn.task.number, running.number, address, reason))
    _release_bond(turn, index, fault)
    if fault is not None:
        _punish(turn, update.trainer, fault)
    if update.judged is not None:
        _rate(turn, update, update.judged, fault)
        _support(turn, index, update.judged)
    if reason is None:
        _reward(turn, update)


def _reason(update: Update, running: Round) -> Reason | None:
    """Return why an update earns nothing, None if it does."""
    if update.reason is not None:
        return update.reason
    if update.root is None:
        return Reason.WITHHELD
    if update.attested < running.quorum:
        return Reason.UNAVAILABLE
    if update.judged is None:
        return Reason.UNSCORED
    return None if running.is_committed else Reason.NOT_COMMITTED


def _release_bond(turn: Turn, index: int, fault: Fault | None) -> None:
    update = turn.running.updates[index]
    turn.put_update(index, replace(update, bond=Grain(0)))
    if fault is not None and PENALTIES[fault].bond is BondFate.BURNED:
        turn.burn(update.bond)
    else:
        turn.pay(update.trainer.address, update.bond, Purpose.BOND)


def _punish(turn: Turn, identity: Identity, fault: Fault) -> None:
    """Cut the reputation and the unvested rewards, and ask for the stake."""
    standing = turn.standing_of(identity)
    basis_points = PENALTIES[fault].stake_basis_points
    vesting, burned = slash(standing.vesting, basis_points=basis_points, clock=turn.clock)
    turn.burn(burned)
    reputation = cut(standing.reputation, fault)
    turn.put_standing(identity, replace(standing, reputation=reputation, vesting=vesting))
    if basis_points:
        address, task = identity.address, turn.task.number
        turn.effects.append(
            SlashRequest(task, turn.running.number, address, fault, basis_points=basis_points)
        )


def _rate(turn: Turn, update: Update, judged: Judged, fault: Fault | None) -> None:
    """Move the reputation by quality and look for persistent harm; a fault has had its own cut."""
    consensus, running = judged.consensus, turn.running
    standing = turn.standing_of(update.trainer)
    if fault is None:
        reputation = after_quality(
            standing.reputation,
            score=consensus.score,
            threshold=running.threshold,
            median=running.median,
        )
        standing = replace(standing, reputation=reputation)
    # A round that changed no model says nothing of what its updates would have cost.
    if running.is_committed:
        harm = max(turn.task.terms.harm, turn.task.peak)
        harmed = int(is_harm(consensus.score, band=consensus.band, harm=harm))
        history = remember_harm(standing.harm_history, happened=harmed)
        standing = replace(standing, harm_history=history)
    turn.put_standing(update.trainer, standing)
    if is_persistent(standing.harm_history):
        _punish(turn, update.trainer, Fault.HARM)
        _quarantine(turn, update.trainer)


def _quarantine(turn: Turn, identity: Identity) -> None:
    until = turn.task.scored + QUARANTINE_ROUNDS
    standing = turn.standing_of(identity)
    turn.put_standing(identity, replace(standing, harm_history=0, quarantined_until=until))


def _support(turn: Turn, index: int, judged: Judged) -> None:
    """Move every judge's support of the trainer, and pay in dividends what it was worth."""
    running = turn.running
    update = running.updates[index]
    standing = turn.standing_of(update.trainer)
    supporters = dict(standing.supporters)
    seats: list[Seat] = []
    for seat in running.seats:
        if seat.card is None:
            seats.append(seat)
            continue
        judge = Identity(seat.address, seat.registered_at)
        given = scorecard.read_alone(scorecard.record_at(seat.card, index))
        supports = is_support(given, judged.consensus, threshold=running.threshold)
        steady = smooth(supporters.get(judge, 0), ONE if supports else 0)
        supporters[judge] = steady
        seats.append(replace(seat, dividend=seat.dividend + update.weight * steady))
    turn.put_seats(seats)
    turn.put_standing(update.trainer, replace(standing, supporters=supporters))


def _reward(turn: Turn, update: Update) -> None:
    running, terms = turn.running, turn.task.terms
    pot = split(terms.reward).trainers
    merit = Merit(update.weight, update.gain, update.sharers)
    reward = trainer_reward(
        pot, merit, gain_total=running.gain_total, percent_max=terms.identity_percent
    )
    turn.running = replace(running, pot=Grain(running.pot - reward.earned - reward.burned))
    turn.burn(reward.burned)
    if reward.earned:
        unlock_ms = TimestampMs(turn.moment.now_ms + VESTING_ROUNDS * terms.round_ms)
        tranche = Tranche(turn.task.scored, unlock_ms, reward.earned)
        standing = turn.standing_of(update.trainer)
        vesting = earn(standing.vesting, tranche, turn.clock)
        turn.put_standing(update.trainer, replace(standing, vesting=vesting))


def _share_out(turn: Turn) -> None:
    """Fix every validator's share, so that each can be paid on its own."""
    running = turn.running
    if not running.is_earned:
        return
    seats = [replace(seat, share=_share_of(seat, running)) for seat in running.seats]
    turn.running = replace(
        running,
        seats=tuple(seats),
        share_total=sum(seat.share for seat in seats),
        stored_total=sum(seat.power * seat.stored for seat in seats),
    )


def _share_of(seat: Seat, running: Round) -> int:
    """Return the share of a seat; duties are holding, scoring, voting and, if it came, guarding."""
    is_vote_kept = seat.vote is not None and running.aggregate in {None, seat.vote}
    kept = (seat.held != 0, seat.card is not None, is_vote_kept, seat.report is not None)
    return validator_share(
        Conduct(
            power=seat.power,
            trust=seat.trust * ONE // running.band_total,
            duties_kept=sum(kept),
            dividend=seat.dividend // ONE,
        )
    )


def _settle_seat(turn: Turn, index: int) -> None:
    running = turn.running
    seat, pots = running.seats[index], split(turn.task.terms.reward)
    identity = Identity(seat.address, seat.registered_at)
    if seat.commitment is not None and seat.card is None:
        _punish(turn, identity, Fault.WITHHELD_SCORES)
    if running.aggregate is not None and seat.vote not in {None, running.aggregate}:
        _punish(turn, identity, Fault.WRONG_AGGREGATE)
    worth = part(pots.validators, share=seat.share, share_total=running.share_total)
    kept = part(pots.storage, share=seat.power * seat.stored, share_total=running.stored_total)
    turn.running = replace(turn.running, pot=Grain(turn.running.pot - worth - kept))
    turn.pay(seat.address, worth + kept, Purpose.VALIDATION)


def _end(turn: Turn) -> None:
    """Return the rest of the pot to the escrow and forget the round."""
    running, task = turn.running, turn.task
    turn.task = replace(task, escrow=Grain(task.escrow + running.pot), running=None)
    outcome = Outcome.COMMITTED if running.is_committed else Outcome.NULL
    turn.effects.append(RoundEnded(task.number, running.number, outcome))
    if task.is_closing:
        return_escrow(turn)
