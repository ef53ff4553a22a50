"""Let go of what past rounds and old versions needed, so that the room of blobs is never all taken.

What goes follows from the reasons under which blobs are kept and from the newest state of the
task, never from what this process has seen: a round that ended while the node was down, or between
two looks at the chain, is cleared like any other.

    | reason  | kept                                                                      |
    |---------|---------------------------------------------------------------------------|
    | task    | for ever: the document, and the model that the task began with            |
    | version | as configured, and the last `VERSIONS_NEEDED` in any case                 |
    | step    | the last `VERSIONS_KEPT`, while the task is open                          |
    | round   | the last `ROUNDS_KEPT`, while the task is open                            |
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from node.duties.notes import ROUNDS_KEPT, VERSIONS_KEPT, Notebook
from node.duties.ports import BlobRoom
from node.duties.reasons import Cause, Reason, read_reason
from node.duties.scene import Scene

ROUNDS_NEEDED: Final = 2
"""The running round, and the one before, whose aggregate may not be adopted yet."""

VERSIONS_NEEDED: Final = VERSIONS_KEPT + 1
"""By a seat that comes late: what the last `VERSIONS_KEPT` were made of, from the model before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How far a task is.

    Args:
        round: the running one, or else the next.
        version: the newest.
        is_closed: no round will follow.
    """

    round: int
    version: int
    is_closed: bool = False

    @classmethod
    def of(cls, scene: Scene) -> "Reached":
        """Return how far a task is by what the chain says."""
        number = scene.state.rounds if scene.round is None else scene.round.number
        return cls(round=number, version=scene.state.version)


def outdated(
    reasons: Iterable[Reason], reached: Reached, *, versions_kept: int | None
) -> Iterator[Reason]:
    """Yield the reasons of one task that hold no longer.

    Args:
        reasons: of that task.
        reached: of the task.
        versions_kept: whose parts stay; None: all.
    """
    kept = None if versions_kept is None else max(VERSIONS_NEEDED, versions_kept)
    oldest = {
        Cause.ROUND: reached.round - ROUNDS_KEPT,
        Cause.STEP: reached.version - VERSIONS_KEPT + 1,
        Cause.VERSION: 0 if kept is None else reached.version - kept + 1,
    }
    for reason in reasons:
        is_over = reached.is_closed and reason.cause is not Cause.VERSION
        if is_over or reason.number < oldest[reason.cause]:
            yield reason


def spare(reasons: Iterable[Reason]) -> list[Reason]:
    """Return what may go if there is no room for it: rounds that are over, then old versions."""
    known = tuple(reasons)
    newest: dict[tuple[int, Cause], int] = {}
    for one in known:
        place = (one.task, one.cause)
        newest[place] = max(newest.get(place, 0), one.number)
    kept = {Cause.ROUND: ROUNDS_NEEDED, Cause.VERSION: VERSIONS_NEEDED}
    found = (
        one
        for one in known
        if one.cause in kept and one.number <= newest[one.task, one.cause] - kept[one.cause]
    )
    return sorted(found, key=lambda one: (one.cause is Cause.VERSION, one.number, one.task))


class Clearing:
    """Lets go; harmless if it is done twice.

    Args:
        versions_kept: versions of each model whose parts stay; None: all that there is room for.
    """

    def __init__(
        self, blobs: BlobRoom, notebook: Notebook, *, versions_kept: int | None = None
    ) -> None:
        self._blobs = blobs
        self._notebook = notebook
        self._versions_kept = versions_kept

    async def clear(self, task: int, reached: Reached) -> None:
        """Let go of what a task needs no longer, and then of what there is no room for."""
        reasons = self._reasons()
        own = [one for one in reasons if one.task == task]
        for reason in outdated(own, reached, versions_kept=self._versions_kept):
            await self._blobs.let_go(str(reason))
        self._notebook.forget_before(task, reached.round)
        await self._blobs.forget_envelopes(task, before=reached.round)
        await self._make_room()

    def tasks(self) -> frozenset[int]:
        """Return the tasks of which anything is kept that may go one day."""
        return frozenset(one.task for one in self._reasons() if one.cause is not Cause.VERSION)

    async def _make_room(self) -> None:
        for reason in spare(self._reasons()):
            if not self._blobs.is_crowded():
                return
            await self._blobs.let_go(str(reason))

    def _reasons(self) -> list[Reason]:
        found = (read_reason(text) for text in self._blobs.reasons())
        return [one for one in found if one is not None]
