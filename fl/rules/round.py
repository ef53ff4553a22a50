"""One federated round as a pure state machine: the reference that the contract on chain must equal.

`tick(state, event)` returns the next state and the effects in order, or refuses the event and
changes nothing. Nothing here reads a clock: an event carries the time and the height of its commit.

PHASES

    COMMIT -> REVEAL -> AVAILABILITY -> SCORE_COMMIT -> SCORE_REVEAL -> SELECT -> AGGREGATE -> GUARD
                                                                          ^           |          |
                                                                          +--- ladder +----------+
    every phase may go to SETTLE; a passed GUARD commits the model first; SETTLE ends the round

A waiting phase ends at its deadline, or at once when everybody who can act has acted. Anybody may
join COMMIT, so it ends early only in a task that says with how many updates a round is `ready`.
SELECT and SETTLE wait for nobody: they go by steps of bounded size, because a contract cannot walk
through 100 updates x 64 validators in one transaction. `Wake` by the scheduler, or `Advance` by
anyone, closes what is due and takes steps.

    | phase        | who may call             | closes well when                 | otherwise       |
    |--------------|--------------------------|----------------------------------|-----------------|
    | COMMIT       | registered: Commit       | there is an update               | null round      |
    | REVEAL       | its trainer: Reveal      | one is revealed                  | null round      |
    | AVAILABILITY | seats: Attest            | two thirds hold one of them      | null round      |
    | SCORE_COMMIT | seats: CommitScores      | two thirds committed             | null round      |
    | SCORE_REVEAL | seats: RevealScores      | two thirds revealed              | null round      |
    | SELECT       | -                        | one update is accepted           | null round      |
    | AGGREGATE    | seats: Vote              | two thirds on one hash           | ladder          |
    | GUARD        | seats: Report            | two thirds report, medians pass  | ladder          |
    | SETTLE       | -                        | always, after its last step      |                 |
    | any or none  | anyone: CreateTask, TopUp, Advance, Claim; sponsor: CloseTask                 |
    | no round     | anyone: OpenRound, while the escrow covers the reward                         |

The ladder halves the step of the model twice, then leaves out the worst accepted update, then the
worst three, and gives up. So a round enters SELECT at most `len(DROPS)` times, each phase has a
deadline or a fixed number of steps, and every round ends. "Two thirds" is the quorum of the seats,
which are frozen when the round is opened; within a round a vote belongs to a key, across rounds to
a key at one registration.

THRESHOLD. An update is accepted if its score is above `epsilon`, above a quarter of the level of
its round, and above a 64th of the peak of its task. The level is the upper quartile of the positive
scores of updates that are no copies; the peak is the highest level of a round that committed its
model, and never falls. The same threshold tells what is support of a trainer, and what keeps a
reputation. An update is harm if, with all of its band, it costs more than `harm` and more than the
peak; only rounds that commit a model count. Whoever holds a rare class is refused at times, but
never punished for what it holds.

LEDGER OF MONEY. Every grain is in one of four places, or it has left.

    | from        | to                | when                                                       |
    |-------------|-------------------|------------------------------------------------------------|
    | caller      | escrow            | CreateTask, TopUp                                          |
    | caller      | bond              | Commit                                                     |
    | escrow      | pot               | OpenRound: one reward                                      |
    | bond        | trainer           | SETTLE, or displaced in COMMIT by a better reputation      |
    | bond        | burned            | SETTLE: withheld, malformed, copy, replay                  |
    | pot         | vesting           | SETTLE of a committed round: 48 % to trainers              |
    | pot         | burned            | what a slot would get above `identity_percent`             |
    | pot         | validator         | SETTLE, if any update was accepted: 48 % + 4 % for storage |
    | pot         | escrow            | last step of SETTLE: all the rest                          |
    | vesting     | trainer           | Claim, seven scored rounds later or after as long a time   |
    | vesting     | burned            | a proven fault, the unvested part only                     |
    | escrow      | sponsor           | CloseTask, or the end of the round that runs               |

Validators are paid once an update is accepted, whether the guard passes or not: pay that depended
on a passed guard would buy reports. Where nothing is accepted the reward stays with the sponsor, or
junk updates, whose bonds come back, would drain the escrow to the validators.

LATER: one-time keys, blind blob ids, traps (their factor is 1), the assigned-examples probe (its
test is off), the audit lottery, a threshold beacon, heterogeneous ranks, quotas per organisation.
Source: the design's sections on the round, the consensus score, copies, rewards and faults.
"""

from dataclasses import replace
from typing import Final, assert_never

from fl.rules import opening, phases, trainers, validators
from fl.rules.calls import (
    Advance,
    Attest,
    Call,
    Chain,
    Claim,
    CloseTask,
    Commit,
    CommitScores,
    CreateTask,
    Event,
    OpenRound,
    Report,
    Reveal,
    RevealScores,
    TaskAction,
    TopUp,
    Vote,
    Wake,
)
from fl.rules.effects import Effect
from fl.rules.errors import Rule, require
from fl.rules.state import State
from fl.rules.turn import Turn

_PAYABLE: Final = (CreateTask, TopUp, Commit)

Ticked = tuple[State, tuple[Effect, ...]]


def tick(state: State, event: Event, *, chain: Chain) -> Ticked:
    """Return the state after the event, and its effects in the order to carry them out.

    Raises:
        RefusedCallError: the call breaks a rule; its money goes back and nothing changes.
    """
    if isinstance(event, Wake):
        return _wake(state, event, chain=chain)
    require(event.value == 0 or isinstance(event.action, _PAYABLE), Rule.NO_MONEY_WANTED)
    if isinstance(event.action, CreateTask):
        task, created = opening.create_task(len(state.tasks), event, event.action)
        return State((*state.tasks, task)), (created,)
    require(0 <= event.action.task < len(state.tasks), Rule.NO_TASK)
    turn = Turn(state.tasks[event.action.task], moment=event.moment, chain=chain)
    _call(turn, event, event.action)
    return _after(state, turn)


def _wake(state: State, event: Wake, *, chain: Chain) -> Ticked:
    turn = Turn(state.tasks[event.task], moment=event.moment, chain=chain)
    phases.wake(turn, event)
    return _after(state, turn)


def _after(state: State, turn: Turn) -> Ticked:
    number = turn.task.number
    tasks = (*state.tasks[:number], turn.task, *state.tasks[number + 1 :])
    return replace(state, tasks=tasks), tuple(turn.effects)


def _call(turn: Turn, call: Call, action: TaskAction) -> None:
    match action:
        case TopUp():
            opening.top_up(turn, call)
        case CloseTask():
            opening.close_task(turn, call)
        case OpenRound():
            opening.open_round(turn)
        case Advance():
            phases.advance(turn, action)
        case Commit() | Reveal() | Claim():
            _trainer_call(turn, call, action)
        case _:
            _validator_call(turn, call, action)


def _trainer_call(turn: Turn, call: Call, action: Commit | Reveal | Claim) -> None:
    match action:
        case Commit():
            trainers.commit(turn, call, action)
        case Reveal():
            trainers.reveal(turn, call, action)
        case Claim():
            trainers.claim(turn, action)
        case _:
            assert_never(action)


def _validator_call(
    turn: Turn, call: Call, action: Attest | CommitScores | RevealScores | Vote | Report
) -> None:
    match action:
        case Attest():
            validators.attest(turn, call, action)
        case CommitScores():
            validators.promise_scores(turn, call, action)
        case RevealScores():
            validators.reveal_scores(turn, call, action)
        case Vote():
            validators.vote(turn, call, action)
        case Report():
            validators.report(turn, call, action)
        case _:
            assert_never(action)
