"""The tasks that an operator has chosen, read again whenever the file changes: no restart needed.

Guards: what cannot be read changes nothing. The tasks stay as they were, and the log says why, once
for each state of the file.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from node.config.errors import ConfigFileError
from node.config.load import CONFIG_NAME, load_config
from node.config.sections import TrainingSection

_log: Final = structlog.get_logger("node")

_Stamp = tuple[int, int, int]


class WatchedTasks:
    """`training.tasks` of the node in a folder, as it is now.

    Args:
        folder: with the `hanse.toml`.
        environ: the variables of the process, which stand above the file.
        tasks: as they were read when the node started.
    """

    def __init__(
        self, folder: Path, *, environ: Mapping[str, str], tasks: frozenset[int] | None
    ) -> None:
        self._folder = folder
        self._environ = environ
        self._tasks = tasks
        self._stamp = self._stat()

    def __call__(self) -> frozenset[int] | None:
        """Return the numbers of the tasks to take part in; None: all. One system call."""
        stamp = self._stat()
        if stamp != self._stamp:
            self._stamp = stamp
            self._read()
        return self._tasks

    def _read(self) -> None:
        try:
            tasks = chosen_tasks(load_config(self._folder, self._environ).training)
        except ConfigFileError as error:
            _log.warning("the changed configuration is not used", reason=str(error))
            return
        if tasks != self._tasks:
            self._tasks = tasks
            shown = "all" if tasks is None else sorted(tasks)
            _log.info("takes part in other tasks now", tasks=shown)

    def _stat(self) -> _Stamp | None:
        try:
            found = os.stat(self._folder / CONFIG_NAME)  # noqa: PTH116 - three fields of one call
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def chosen_tasks(section: TrainingSection) -> frozenset[int] | None:
    """Return the tasks to take part in; None: all."""
    return None if section.tasks == "all" else frozenset(section.tasks)
