"""Duties that stand still, for what shows them."""

from dataclasses import dataclass

from node.duties.status import (
    DutyStatus,
    GivenUp,
    JobMark,
    JobStatus,
    PhaseMark,
    RoundTimes,
    TaskStatus,
)
from tests.chain.founded import address_of
from tests.rpc.stage import OPERATOR


@dataclass
class Roster:
    """Duties that stand still."""

    now: DutyStatus
    past: tuple[RoundTimes, ...]

    def status(self) -> DutyStatus:
        return self.now

    def rounds(self) -> tuple[RoundTimes, ...]:
        return self.past


ROSTER = Roster(
    DutyStatus(
        account=address_of(OPERATOR),
        roles=("trainer",),
        tasks=(
            TaskStatus(
                task=0,
                title="a task",
                version=1,
                round=2,
                phase="commit",
                rung=0,
                deadline_ms=5,
                troubles=("none of note",),
                given_up=(GivenUp(step="train", until="round 3", message="no examples"),),
            ),
        ),
        jobs=(JobStatus(step="train", task=0, round=2, rung=0, since_ms=4, done=1, total=9),),
    ),
    (
        RoundTimes(
            task=0,
            round=1,
            phases=(PhaseMark(phase="commit", rung=0, seen_ms=1),),
            jobs=(JobMark(step="train", rung=0, began_ms=1, took_ms=1_500, outcome="done"),),
        ),
    ),
)
