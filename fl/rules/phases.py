"""When a phase ends, and what comes then.

A waiting phase ends at its deadline, or as soon as everybody who could act has acted; COMMIT, which
anybody may join, with as many updates as its task asks for. A phase of steps ends with its last
step. Only one thing happens at a time: whoever calls, each step of `take_step` has a bounded size.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from fl.rules import selection, settlement
from fl.rules.calls import Advance, Wake
from fl.rules.effects import ModelCommitted
from fl.rules.errors import Rule, require
from fl.rules.limits import STEP_PAUSE_MS, STEPS_MAX, STEPS_PER_WAKE
from fl.rules.phase import Phase
from fl.rules.select import next_clip, quorum_choice
from fl.rules.state import Round, Seat
from fl.rules.turn import Turn
from primitives.ids import TimestampMs
from primitives.order import weighted_median

_STEPWISE: Final = (Phase.SELECT, Phase.SETTLE)


def advance(turn: Turn, action: Advance) -> None:
    """Take the steps that are due, up to so many."""
    require(1 <= action.steps <= STEPS_MAX, Rule.BAD_STEPS)
    require(_is_due(turn, turn.running), Rule.NOT_YET)
    _take_steps(turn, action.steps)


def wake(turn: Turn, event: Wake) -> None:
    """Take the steps that are due and ask to be woken again; too early or too late is harmless."""
    running = turn.task.running
    is_current = running is not None and event.serial == turn.task.serial
    if not is_current or running is None or not _is_due(turn, running):
        return
    _take_steps(turn, STEPS_PER_WAKE)
    # A phase that was entered meanwhile has its own wake-up; two would never end.
    if turn.task.running is not None and turn.task.serial == event.serial:
        turn.schedule(TimestampMs(turn.moment.now_ms + STEP_PAUSE_MS))


def close_if_complete(turn: Turn) -> None:
    """End a waiting phase in which nobody is left to act."""
    if _is_complete(turn.running):
        _close_phase(turn, turn.running)


def close_if_ready(turn: Turn) -> None:
    """End COMMIT with as many updates as the task asks for; 0 asks for all that come in time."""
    if len(turn.running.updates) == turn.task.terms.ready:
        _close_phase(turn, turn.running)


def _take_steps(turn: Turn, steps: int) -> None:
    for _ in range(steps):
        running = turn.task.running
        if running is None or not _is_due(turn, running):
            return
        match running.phase:
            case Phase.SELECT:
                selection.take_step(turn)
            case Phase.SETTLE:
                settlement.take_step(turn)
            case _:
                _close_phase(turn, running)


def _is_due(turn: Turn, running: Round) -> bool:
    return running.phase in _STEPWISE or turn.moment.now_ms >= running.deadline_ms


def _is_complete(running: Round) -> bool:
    """Tell whether everybody who can act in this phase has; trainers may always join COMMIT."""
    seats = running.seats
    match running.phase:
        case Phase.REVEAL:
            return all(update.root is not None for update in running.updates)
        case Phase.AVAILABILITY:
            power = sum(seat.power for seat in seats)
            revealed = [update for update in running.updates if update.root is not None]
            return all(update.attested == power for update in revealed)
        case Phase.SCORE_COMMIT:
            return all(seat.commitment is not None for seat in seats)
        case Phase.SCORE_REVEAL:
            return all(seat.card is not None for seat in seats if seat.commitment is not None)
        case Phase.AGGREGATE:
            return all(seat.vote is not None for seat in seats)
        case _:
            return all(seat.report is not None for seat in seats)


def _close_phase(turn: Turn, running: Round) -> None:
    match running.phase:
        case Phase.COMMIT:
            turn.enter(Phase.REVEAL if running.updates else Phase.SETTLE)
        case Phase.REVEAL:
            any_revealed = any(update.root is not None for update in running.updates)
            turn.enter(Phase.AVAILABILITY if any_revealed else Phase.SETTLE)
        case Phase.AVAILABILITY:
            any_held = any(update.attested >= running.quorum for update in running.updates)
            turn.enter(Phase.SCORE_COMMIT if any_held else Phase.SETTLE)
        case Phase.SCORE_COMMIT:
            _close_score_commit(turn, running)
        case Phase.SCORE_REVEAL:
            _close_score_reveal(turn, running)
        case Phase.AGGREGATE:
            _close_aggregate(turn, running)
        case _:
            _close_guard(turn, running)


def _close_score_commit(turn: Turn, running: Round) -> None:
    promised = _power(seat for seat in running.seats if seat.commitment is not None)
    if promised < running.quorum:
        turn.enter(Phase.SETTLE)
        return
    turn.running = replace(running, were_scores_due=True)
    turn.enter(Phase.SCORE_REVEAL)


def _close_score_reveal(turn: Turn, running: Round) -> None:
    scored = _power(seat for seat in running.seats if seat.card is not None)
    if scored < running.quorum:
        turn.enter(Phase.SETTLE)
        return
    turn.task = replace(turn.task, scored=turn.task.scored + 1)
    turn.enter(Phase.SELECT)


def _close_aggregate(turn: Turn, running: Round) -> None:
    voters = [(seat.vote, seat.power) for seat in running.seats if seat.vote is not None]
    votes = [vote for vote, _ in voters]
    aggregate = quorum_choice(votes, [power for _, power in voters], quorum=running.quorum)
    if aggregate is None:
        selection.climb(turn)
        return
    turn.running = replace(running, aggregate=aggregate)
    turn.enter(Phase.GUARD)


def _close_guard(turn: Turn, running: Round) -> None:
    if not _is_within_bounds(running, turn.task.terms.guard_bounds):
        selection.climb(turn)
        return
    _commit_model(turn, running)
    turn.running = replace(turn.running, is_committed=True)
    turn.enter(Phase.SETTLE)


def _is_within_bounds(running: Round, bounds: tuple[int, ...]) -> bool:
    reporters = [(seat.report, seat.power) for seat in running.seats if seat.report is not None]
    powers = [power for _, power in reporters]
    if sum(powers) < running.quorum:
        return False
    return all(
        weighted_median([report[measure] for report, _ in reporters], powers) <= bound
        for measure, bound in enumerate(bounds)
    )


def _commit_model(turn: Turn, running: Round) -> None:
    task = turn.task
    assert running.aggregate is not None
    norms = [one.judged.norm for one in running.updates if one.weight and one.judged is not None]
    clip = next_clip(task.clip, norms, clip_min=task.terms.clip_min)
    turn.effects.append(
        ModelCommitted(
            task=task.number,
            round=running.number,
            version=task.version + 1,
            parent=task.model,
            model=running.aggregate,
            clip=clip,
        )
    )
    turn.task = replace(
        task,
        model=running.aggregate,
        version=task.version + 1,
        clip=clip,
        # Only what validators let into the model shows what the task can gain.
        peak=max(task.peak, running.level),
    )


def _power(seats: Iterable[Seat]) -> int:
    return sum(seat.power for seat in seats)
