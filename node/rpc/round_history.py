"""What became of a round, put together from the events of the `rounds` contract and the registry.

An index of where rounds begin and end grows as it is asked, so the events of the chain are read
once and not for every question. Belongs to the reader threads; a lock keeps them apart.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fl.rules.effects import Outcome
from fl.rules.phase import Phase
from node.chain.chain import Chain
from node.federation.calls import ROUNDS
from node.federation.views import FederationReader
from node.rpc.errors import NotFoundError
from node.rpc.rendering import Renderer
from node.rpc.round_rendering import show_model
from node.rpc.round_schemas import Model, PhaseEntry, RoundHistory
from node.rpc.schemas import Json, PlacedEvent
from primitives.ids import Height

if TYPE_CHECKING:
    from node.chain.index import EventPlace

ROUNDS_MAX: Final = 16_384
"""Rounds whose place is remembered; the oldest are forgotten, and found no more."""
EVENTS_MAX: Final = 2_000
"""Of one round in one answer."""
_PAGE: Final = 1_000
_PHASES: Final = tuple(Phase)
_OUTCOMES: Final = tuple(Outcome)


@dataclass(slots=True)
class _Span:
    first: Height
    last: Height


class RoundIndex:
    """Where the rounds of all tasks stand in the chain."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._spans: OrderedDict[tuple[int, int], _Span] = OrderedDict()
        self._after: EventPlace | None = None
        self._lock = threading.Lock()

    def history(self, task: int, number: int, *, federation: FederationReader) -> RoundHistory:
        """Return what became of a round.

        Raises:
            NoSuchTaskError: there is no such task.
            NotFoundError: the round was never opened, or its events are pruned.
        """
        federation.task(task)
        with self._chain.view() as state:
            renderer = Renderer(state, self._chain.machine.library)
            with self._lock:
                self._read_on(renderer)
                span = self._spans.get((task, number))
            if span is None:
                raise NotFoundError(f"task {task} has no round {number} that is kept here")
            found = self._events_of(task, number, span, renderer)
        shown = found[:EVENTS_MAX]
        return RoundHistory(
            task=task,
            number=number,
            outcome=_outcome(shown),
            first_height=span.first,
            last_height=span.last,
            phases=tuple(self._phases(shown)),
            model=_model(shown, task=task, federation=federation),
            events=tuple(shown),
            is_complete=len(found) <= EVENTS_MAX and shown[0].event.name == "RoundOpened",
        )

    def _read_on(self, renderer: Renderer) -> None:
        """Read the events that came since the last question."""
        while True:
            page = self._chain.events(ROUNDS, after=self._after, limit=_PAGE)
            for place in page:
                round_of = _round_of(renderer.event(place.event).fields)
                if round_of is not None:
                    span = self._spans.setdefault(round_of, _Span(place.height, place.height))
                    span.last = place.height
            while len(self._spans) > ROUNDS_MAX:
                self._spans.popitem(last=False)
            if not page:
                return
            self._after = page[-1]

    def _events_of(
        self, task: int, number: int, span: _Span, renderer: Renderer
    ) -> list[PlacedEvent]:
        found: list[PlacedEvent] = []
        after: EventPlace | None = None
        while len(found) <= EVENTS_MAX:
            page = self._chain.events(
                ROUNDS, first_height=span.first, last_height=span.last, after=after, limit=_PAGE
            )
            shown = (renderer.placed(place) for place in page)
            found += [one for one in shown if _round_of(one.event.fields) == (task, number)]
            if len(page) < _PAGE:
                break
            after = page[-1]
        if not found:
            raise NotFoundError(f"the events of round {number} are pruned here")
        return found

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


def _outcome(events: list[PlacedEvent]) -> str:
    ends = [one for one in events if one.event.name == "RoundEnded"]
    if not ends:
        return "running"
    number = int(ends[-1].event.fields["outcome"])
    return _OUTCOMES[number - 1].value if 1 <= number <= len(_OUTCOMES) else str(number)


def _model(events: list[PlacedEvent], *, task: int, federation: FederationReader) -> Model | None:
    versions = [
        int(one.event.fields["version"]) for one in events if one.event.name == "ModelCommitted"
    ]
    record = federation.model(task, versions[-1]) if versions else None
    return None if record is None else show_model(record, task=task, version=versions[-1])
