"""Tasks that are joined while a node runs count without a restart."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from node.config.edit import edit_config
from node.config.load import CONFIG_NAME
from node.config.sections import TrainingSection
from node.config.watched import WatchedTasks, chosen_tasks


def watched(folder: Path, **environ: str) -> WatchedTasks:
    return WatchedTasks(folder, environ=environ, tasks=frozenset({1}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / CONFIG_NAME).write_text("[training]\ntasks = [1]\n")
    return tmp_path


def test_tasks_are_all_or_those_that_are_named() -> None:
    assert chosen_tasks(TrainingSection()) is None
    assert chosen_tasks(TrainingSection(tasks=(3, 1))) == frozenset({1, 3})


def test_task_that_is_joined_counts_at_the_next_look(folder: Path) -> None:
    tasks = watched(folder)
    assert tasks() == frozenset({1})
    edit_config(folder, "training.tasks", (1, 4))
    assert tasks() == frozenset({1, 4})
    edit_config(folder, "training.tasks", "all")
    assert tasks() is None
    edit_config(folder, "training.tasks", ())
    assert tasks() == frozenset()


def test_file_that_is_no_configuration_changes_nothing_and_is_told_once(folder: Path) -> None:
    tasks = watched(folder)
    (folder / CONFIG_NAME).write_text("[training]\ntaks = [7]\n")
    with capture_logs() as logs:
        assert [tasks(), tasks()] == [frozenset({1})] * 2
    (line,) = logs
    assert "did you mean tasks" in line["reason"]
    (folder / CONFIG_NAME).unlink()
    with capture_logs():
        assert tasks() == frozenset({1})
    (folder / CONFIG_NAME).write_text("[training]\ntasks = [7]\n")
    assert tasks() == frozenset({7})


def test_variable_stands_above_the_file(folder: Path) -> None:
    tasks = watched(folder, HANSE_TRAINING_TASKS="[2]")
    edit_config(folder, "training.tasks", (9,))
    assert tasks() == frozenset({2})
