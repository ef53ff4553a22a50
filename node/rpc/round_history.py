"""What became of a round, put together from the events of the `rounds` contract and the registry.

An index of where rounds begin and end, and how, grows as it is asked, so the events of the chain
are read once and not for every question; one question reads so many at most, and the next goes on
from there. Belongs to the reader threads; a lock keeps them apart.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from fl.rules.effects import Outcome
from fl.rules.phase import Phase
from node.chain.chain import Chain
from node.federation.calls import ROUNDS
from node.federation.views import FederationReader
from node.rpc.errors import NotFoundError, UnavailableError
from node.rpc.round_rendering import show_model
from node.rpc.round_schemas import Model, PhaseEntry, RoundHistory
from node.rpc.schemas import Json, PlacedEvent
from node.rpc.told import PAGE_EVENTS, PAGES_MAX, Told
from primitives.ids import Height

if TYPE_CHECKING:
    from node.chain.index import EventPlace

ROUNDS_MAX: Final = 16_384
"""Rounds whose place is remembered; the oldest are forgotten, and found no more."""
EVENTS_MAX: Final = 2_000
"""Of one round in one answer."""
ROUND_PAGES_MAX: Final = 64
"""Of events of all tasks, in which those of one round are looked for."""

_RUNNING: Final = "running"
_PHASES: Final = tuple(Phase)
_OUTCOMES: Final = tuple(Outcome)


@dataclass(slots=True)
class _Span:
    first: Height
    last: Height
    outcome: str = _RUNNING
    version: int | None = None


class RoundIndex:
    """Where the rounds of all tasks stand in the chain.

    Args:
        pages_max: how many pages of events one question reads to bring the index up to date.
    """

    def __init__(
        self, chain: Chain, *, pages_max: int = PAGES_MAX, page_events: int = PAGE_EVENTS
    ) -> None:
        self._chain = chain
        self._pages_max = pages_max
        self._page_events = page_events
        self._spans: OrderedDict[tuple[int, int], _Span] = OrderedDict()
        self._after: EventPlace | None = None
        self._read_to = Height(0)
        self._lock = threading.Lock()

    def history(self, task: int, number: int, *, federation: FederationReader) -> RoundHistory:
        """Return what became of a round.

        Raises:
            NoSuchTaskError: there is no such task.
            NotFoundError: the round was never opened, or its events are pruned.
            UnavailableError: there are more events than one question reads; the next one goes on.
        """
        federation.task(task)
        self._read_on()
        with self._lock:
            span = self._spans.get((task, number))
            span = None if span is None else replace(span)
        if span is None:
            raise NotFoundError(f"task {task} has no round {number} that is kept here")
        shown, is_all = self._events_of(task, number, span)
        return RoundHistory(
            task=task,
            number=number,
            outcome=span.outcome,
            first_height=span.first,
            last_height=span.last,
            phases=tuple(self._phases(shown)),
            model=_model(task, span.version, federation=federation),
            events=tuple(shown),
            is_complete=is_all and shown[0].event.name == "RoundOpened",
        )

    def _read_on(self) -> None:
        """Note the events that came since the last question."""
        head = self._chain.head.height
        for _ in range(self._pages_max):
            # Not over all pages: another question need not wait for them.
            with self._lock:
                if self._read_to >= head:
                    return
                self._read_page(head)
        with self._lock:
            if self._read_to < head:
                raise UnavailableError("the node still reads the events of its chain: ask again")

    def _read_page(self, head: Height) -> None:
        told = Told(chain=self._chain, contract=ROUNDS, last=head, page_events=self._page_events)
        page = next(told.pages(self._after))
        for one in page.shown:
            self._note(one)
        self._after = page.end or self._after
        if page.is_last:
            self._read_to = head

    def _note(self, one: PlacedEvent) -> None:
        fields = one.event.fields
        round_of = _round_of(fields)
        if round_of is None:
            return
        height = Height(one.height)
        span = self._spans.setdefault(round_of, _Span(height, height))
        span.last = height
        if one.event.name == "RoundEnded":
            span.outcome = _outcome(int(fields["outcome"]))
        elif one.event.name == "ModelCommitted":
            span.version = int(fields["version"])
        while len(self._spans) > ROUNDS_MAX:
            self._spans.popitem(last=False)

    def _events_of(self, task: int, number: int, span: _Span) -> tuple[list[PlacedEvent], bool]:
        """Return the events of a round, up to a limit, and whether that is all of them."""
        told = Told(
            chain=self._chain,
            contract=ROUNDS,
            first=span.first,
            last=span.last,
            page_events=self._page_events,
        )
        found: list[PlacedEvent] = []
        is_all = False
        for page in islice(told.pages(), ROUND_PAGES_MAX):
            found += [one for one in page.shown if _round_of(one.event.fields) == (task, number)]
            is_all = page.is_last and len(found) <= EVENTS_MAX
            if len(found) > EVENTS_MAX:
                break
        if not found:
            raise NotFoundError(f"the events of round {number} are pruned here")
        return found[:EVENTS_MAX], is_all

    def _phases(self, events: list[PlacedEvent]) -> list[PhaseEntry]:
        entered = [one for one in events if one.event.name == "PhaseEntered"]
        return [
            PhaseEntry(
                phase=_phase_name(int(one.event.fields["phase"])),
                height=one.height,
                time_ms=self._time_at(Height(one.height)),
                deadline_ms=int(one.event.fields["deadline_ms"]),
            )
            for one in entered
        ]

    def _time_at(self, height: Height) -> int | None:
        record = self._chain.record_at(height)
        return None if record is None else record.time_ms


def _phase_name(number: int) -> str:
    return _PHASES[number].value if number < len(_PHASES) else str(number)


def _round_of(fields: Json) -> tuple[int, int] | None:
    if not isinstance(fields, dict) or "task" not in fields or "round" not in fields:
        return None
    return int(fields["task"]), int(fields["round"])


def _outcome(number: int) -> str:
    return _OUTCOMES[number - 1].value if 1 <= number <= len(_OUTCOMES) else str(number)


def _model(task: int, version: int | None, *, federation: FederationReader) -> Model | None:
    if version is None:
        return None
    record = federation.model(task, version)
    return None if record is None else show_model(record, task=task, version=version)
