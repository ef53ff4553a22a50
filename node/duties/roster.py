"""Choose, of all the tasks there are, those that this node follows.

Anybody creates tasks, and opens rounds of them, for gas alone. So what a round pays decides, not
its age: who wants to displace a task has to offer more than it does, many times over.

Guards: at most `TASKS_MAX` tasks are followed. One look reads the states of those, of `SWEPT_MAX`
others whose turn it is and of `SWEPT_MAX` that are new, however many there are; of what is not
followed nothing is remembered. A task in whose round this node has done work is displaced by no
other as long as half of the places suffice for such tasks, since a bond may hang on it.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from node.duties.notes import Notebook
from node.federation.views import FederationReader

TASKS_MAX: Final = 64
"""That one node follows at a time."""

SWEPT_MAX: Final = 32
"""Tasks that are looked at in turn; two views of the chain each, a quarter of a millisecond one."""

_PAID_PLACES: Final = TASKS_MAX // 2
"""Given away by what is paid alone: rounds of a week that pay nothing must not take them all."""

_TOP: Final = 1 << 63


@dataclass(frozen=True, slots=True, order=True)
class _Worth:
    """What speaks for a task, the weightiest first.

    Args:
        reward: of the running round, or of one that the escrow pays for; 0 if there is none.
        task: a newer one, if all else is the same.
    """

    has_work: bool
    reward: int
    is_running: bool
    task: int


class Roster:
    """The tasks that one node follows; `look` chooses anew."""

    def __init__(self, reader: FederationReader, notebook: Notebook) -> None:
        self._reader = reader
        self._notebook = notebook
        self._followed: tuple[int, ...] = ()
        self._rewards: dict[int, int] = {}
        self._below = _TOP
        self._seen: int | None = None
        self.has_seen_all = False

    def look(self, *, chosen: frozenset[int] | None) -> list[int]:
        """Return the tasks to follow, of chosen ones or of all, that are not closed; best first."""
        count = self._reader.task_count()
        numbers: Sequence[int] = range(count)
        if chosen is not None:
            numbers = sorted(one for one in chosen if 0 <= one < count)
        followed = (task for task in self._followed if task in numbers)
        due = sorted({*followed, *self._new(numbers, count), *self._swept(numbers)})
        self._followed = _best(worth for task in due if (worth := self._worth(task)) is not None)
        known = self._rewards.items()
        self._rewards = {task: reward for task, reward in known if task in self._followed}
        return list(self._followed)

    def _new(self, numbers: Sequence[int], count: int) -> Sequence[int]:
        """Return tasks that came since the last look; at the first one they all have their turn."""
        first = bisect_left(numbers, count if self._seen is None else self._seen)
        found = numbers[first : first + SWEPT_MAX]
        self._seen = found[-1] + 1 if found else count
        return found

    def _swept(self, numbers: Sequence[int]) -> Sequence[int]:
        """Return the tasks whose turn it is: from the newest down, then from the newest again."""
        end = bisect_left(numbers, self._below)
        first = max(0, end - SWEPT_MAX)
        self._below = numbers[first] if first else _TOP
        self.has_seen_all = self.has_seen_all or not first
        return numbers[first:end]

    def _worth(self, task: int) -> _Worth | None:
        state = self._reader.task(task)
        if state.is_closed:
            return None
        reward = self._reward(task) if state.is_running or state.escrow else 0
        return _Worth(
            has_work=state.is_running and self._notebook.has_round(task, state.rounds - 1),
            reward=reward if state.is_running or state.escrow >= reward else 0,
            is_running=state.is_running,
            task=task,
        )

    def _reward(self, task: int) -> int:
        if task not in self._rewards:
            # What a task promises never changes.
            self._rewards[task] = self._reader.terms(task).reward
        return self._rewards[task]


def _best(found: Iterable[_Worth]) -> tuple[int, ...]:
    paid_first = sorted(found, key=lambda one: (one.reward, one.is_running, one.task), reverse=True)
    best, others = paid_first[:_PAID_PLACES], sorted(paid_first[_PAID_PLACES:], reverse=True)
    return tuple(one.task for one in (*best, *others[: TASKS_MAX - len(best)]))
