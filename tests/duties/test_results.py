"""What duties make of results: scorecards, reports, salts, notes, verdicts, times."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.progress import Progress, Stage
from fl.jobs.results import BlobFacts, Rises, Vote
from fl.rules.errors import Rule
from fl.rules.limits import SCORE_MAX, SCORE_MIN
from fl.rules.scorecard import (
    MALFORMED,
    RECORD_SIZE_BYTES,
    REPLAY,
    VALID,
    Facts,
    facts_bytes,
    read_alone,
    read_facts,
    read_left_out,
    record_at,
)
from node.duties.duty import Duty, Step
from node.duties.errors import (
    HistoryDivergedError,
    LostResultError,
    TransactionFailedError,
    UnfitReportError,
    UpdateUnavailableError,
)
from node.duties.notes import (
    ROUNDS_KEPT,
    VERSIONS_KEPT,
    CandidateNote,
    Notebook,
    ReportNote,
    RoundNotes,
    UpdateNote,
    VersionNote,
)
from node.duties.salts import Purpose, Salts
from node.duties.scorecards import report_of, valid_places, write_card
from node.duties.setbacks import Setbacks
from node.duties.status import ROUNDS_TOLD, TimeSheet, job_status
from node.duties.verdicts import AGAIN_MS_MAX, Verdict, judge, rest_ms
from node.execution.local_chain import key_named
from node.ledger.receipt import Receipt, ReceiptStatus
from primitives.cid import Cid
from primitives.errors import HanseError
from primitives.ids import Digest

CID = Cid.of_raw(b"blob").encode()
NOTHING = Rises(loss=0, classes=(), probes=())
DUTY = Duty(step=Step.TRAIN, task=1, round=2)


def vote(alone: int, left_out: int = 0) -> Vote:
    return Vote(quality=alone, left_out=left_out, error=1, rises=NOTHING)


def facts(verdict: int, *, original: int, cluster: int | None = None, norm: int = 9) -> BlobFacts:
    return BlobFacts(
        verdict=verdict,
        original=original,
        cluster=original if cluster is None else cluster,
        norm=norm,
    )


# Scorecards.


def test_card_has_a_record_for_each_update_with_places_of_the_round() -> None:
    found = [
        facts(VALID, original=0),
        facts(REPLAY, original=1),
        facts(VALID, original=0, cluster=0),
    ]
    card = write_card(5, inspected=[1, 2, 4], facts=found, votes=[vote(10, 3), vote(-7)])
    assert len(card) == 5 * RECORD_SIZE_BYTES
    read = [read_facts(facts_bytes(record_at(card, index))) for index in range(5)]
    assert read[0] == Facts(MALFORMED, 0, 0, 0)
    assert read[1] == Facts(VALID, 1, 1, 9)
    assert read[2] == Facts(REPLAY, 2, 2, 9)
    assert read[3] == Facts(MALFORMED, 3, 3, 0)
    assert read[4] == Facts(VALID, 1, 1, 9)
    assert all(one.fits(5) for one in read)
    assert [read_alone(record_at(card, index)) for index in range(5)] == [0, 10, 0, 0, -7]
    assert read_left_out(record_at(card, 1)) == 3
    assert valid_places(found) == [0, 2]


def test_scores_are_cut_to_what_the_chain_takes() -> None:
    found = [facts(VALID, original=0), facts(VALID, original=1)]
    card = write_card(2, inspected=[0, 1], facts=found, votes=[vote(2**40), vote(-(2**40))])
    assert [read_alone(record_at(card, index)) for index in range(2)] == [SCORE_MAX, SCORE_MIN]


def test_report_is_the_loss_then_classes_then_probes() -> None:
    rises = Rises(loss=1, classes=(2, 3), probes=(4, 2**40))
    assert report_of(rises, wanted=5) == (1, 2, 3, 4, SCORE_MAX)
    assert report_of(rises, wanted=1) == (1,)
    with pytest.raises(UnfitReportError, match="guards 6 measures, this node has 5"):
        report_of(rises, wanted=6)


# Salts.


def test_salts_repeat_for_one_key_and_place_and_for_nothing_else() -> None:
    salts = Salts(key_named("alice"))
    one = salts.salt(1, 2, Purpose.UPDATE)
    assert one == Salts(key_named("alice")).salt(1, 2, Purpose.UPDATE)
    others = [
        Salts(key_named("bob")).salt(1, 2, Purpose.UPDATE),
        salts.salt(2, 1, Purpose.UPDATE),
        salts.salt(1, 2, Purpose.SCORES),
    ]
    assert len({one, *others}) == 4
    assert len(one) == 32


# Notes.

UPDATE = UpdateNote(cid=CID, norm=1, losses_micronats=(2, 1), steps=3, samples=4)


def test_notes_outlive_the_notebook(tmp_path: Path) -> None:
    candidate = CandidateNote(rung=1, model=CID, delta=CID, state=CID, uses=())
    report = ReportNote(rung=1, aggregate=bytes(32), changes=(5, -5))
    full = RoundNotes(update=UPDATE, card=b"card", candidates=(candidate,), reports=(report,))
    Notebook(tmp_path).note(3, 4, lambda _: full)
    found = Notebook(tmp_path).of_round(3, 4)
    assert found == full
    assert found.candidate(1) == Cid.decode(CID).digest
    assert found.candidate(0) == b""
    assert found.report(1, bytes(32)) == report
    assert found.report(1, b"x" * 32) is None
    assert Notebook(tmp_path).of_round(3, 5) == RoundNotes()


@pytest.mark.parametrize("damage", [b"", b"\xff" * 40])
def test_damaged_notes_are_as_good_as_none(tmp_path: Path, damage: bytes) -> None:
    Notebook(tmp_path).note(3, 4, lambda _: RoundNotes(update=UPDATE))
    (tmp_path / "3-4" / "notes").write_bytes(damage)
    with capture_logs() as logs:
        assert Notebook(tmp_path).of_round(3, 4) == RoundNotes()
    assert [line["event"] for line in logs] == ["notes of duties are lost"]


def test_history_has_no_gap_and_a_bound(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path)
    for number in range(VERSIONS_KEPT + 3):
        notebook.extend(1, VersionNote(version=number, round=number, model=CID))
    versions = Notebook(tmp_path).history(1).versions
    assert [one.version for one in versions] == list(range(3, VERSIONS_KEPT + 3))
    notebook.extend(1, VersionNote(version=99, round=99, model=CID))
    assert [one.version for one in notebook.history(1).versions] == [99]


def test_folders_of_old_rounds_go(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path)
    for number in range(3):
        notebook.note(1, number, lambda _: RoundNotes(update=UPDATE))
    notebook.note(2, 0, lambda _: RoundNotes(update=UPDATE))
    (tmp_path / "1-stray").mkdir()
    notebook.forget_before(1, ROUNDS_KEPT + 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-2", "1-stray", "2-0"]
    assert notebook.of_round(1, 1) == RoundNotes()
    assert notebook.of_round(1, 2).update == UPDATE


# Verdicts and setbacks.


def failed(reason: FailureCode, cause: str = "") -> JobFailedError:
    return JobFailedError(reason, "why", cause=cause)


def refused(rule: Rule) -> TransactionFailedError:
    return TransactionFailedError(
        Receipt(
            transaction_id=Digest(bytes(32)),
            status=ReceiptStatus.FAILED,
            code="vm-trap-abort",
            trap=rule.value,
        )
    )


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (failed(FailureCode.BAD_INPUT, "wrong_model"), Verdict.TASK),
        (failed(FailureCode.BAD_INPUT, "examples"), Verdict.TASK),
        (failed(FailureCode.BAD_INPUT, "blob_file"), Verdict.AGAIN),
        (failed(FailureCode.BAD_INPUT, "blob_write"), Verdict.AGAIN),
        (failed(FailureCode.BAD_INPUT, "wrong_job"), Verdict.ROUND),
        (failed(FailureCode.NO_TORCH), Verdict.TASK),
        (failed(FailureCode.OUT_OF_MEMORY), Verdict.ROUND),
        (failed(FailureCode.WORKER_DIED), Verdict.ROUND),
        (failed(FailureCode.WORKER_SILENT), Verdict.ROUND),
        (failed(FailureCode.WORKER_GARBLED), Verdict.ROUND),
        (failed(FailureCode.WORKER_NOT_STARTED), Verdict.AGAIN),
        (failed(FailureCode.BUSY), Verdict.AGAIN),
        (UnfitReportError(measured=1, wanted=2), Verdict.TASK),
        (HistoryDivergedError(version=1, expected=b"a", actual=b"b"), Verdict.TASK),
        (LostResultError("gone"), Verdict.ROUND),
        (refused(Rule.FULL), Verdict.ROUND),
        (refused(Rule.QUARANTINED), Verdict.ROUND),
        (refused(Rule.PHASE_OVER), Verdict.AGAIN),
        (refused(Rule.BAD_HOLDINGS), Verdict.AGAIN),
        (UpdateUnavailableError("nobody"), Verdict.AGAIN),
        (OSError("disk"), Verdict.AGAIN),
    ],
)
def test_what_follows_from_an_error(error: HanseError | OSError, verdict: Verdict) -> None:
    assert judge(error) is verdict


def test_rest_doubles_up_to_a_bound() -> None:
    assert [rest_ms(failures) for failures in (1, 2, 3, 60)] == [250, 500, 1_000, AGAIN_MS_MAX]


def test_setback_rests_is_given_up_or_is_overcome() -> None:
    setbacks = Setbacks()
    setbacks.add(DUTY, Verdict.AGAIN, message="first", now_ms=1_000)
    assert not setbacks.is_rested(DUTY, now_ms=1_249)
    assert setbacks.is_rested(DUTY, now_ms=1_250)
    setbacks.overcome(DUTY)
    assert setbacks.is_rested(DUTY, now_ms=0)
    setbacks.add(DUTY, Verdict.ROUND, message="second", now_ms=1_000)
    assert setbacks.given_up(round_number=2, rung=0) == {Step.TRAIN}
    assert setbacks.given_up(round_number=3, rung=0) == frozenset()
    assert [one.until for one in setbacks.told()] == ["round"]
    setbacks.add(DUTY, Verdict.TASK, message="third", now_ms=1_000)
    setbacks.end_round()
    assert setbacks.given_up(round_number=9, rung=0) == {Step.TRAIN}
    assert [(one.until, one.message) for one in setbacks.told()] == [("task", "third")]


def test_errors_of_transactions_say_what_the_contract_said() -> None:
    receipt = Receipt(transaction_id=Digest(bytes(32)), status=ReceiptStatus.FAILED, code="code")
    assert str(TransactionFailedError(receipt)) == "code"


# Times.


def test_time_sheet_keeps_each_phase_once_and_the_last_rounds() -> None:
    sheet = TimeSheet()
    for now_ms in (1, 2):
        sheet.saw(1, 0, phase="commit", rung=0, now_ms=now_ms)
    sheet.did(DUTY, began_ms=1, took_ms=5, outcome="done")
    first, second = sheet.rounds()
    assert [mark.seen_ms for mark in first.phases] == [1]
    assert [job.took_ms for job in second.jobs] == [5]
    for number in range(ROUNDS_TOLD + 5):
        sheet.saw(1, number, phase="commit", rung=0, now_ms=1)
    assert len(sheet.rounds()) == ROUNDS_TOLD


def test_progress_of_the_worker_is_told() -> None:
    assert job_status(DUTY, since_ms=3, progress=None).stage == ""
    progress = Progress(stage=Stage.TRAINING, done=2, total=9, loss_micronats=7)
    told = job_status(DUTY, since_ms=3, progress=progress)
    assert (told.stage, told.done, told.total, told.loss_micronats) == ("training", 2, 9, 7)
