"""What is followed is what pays, at a bounded price, whatever tasks anybody creates."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from node.duties.notes import Notebook
from node.duties.roster import SWEPT_MAX, TASKS_MAX, Roster
from node.federation.views import FederationReader
from node.vm.abi import PythonValue
from primitives.ids import Address, Height

MANY = 1_000
LOOKS_FOR_ALL = -(-MANY // SWEPT_MAX)


@dataclass(frozen=True)
class Row:
    """A task as the contract has it."""

    reward: int = 0
    escrow: int = 0
    rounds: int = 0
    is_running: bool = False
    is_closed: bool = False

    def state(self) -> PythonValue:
        return {
            "sponsor": bytes(32),
            "model": bytes(32),
            "clip": 1,
            "escrow": self.escrow,
            "version": 0,
            "rounds": self.rounds,
            "scored": 0,
            "serial": 0,
            "is_running": self.is_running,
            "is_closing": self.is_closed,
            "is_closed": self.is_closed,
        }

    def terms(self) -> PythonValue:
        numbers = ("bond", "slots", "ready", "epsilon", "band_min", "harm", "clip_min")
        lists: dict[str, PythonValue] = {"windows": [], "guard_bounds": []}
        return {
            "document": bytes(32),
            "reward": self.reward,
            **dict.fromkeys(numbers, 0),
            **lists,
            "identity_percent": 0,
        }


@dataclass
class Contract:
    """Tasks that change as a test says, and the views that were asked for."""

    rows: list[Row]
    asked: list[str] = field(default_factory=list)

    def call(
        self,
        contract: Address,
        method: str,
        /,
        *arguments: PythonValue,
        height: Height | None = None,
    ) -> PythonValue:
        self.asked.append(method)
        if method == "task_count":
            return len(self.rows)
        (task,) = arguments
        assert isinstance(task, int)
        row = self.rows[task]
        return row.state() if method == "task_of" else row.terms()

    def change(self, task: int, **changes: int) -> None:
        self.rows[task] = replace(self.rows[task], **changes)  # type: ignore[arg-type]


PAID = Row(reward=10, escrow=100)
EMPTY = Row()


@pytest.fixture
def notebook(tmp_path: Path) -> Notebook:
    return Notebook(tmp_path)


def roster(rows: Sequence[Row], notebook: Notebook) -> tuple[Roster, Contract]:
    contract = Contract(list(rows))
    return Roster(FederationReader(contract), notebook), contract


def seen_all(found: Roster, *, chosen: frozenset[int] | None = None) -> list[int]:
    looks = [found.look(chosen=chosen) for _ in range(LOOKS_FOR_ALL)]
    assert found.has_seen_all
    return sorted(looks[-1])


def work(notebook: Notebook, task: int, round_number: int) -> None:
    """Leave a result of a round, as training does."""
    notebook.note(task, round_number, lambda notes: notes)


def test_task_that_pays_is_followed_whatever_worthless_ones_are_created(
    notebook: Notebook,
) -> None:
    found, contract = roster([PAID, *[EMPTY] * MANY], notebook)
    assert 0 in seen_all(found)
    for worthless in (
        EMPTY,
        Row(escrow=1_000),
        Row(reward=1_000, escrow=999),
        Row(rounds=1, is_running=True),
        Row(reward=1, escrow=1),
        Row(reward=1, rounds=1, is_running=True),
    ):
        contract.rows[1:] = [worthless] * MANY
        assert 0 in seen_all(found)


def test_round_that_runs_is_not_displaced_by_tasks_that_may_run(notebook: Notebook) -> None:
    idle, running = PAID, Row(reward=10, rounds=1, is_running=True)
    found, _ = roster(
        [running, Row(is_running=True, rounds=1), *[idle] * (TASKS_MAX - 1)], notebook
    )
    assert seen_all(found) == [0, *range(2, TASKS_MAX + 1)]
    unpaid, _ = roster([Row(is_running=True, rounds=1), *[EMPTY] * MANY], notebook)
    assert 0 in seen_all(unpaid)


def test_work_of_this_node_keeps_a_task_but_not_all_places(notebook: Notebook) -> None:
    running = Row(reward=1, rounds=3, is_running=True)
    found, contract = roster([running, *[PAID] * MANY], notebook)
    work(notebook, 0, 2)
    assert 0 in seen_all(found)
    contract.change(0, rounds=4)
    assert 0 not in seen_all(found), "what was done in an earlier round keeps nothing"
    for task in range(TASKS_MAX):
        contract.rows[task] = Row(rounds=1, is_running=True)
        work(notebook, task, 0)
    kept = [task for task in seen_all(found) if task < TASKS_MAX]
    assert len(kept) == TASKS_MAX // 2


def test_look_reads_a_bounded_number_of_states(notebook: Notebook) -> None:
    found, contract = roster([PAID] * MANY, notebook)
    for _ in range(LOOKS_FOR_ALL + 2):
        contract.rows.extend([PAID] * 100)
        contract.asked.clear()
        found.look(chosen=None)
        states = contract.asked.count("task_of")
        assert states <= TASKS_MAX + 2 * SWEPT_MAX
        assert contract.asked.count("terms_of") <= 2 * SWEPT_MAX


def test_new_task_is_seen_at_the_next_look_and_an_old_one_in_its_turn(notebook: Notebook) -> None:
    found, contract = roster([EMPTY] * MANY, notebook)
    seen_all(found)
    contract.rows.append(PAID)
    assert MANY in found.look(chosen=None)
    contract.change(5, reward=10, escrow=10)
    assert 5 in seen_all(found)


def test_closed_tasks_are_left(notebook: Notebook) -> None:
    found, contract = roster([PAID] * 3, notebook)
    assert found.look(chosen=None) == [2, 1, 0], "the newest first"
    assert found.has_seen_all
    contract.change(1, is_closed=True, escrow=0)
    assert found.look(chosen=None) == [2, 0]


def test_of_chosen_tasks_those_are_followed_that_there_are(notebook: Notebook) -> None:
    found, contract = roster([EMPTY, PAID, EMPTY], notebook)
    assert found.look(chosen=frozenset({0, 2, 7})) == [2, 0]
    assert found.look(chosen=frozenset({1})) == [1]
    contract.rows.extend([EMPTY] * 5)
    assert found.look(chosen=frozenset({0, 1, 7})) == [1, 7, 0]
    assert found.look(chosen=frozenset()) == []
