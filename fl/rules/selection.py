"""SELECT by steps: judge one update at a time, then weigh those that are accepted.

Step i judges update i; the step after the last judges none, classifies all and weighs the accepted.
When no aggregate passes, the ladder comes back to that last step, for a shorter step of the model
along fewer updates.
"""

from collections.abc import Sequence
from dataclasses import replace

from fl.rules import scorecard
from fl.rules.effects import AggregateSelected, Reason
from fl.rules.limits import DROPS, ONE
from fl.rules.phase import Phase
from fl.rules.reputation import weight_effect
from fl.rules.rewards import smooth
from fl.rules.select import (
    Candidate,
    Found,
    Origin,
    agree,
    copies,
    credit,
    level_of,
    median,
    quorum_choice,
    threshold_of,
    weigh,
    worst_first,
)
from fl.rules.state import Judged, Round, Update
from fl.rules.turn import Turn
from primitives.order import weighted_median


def take_step(turn: Turn) -> None:
    """Take the next step of SELECT."""
    running = turn.running
    if running.cursor < len(running.updates):
        _judge(turn, running.cursor)
        turn.running = replace(turn.running, cursor=running.cursor + 1)
        return
    if running.rung == 0:
        _classify(turn)
    _weigh(turn)


def climb(turn: Turn) -> None:
    """Try a shorter step without the worst updates, or settle a null round after the last rung."""
    running = turn.running
    rung = running.rung + 1
    accepted = _accepted(running)
    drop = DROPS[rung] - DROPS[rung - 1] if rung < len(DROPS) else len(accepted)
    if drop >= len(accepted):
        turn.enter(Phase.SETTLE)
        return
    for index in worst_first([(i, judged.consensus.score) for i, judged in accepted])[:drop]:
        dropped = replace(running.updates[index], reason=Reason.DROPPED, weight=0, gain=0)
        turn.put_update(index, dropped)
    turn.put_seats([replace(seat, vote=None, report=None) for seat in running.seats])
    turn.running = replace(turn.running, rung=rung, aggregate=None)
    turn.enter(Phase.SELECT)
    turn.running = replace(turn.running, cursor=len(running.updates))


def _judge(turn: Turn, index: int) -> None:
    """Agree on the facts of one available update, and on its scores if the facts are sound."""
    running = turn.running
    update = running.updates[index]
    if update.attested < running.quorum:
        return
    turn.put_seats(
        [replace(seat, stored=seat.stored + (seat.held >> index & 1)) for seat in running.seats]
    )
    judges = [
        (seat, scorecard.record_at(seat.card, index))
        for seat in running.seats
        if seat.card is not None
    ]
    powers = [seat.power for seat, _ in judges]
    found = quorum_choice(
        [scorecard.facts_bytes(record) for _, record in judges], powers, quorum=running.quorum
    )
    facts = None if found is None else scorecard.read_facts(found)
    if facts is None or not facts.fits(len(running.updates)):
        turn.put_update(index, replace(update, reason=Reason.UNDECIDED))
    elif facts.verdict != scorecard.VALID:
        is_replay = facts.verdict == scorecard.REPLAY
        reason = Reason.REPLAY if is_replay else Reason.MALFORMED
        turn.put_update(index, replace(update, reason=reason))
    else:
        _score(turn, index, [record for _, record in judges], facts)


def _score(turn: Turn, index: int, records: Sequence[bytes], facts: scorecard.Facts) -> None:
    """Form the consensus score of an update, credit its judges, and move its average gain."""
    running = turn.running
    update, seats = running.updates[index], running.seats
    powers = [seat.power for seat in seats if seat.card is not None]
    scores = [scorecard.read_alone(record) for record in records]
    consensus = agree(scores, powers, band_min=turn.task.terms.band_min)
    gained = weighted_median([scorecard.read_left_out(record) for record in records], powers)
    standing = turn.standing_of(update.trainer)
    gain_average = smooth(standing.gain_average, gained * ONE)
    turn.put_standing(update.trainer, replace(standing, gain_average=gain_average))
    judged = Judged(consensus, facts.norm, facts.original, facts.cluster, gain_average)
    turn.put_update(index, replace(update, judged=judged))
    given = iter(scores)
    turn.put_seats(
        [
            seat
            if seat.card is None
            else replace(seat, trust=seat.trust + credit(next(given), consensus))
            for seat in seats
        ]
    )
    turn.running = replace(turn.running, band_total=running.band_total + consensus.band)


def _classify(turn: Turn) -> None:
    """Set the threshold, refuse copies and low quality; what is left is accepted."""
    updates, task = turn.running.updates, turn.task
    judged = [
        (index, update, update.judged)
        for index, update in enumerate(updates)
        if update.judged is not None
    ]
    origins = copies([Found(one.original, update.committed_at) for _, update, one in judged])
    classified = list(zip(judged, origins, strict=True))
    own = [one.consensus.score for (_, _, one), origin in classified if origin is Origin.OWN]
    level = level_of(own)
    threshold = threshold_of(level, epsilon=task.terms.epsilon, peak=task.peak)
    changed: dict[int, Update] = {}
    for (index, update, one), origin in classified:
        if origin is not Origin.OWN:
            reason = Reason.COPY if origin is Origin.LATER else Reason.TWIN
            changed[index] = replace(update, reason=reason)
        elif one.consensus.score <= threshold:
            changed[index] = replace(update, reason=Reason.LOW_QUALITY)
    turn.put_updates(changed)
    turn.running = replace(turn.running, level=level, threshold=threshold)
    scores = [one.consensus.score for _, one in _accepted(turn.running)]
    if scores:
        turn.running = replace(turn.running, median=median(scores), is_earned=True)


def _weigh(turn: Turn) -> None:
    """Give weights to the accepted and have validators compute the aggregate."""
    running = turn.running
    accepted = _accepted(running)
    if not accepted:
        turn.enter(Phase.SETTLE)
        return
    candidates = [
        Candidate(
            score=judged.consensus.score,
            effect=weight_effect(turn.standing_of(running.updates[index].trainer).reputation),
            cluster=judged.cluster,
        )
        for index, judged in accepted
    ]
    sharers = [_sharers(judged, accepted) for _, judged in accepted]
    weights = weigh(candidates)
    turn.put_updates(
        {
            index: replace(
                running.updates[index],
                weight=weight,
                gain=max(0, judged.gain) // count,
                sharers=count,
            )
            for (index, judged), weight, count in zip(accepted, weights, sharers, strict=True)
        }
    )
    updates = turn.running.updates
    turn.running = replace(turn.running, gain_total=sum(update.gain for update in updates))
    final = tuple(update.weight for update in updates)
    selected = AggregateSelected(turn.task.number, running.number, running.rung, final)
    turn.effects.append(selected)
    turn.enter(Phase.AGGREGATE)


def _sharers(judged: Judged, accepted: Sequence[tuple[int, Judged]]) -> int:
    """Return how many accepted updates share the slot of this one, itself included."""
    return sum(other.cluster == judged.cluster for _, other in accepted)


def _accepted(running: Round) -> list[tuple[int, Judged]]:
    return [
        (index, update.judged)
        for index, update in enumerate(running.updates)
        if update.judged is not None and update.reason is None
    ]
