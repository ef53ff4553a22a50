"""Read a task from the chain, as this node sees it."""

from collections.abc import Callable

from node.duties.equipment import Equipment
from node.duties.errors import DutyError, WrongStartError
from node.duties.reasons import task_reason
from node.duties.roster import Roster
from node.duties.scene import Member, Scene
from node.federation.document import DOCUMENT_SIZE_BYTES_MAX, TaskDocument, read_document
from node.federation.views import FederationReader
from primitives.ids import Address, Digest

Committee = Callable[[], tuple[Address, ...]]
"""Returns the operators of the running epoch's validators, in order."""


class Observer:
    """Reads tasks; their documents, which never change, only once."""

    def __init__(self, equipment: Equipment, *, committee: Committee) -> None:
        self._own = equipment
        self._committee = committee
        self._documents: dict[int, TaskDocument] = {}
        self._roster = Roster(equipment.reader, equipment.notebook)

    @property
    def has_seen_all(self) -> bool:
        """Tell whether every task was looked at once, so that the best are known."""
        return self._roster.has_seen_all

    def open_tasks(self, *, chosen: frozenset[int] | None) -> list[int]:
        """Return the tasks to follow, of chosen ones or of all, that are not closed; best first."""
        found = self._roster.look(chosen=chosen)
        self._documents = {task: self._documents[task] for task in found if self.has_document(task)}
        return found

    def rounds_of_closed(self, task: int) -> int | None:
        """Return how many rounds a task had that is closed; None if it is not, or not there."""
        reader = self._own.reader
        if task >= reader.task_count():
            return None
        state = reader.task(task)
        return state.rounds if state.is_closed else None

    def has_document(self, task: int) -> bool:
        """Tell whether the document of a task is known."""
        return task in self._documents

    def has_blob(self, task: int) -> bool:
        """Tell whether the blob of the document of a task is here, so that nobody need give it."""
        return self._own.blobs.has(Digest(self._own.reader.terms(task).document))

    async def obtain(self, task: int) -> None:
        """Get the document of a task.

        Raises:
            HanseError: nobody gave it.
            MalformedBytesError: it is none.
            BadDocumentError: it contradicts itself.
            WrongStartError: it begins with another model than the task.
        """
        blob = Digest(self._own.reader.terms(task).document)
        if not self._own.blobs.has(blob):
            await self._own.blobs.fetch(
                blob, size_bytes_max=DOCUMENT_SIZE_BYTES_MAX, reason=task_reason(task)
            )
        await self._own.blobs.pin(blob, task_reason(task))
        raw = self._own.blobs.read(blob, size_bytes_max=DOCUMENT_SIZE_BYTES_MAX)
        document = read_document(raw)
        start = self._start(task)
        if document.start != start:
            raise WrongStartError(expected=start, actual=document.start)
        self._documents[task] = document

    def scene(self, task: int) -> Scene:
        """Return a task as it is now; its document must be known."""
        reader = self._own.reader
        state = reader.task(task)
        return Scene(
            task=task,
            document=self._documents[task],
            terms=reader.terms(task),
            state=state,
            round=reader.round(task) if state.is_running else None,
            member=self._member(reader, task),
        )

    def _start(self, task: int) -> bytes:
        """Return the id of W_0: the newest model while there is no other, the first parent then."""
        state = self._own.reader.task(task)
        if state.version == 0:
            return state.model
        first = self._own.reader.model(task, 1)
        if first is None:
            raise DutyError(f"the registry does not say with which model task {task} began")
        return first.parent

    def _member(self, reader: FederationReader, task: int) -> Member:
        who, committee = self._own.who, self._committee()
        registered_at = reader.registered_at(who)
        if not registered_at:
            return Member(who=who, committee=committee)
        return Member(
            who=who,
            registered_at=registered_at,
            standing=reader.standing(task, who),
            vesting=reader.vesting(task, who),
            committee=committee,
        )
