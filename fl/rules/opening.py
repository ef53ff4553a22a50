"""The calls of sponsors and of whoever opens rounds: create, fund, close, open."""

from dataclasses import replace

from fl.rules.calls import Call, CreateTask
from fl.rules.effects import Purpose, RoundOpened, TaskClosed, TaskCreated, TaskFunded
from fl.rules.errors import Rule, require
from fl.rules.limits import (
    BOND_MIN,
    GRAINS_MAX,
    HASH_SIZE_BYTES,
    IDENTITY_PERCENT_MAX,
    IDENTITY_PERCENT_MIN,
    MEASURES_MAX,
    NORM_MAX,
    SCORE_MAX,
    SCORE_MIN,
    SEATS_MAX,
    UPDATES_MAX,
    WINDOW_MS_MAX,
    WINDOW_MS_MIN,
)
from fl.rules.phase import WINDOWS, Phase
from fl.rules.state import Round, Seat, Task, Terms
from fl.rules.turn import Turn
from primitives.ids import Grain


def create_task(number: int, call: Call, action: CreateTask) -> tuple[Task, TaskCreated]:
    """Return the new task, with the money of the call as its escrow.

    Raises:
        RefusedCallError: the terms are out of bounds.
    """
    _check_terms(action)
    terms = Terms(
        document=action.document,
        reward=Grain(action.reward),
        bond=Grain(action.bond),
        slots=action.slots,
        ready=action.ready,
        epsilon=action.epsilon,
        band_min=action.band_min,
        harm=action.harm,
        clip_min=action.clip_min,
        windows=action.windows,
        guard_bounds=action.guard_bounds,
        identity_percent=action.identity_percent,
    )
    task = Task(
        number=number,
        sponsor=call.sender,
        terms=terms,
        model=action.model,
        clip=action.clip,
        escrow=Grain(call.value),
    )
    return task, TaskCreated(number, call.sender)


def top_up(turn: Turn, call: Call) -> None:
    """Add the money of the call to the escrow."""
    require(call.value > 0, Rule.NO_MONEY)
    require(not turn.task.is_closing, Rule.TASK_CLOSED)
    turn.task = replace(turn.task, escrow=Grain(turn.task.escrow + call.value))
    turn.effects.append(TaskFunded(turn.task.number, Grain(call.value)))


def close_task(turn: Turn, call: Call) -> None:
    """Let no round follow; without a running one the escrow goes back at once.

    A running round is never cut short: bonds and work of others are in it.
    """
    require(call.sender == turn.task.sponsor, Rule.NOT_SPONSOR)
    require(not turn.task.is_closing, Rule.TASK_CLOSED)
    turn.task = replace(turn.task, is_closing=True)
    if turn.task.running is None:
        return_escrow(turn)


def return_escrow(turn: Turn) -> None:
    """Pay the escrow of a closing task back to the sponsor."""
    turn.pay(turn.task.sponsor, turn.task.escrow, Purpose.ESCROW)
    turn.task = replace(turn.task, escrow=Grain(0), is_closed=True)
    turn.effects.append(TaskClosed(turn.task.number))


def open_round(turn: Turn) -> None:
    """Open a round with the present committee; its reward leaves the escrow for the pot."""
    task = turn.task
    require(not task.is_closing, Rule.TASK_CLOSED)
    require(task.running is None, Rule.ROUND_RUNNING)
    require(task.escrow >= task.terms.reward, Rule.UNFUNDED)
    seats = tuple(
        Seat(address=address, power=power) for address, power in turn.chain.committee[:SEATS_MAX]
    )
    require(seats, Rule.NO_COMMITTEE)
    opened = Round(
        number=task.rounds,
        phase=Phase.COMMIT,
        deadline_ms=turn.moment.now_ms,
        seats=seats,
        quorum=sum(seat.power for seat in seats) * 2 // 3 + 1,
        pot=task.terms.reward,
    )
    turn.task = replace(
        task,
        escrow=Grain(task.escrow - task.terms.reward),
        rounds=task.rounds + 1,
        running=opened,
    )
    turn.effects.append(RoundOpened(task.number, opened.number, task.model, task.clip))
    turn.enter(Phase.COMMIT)


def _check_terms(action: CreateTask) -> None:
    """Refuse terms under which a round could not end, or a number could grow out of bounds."""
    hashes = (action.document, action.model)
    windows, bounds = action.windows, action.guard_bounds
    is_sound = (
        all(len(one) == HASH_SIZE_BYTES for one in hashes)
        and 0 <= action.reward <= GRAINS_MAX
        and BOND_MIN <= action.bond <= GRAINS_MAX
        and 1 <= action.slots <= UPDATES_MAX
        and 0 <= action.ready <= action.slots
        and _are_thresholds_sound(action)
        and 1 <= action.clip_min <= action.clip <= NORM_MAX
        and len(windows) == WINDOWS
        and all(WINDOW_MS_MIN <= window <= WINDOW_MS_MAX for window in windows)
        and 1 <= len(bounds) <= MEASURES_MAX
        and all(SCORE_MIN <= bound <= SCORE_MAX for bound in bounds)
        and IDENTITY_PERCENT_MIN <= action.identity_percent <= IDENTITY_PERCENT_MAX
    )
    require(is_sound, Rule.BAD_TERMS)


def _are_thresholds_sound(action: CreateTask) -> bool:
    # An accepted score is positive, and a band is never empty, or nothing could be divided by it.
    return (
        0 <= action.epsilon <= SCORE_MAX
        and 1 <= action.band_min <= SCORE_MAX
        and 0 <= action.harm <= SCORE_MAX
    )
