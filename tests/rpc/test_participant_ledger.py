"""What is remembered of participants is bounded, the oldest is forgotten, and then it says so."""

import pytest

from node.rpc import participant_ledger
from node.rpc.participant_ledger import ParticipantLedger
from node.rpc.schemas import Event, Json, PlacedEvent


def note(ledger: ParticipantLedger, name: str, *, height: int, **fields: Json) -> None:
    """Have a ledger note an event."""
    event = Event(contract="00" * 32, name=name, fields=fields)
    ledger.note(PlacedEvent(height=height, receipt_index=0, event_index=0, event=event))


def commit_update(ledger: ParticipantLedger, who: str, *, task: int, number: int) -> None:
    note(
        ledger,
        "UpdateCommitted",
        height=number,
        task=task,
        round=number,
        index=0,
        trainer=who,
    )


def test_rounds_of_all_tasks_have_one_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(participant_ledger, "SPANS_MAX", 6)
    ledger = ParticipantLedger()
    for task in range(4):
        for number in range(3):
            note(ledger, "RoundOpened", height=10 * task + number, task=task, round=number)
    kept = [
        (task, number)
        for task in range(4)
        for number in range(3)
        if ledger.span(task, number) is not None
    ]
    assert kept == [(task, number) for task in (2, 3) for number in range(3)]


def test_notes_of_all_people_have_one_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(participant_ledger, "NOTES_MAX", 10)
    ledger = ParticipantLedger()
    people = [f"trainer-{number}" for number in range(5)]
    for number in range(4):
        for who in people[:4]:
            commit_update(ledger, who, task=0, number=number)
    parts = [ledger.people[who].tasks[0] for who in people[:4]]
    assert sum(part.size for part in parts) == 10
    assert [min(part.rounds) for part in parts] == [2, 2, 1, 1]
    assert not any(part.is_complete for part in parts)
    for number in range(10):
        commit_update(ledger, people[4], task=1, number=number)
    assert [ledger.people[who].tasks for who in people[:4]] == [{}] * 4
    assert not any(ledger.people[who].is_complete for who in people[:4])
    assert ledger.people[people[4]].tasks[1].is_complete


def test_task_that_has_no_place_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(participant_ledger, "TASKS_MAX", 2)
    ledger = ParticipantLedger()
    for task in range(2):
        commit_update(ledger, "alice", task=task, number=0)
    assert ledger.people["alice"].is_complete
    commit_update(ledger, "alice", task=2, number=0)
    assert sorted(ledger.people["alice"].tasks) == [0, 1]
    assert not ledger.people["alice"].is_complete
