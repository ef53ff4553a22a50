"""Gathers what a judgement is made of: events, terms, what was seen, and the names of measures.

Reads the chain and the blobs of this node, so ask it in a thread.
"""

from collections import OrderedDict
from itertools import islice
from typing import Final

from fl.rules.limits import MEASURES_MAX
from node.blobs.manifest import BlobId
from node.federation.calls import ROUNDS
from node.federation.document import DOCUMENT_SIZE_BYTES_MAX, read_document
from node.federation.states import TermsState
from node.federation.views import FederationReader
from node.rpc.context import NodeContext
from node.rpc.errors import NotFoundError
from node.rpc.judgement import judge
from node.rpc.judgement_case import Case
from node.rpc.judgement_rungs import medians_of
from node.rpc.judgement_schemas import Judgement, VersionLine, Versions
from node.rpc.round_history import EVENTS_MAX, ROUND_PAGES_MAX, RoundIndex
from node.rpc.round_record import COMMITTED, RoundRecord
from node.rpc.round_rendering import show_model
from node.rpc.round_schemas import RoundHistory
from node.rpc.schemas import PlacedEvent
from node.rpc.told import PAGE_EVENTS, Told
from primitives.errors import HanseError
from primitives.ids import Height

NAMES_MAX: Final = 256
"""Tasks whose measures are remembered."""

LOSS: Final = "loss"
_MONEY: Final = frozenset({"Paid", "Burned"})


class JudgementDesk:
    """Explains the rounds of one node.

    Args:
        page_events: how many are read at once to find the payments of a round.
        pages_max: how often, before the rest counts as unknown.
    """

    def __init__(
        self,
        context: NodeContext,
        index: RoundIndex,
        *,
        page_events: int = PAGE_EVENTS,
        pages_max: int = ROUND_PAGES_MAX,
    ) -> None:
        self._context = context
        self._index = index
        self._page_events = page_events
        self._pages_max = pages_max
        self._names: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()

    def judgement(self, task: int, number: int, *, federation: FederationReader) -> Judgement:
        """Return why a round ended as it did.

        Raises:
            NoSuchTaskError: there is no such task.
            NotFoundError: the round was never opened, or its events are pruned.
        """
        history = self._index.history(task, number, federation=federation)
        terms = federation.terms(task)
        told, is_whole = self._told(history)
        case = Case(
            history=history,
            record=self._record(task, number),
            terms=terms,
            told=told,
            is_told_whole=is_whole,
            guard_names=self.guard_names(terms),
        )
        return judge(case)

    def versions(
        self, task: int, *, before: int | None, limit: int, federation: FederationReader
    ) -> Versions:
        """Return versions of a model below one, or the newest, the newest first.

        Raises:
            NoSuchTaskError: there is no such task.
        """
        terms, state = federation.terms(task), federation.task(task)
        latest = federation.latest_version(task)
        top = latest if before is None else min(latest, before - 1)
        lines = [
            self._line(task, version, federation=federation)
            for version in range(top, max(0, top - limit), -1)
        ]
        first = federation.model(task, 1) if latest else None
        return Versions(
            task=task,
            latest=latest,
            start=state.model.hex() if first is None else first.parent.hex(),
            guard_names=self.guard_names(terms),
            guard_bounds=tuple(map(str, terms.guard_bounds)),
            versions=tuple(lines),
            is_complete=top - limit <= 0,
        )

    def guard_names(self, terms: TermsState) -> tuple[str, ...]:
        """Return what the guard of a task measures, as its document names it."""
        count = len(terms.guard_bounds)
        known = self._names.get(terms.document)
        if known is None:
            known = self._read_names(terms)
            if known is None:
                return _numbered((LOSS,), count)
            self._names[terms.document] = known
            if len(self._names) > NAMES_MAX:
                self._names.popitem(last=False)
        return _numbered(known, count)

    def _read_names(self, terms: TermsState) -> tuple[str, ...] | None:
        blobs, document = self._context.blobs, BlobId(terms.document)
        try:
            if blobs is None or not blobs.is_public(document):
                return None
            if blobs.stat(document).size_bytes > DOCUMENT_SIZE_BYTES_MAX:
                return (LOSS,)
            labels = read_document(blobs.read(document)).label_names
        except HanseError:
            # Whatever a sponsor named as its document, the round is explained without it.
            return (LOSS,)
        return (LOSS, *(f"class:{label}" for label in labels[:MEASURES_MAX]))

    def _line(self, task: int, version: int, *, federation: FederationReader) -> VersionLine:
        record = federation.model(task, version)
        if record is None:
            raise NotFoundError(f"task {task} has no version {version}")
        shown = show_model(record, task=task, version=version)
        seen = self._record(task, record.round)
        changes = None if seen is None else _changes(seen)
        return VersionLine(
            version=version,
            round=shown.round,
            parent=shown.parent,
            model=shown.model,
            clip=shown.clip,
            limit=shown.limit,
            contributors=shown.contributors,
            roots=shown.roots,
            weights=shown.weights,
            scores=shown.scores,
            height=shown.height,
            time_ms=shown.time_ms,
            changes=None if changes is None else tuple(map(str, changes)),
        )

    def _record(self, task: int, number: int) -> RoundRecord | None:
        watch = self._context.rounds
        return None if watch is None else watch.find(task, number)

    def _told(self, history: RoundHistory) -> tuple[list[PlacedEvent], bool]:
        """Return what was paid and burned while the round ran, and whether that is all of it.

        Neither names a round, and events of other tasks lie between them, as many as anybody likes.
        """
        first, last = history.events[0], history.events[-1]
        told = Told(
            chain=self._context.chain,
            contract=ROUNDS,
            first=Height(first.height),
            last=Height(last.height),
            names=_MONEY,
            page_events=self._page_events,
        )
        found: list[PlacedEvent] = []
        for page in islice(told.pages(), self._pages_max):
            found += [
                one
                for one in page.shown
                if (one.event.fields or {}).get("task") == str(history.task)
                and _place(first) <= _place(one) <= _place(last)
            ]
            if len(found) > EVENTS_MAX:
                break
            if page.is_last:
                return found, history.is_complete
        return found[:EVENTS_MAX], False


def _changes(record: RoundRecord) -> tuple[int, ...] | None:
    for rung in reversed(record.rungs):
        if rung.result == COMMITTED:
            return medians_of(record, rung)
    return None


def _place(one: PlacedEvent) -> tuple[int, int, int]:
    return one.height, one.receipt_index, one.event_index


def _numbered(known: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Return as many names as measures: what is neither loss nor class is a set of probes."""
    rest = "probe" if len(known) > 1 or count == 1 else "measure"
    return (*known, *(f"{rest}:{place}" for place in range(count - len(known))))[:count]
