"""A lying worker does its jobs honestly, then says something else where nobody can check."""

import itertools
from pathlib import Path

import pytest

from devnet.attacks.poisoning.validators import PRAISE, Kind
from devnet.attacks.worker.__main__ import main
from devnet.attacks.worker.lying import LyingWorkshop
from devnet.attacks.worker.ring import Ring
from devnet.local.turns import PatientCraft, Turns
from fl.jobs.bounds import StoredBlob
from fl.jobs.results import (
    AnyResult,
    BlobFacts,
    EvaluateResult,
    InspectResult,
    Rises,
    ScoreResult,
    Vote,
)
from fl.jobs.subject import (
    AdaptedModel,
    AdapterShape,
    ExampleSource,
    FrozenModel,
    ModelKind,
    PanelSource,
)
from fl.jobs.work import AnyJob, EvaluateJob, InspectJob, Pins, ScoreJob
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.worker.desk import Desk
from fl.worker.loop import EXIT_REFUSED
from fl.worker.machine import MachineClock

SUBJECT = AdaptedModel(
    frozen=FrozenModel(source="model", kind=ModelKind.CAUSAL_LM), adapter=AdapterShape()
)
PANEL = PanelSource(examples=ExampleSource(spec="held out"))
UPDATES = tuple(
    StoredBlob(path=f"update-{one}", cid=bytes([1, 0x55, 0x12, 32]) + bytes([one]) * 32)
    for one in range(3)
)
SCORE = ScoreJob(subject=SUBJECT, round=0, updates=UPDATES, panel=PANEL, clip=1)
EVALUATE = EvaluateJob(subject=SUBJECT, candidate=UPDATES[0], panel=PANEL)
INSPECT = InspectJob(
    updates=UPDATES,
    pins=Pins(model=bytes(32), tokenizer=bytes(32)),
    layout=TensorLayout.of([TensorSpec("x.lora_A", (1, 1))]),
)
HONEST = ScoreResult(
    votes=tuple(
        Vote(quality=alone, left_out=7, error=1, rises=Rises(loss=0, classes=(), probes=()))
        for alone in (50, 40, -3)
    )
)
REPORT = EvaluateResult(rises=Rises(loss=-9, classes=(4, 0), probes=(2,)))
FACTS = InspectResult(facts=(BlobFacts(verdict=0, original=0, cluster=0, norm=1),))


class Honest:
    """Gives what was found beforehand, and other scores from the second round on."""

    def __init__(self) -> None:
        self._votes = itertools.chain([HONEST.votes], itertools.repeat(HONEST.votes[::-1]))

    def perform(self, job: AnyJob, desk: Desk) -> AnyResult:
        match job:
            case ScoreJob():
                return ScoreResult(votes=next(self._votes))
            case EvaluateJob():
                return REPORT
            case _:
                return FACTS


def _desk() -> Desk:
    return Desk(lambda _: None, clock=MachineClock())


def _liar(kind: Kind, folder: Path | None) -> LyingWorkshop:
    return LyingWorkshop(Honest(), kind=kind, ring=Ring(folder, trainers=3))


def _alone(result: AnyResult) -> list[int]:
    assert isinstance(result, ScoreResult)
    return [vote.quality for vote in result.votes]


def test_inverted_validator_praises_its_friends_and_damns_all_others(tmp_path: Path) -> None:
    Ring(tmp_path, trainers=3).admit(UPDATES[2].cid.hex())
    result = _liar(Kind.INVERTED, tmp_path).perform(SCORE, _desk())
    assert _alone(result) == [-PRAISE, -PRAISE, PRAISE]


def test_colluding_validator_is_honest_about_strangers(tmp_path: Path) -> None:
    Ring(tmp_path, trainers=3).admit(UPDATES[2].cid.hex())
    result = _liar(Kind.COLLUDING, tmp_path).perform(SCORE, _desk())
    assert _alone(result) == [50, 40, PRAISE]


def test_liar_without_a_ring_has_no_friends() -> None:
    assert _alone(_liar(Kind.COLLUDING, None).perform(SCORE, _desk())) == [50, 40, -3]


def test_copying_validator_says_again_what_it_found_before() -> None:
    honest = Honest()
    assert _alone(honest.perform(SCORE, _desk())) != _alone(honest.perform(SCORE, _desk()))
    liar = _liar(Kind.COPY, None)
    assert _alone(liar.perform(SCORE, _desk())) == [50, 40, -3]
    assert _alone(liar.perform(SCORE, _desk())) == [50, 40, -3]


def test_guard_report_is_turned_round_measure_by_measure() -> None:
    result = _liar(Kind.INVERTED, None).perform(EVALUATE, _desk())
    assert isinstance(result, EvaluateResult)
    rises = result.rises
    assert rises == Rises(loss=PRAISE, classes=(-PRAISE, PRAISE), probes=(-PRAISE,))


def test_facts_are_stated_truly() -> None:
    assert _liar(Kind.INVERTED, None).perform(INSPECT, _desk()) is FACTS


def test_unknown_lie_ends_the_worker_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lie", "invertd"]) == EXIT_REFUSED
    assert "did you mean 'inverted'" in capsys.readouterr().err


def test_turn_is_held_by_one_at_a_time_and_given_back(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "turns", at_once=1)
    desk = _desk()
    with turns.turn(desk):
        desk.stop()
        with pytest.raises(Exception, match="cancelled"), turns.turn(desk):
            pytest.fail("the turn is taken")
    with turns.turn(_desk()):
        pass


def test_short_jobs_wait_for_no_turn(tmp_path: Path) -> None:
    turns = Turns(tmp_path, at_once=1)
    craft = PatientCraft(Honest(), turns=turns)
    with turns.turn(_desk()):
        assert craft.perform(INSPECT, _desk()) is FACTS
    assert craft.perform(SCORE, _desk()) == HONEST
    alone = PatientCraft(Honest(), turns=Turns(None, at_once=1))
    assert alone.perform(SCORE, _desk()) == HONEST
