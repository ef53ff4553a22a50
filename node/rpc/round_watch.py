"""Follows the rounds of all tasks and keeps what their events do not tell.

Guards: it only reads, in a thread, after commits in which a round moved; what it keeps is bounded
in memory and on disk, and losing it costs an explanation, never more. What was pruned before it
could look stays unknown, and is shown as unknown.
"""

import asyncio
import threading
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog

from fl.rules.phase import Phase
from node.chain.chain import Chain
from node.chain.errors import SubscriberLagError
from node.chain.feed import CommitExecuted
from node.chain.reader import ContractReader, DecodedEvent
from node.federation.calls import ROUNDS
from node.federation.sights import Sight, Sights
from node.rpc import round_record
from node.rpc.round_record import Closing, RoundRecord, Turned
from node.rpc.round_shelf import RoundShelf
from primitives.errors import HanseError
from primitives.ids import Height

_MOVES: Final = frozenset(
    {"RoundOpened", "PhaseEntered", "AggregateSelected", "ModelCommitted", "RoundEnded"}
)
_BEGINNINGS: Final = frozenset({"RoundOpened", "PhaseEntered"})
_PHASES: Final = tuple(Phase)
_EARLY: Final = frozenset(_PHASES[: _PHASES.index(Phase.SELECT) + 1])
"""Phases whose end is told by events alone."""

PHASES_MAX: Final = 4_096
"""Tasks whose phase is remembered; of others the state is read once more."""

_log: Final = structlog.get_logger("node.rpc.round_watch")


class RoundWatch:
    """Keeps the records of rounds on a shelf; `run` ends by cancellation."""

    def __init__(self, chain: Chain, shelf: RoundShelf) -> None:
        self._chain = chain
        self._shelf = shelf
        self._reader = ContractReader(chain)
        self._sights = Sights(self._reader)
        self._phases: dict[int, Phase] = {}
        self._glance: tuple[int, Height, Sight] | None = None
        self._lock = threading.Lock()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                with self._chain.feed.subscribe() as events:
                    async for event in events:
                        if isinstance(event, CommitExecuted) and _is_move(event):
                            await asyncio.to_thread(self._try, event)
            except SubscriberLagError as error:
                _log.warning("rounds went by unseen", reason=str(error))

    def find(self, task: int, number: int) -> RoundRecord | None:
        """Return what was seen of a round, with what is said at this moment if it runs.

        Reads the chain, so ask it in a thread.
        """
        with self._lock:
            record = self._shelf.get(task, number)
            if record is not None and record.is_ended:
                return record
            try:
                sight = self._now(task)
            except HanseError:
                return record
            if sight.running is None or sight.running.number != number:
                return record
            record = record or RoundRecord(task=task, number=number)
            return round_record.spoken(round_record.seen(record, sight), sight)

    def _try(self, commit: CommitExecuted) -> None:
        try:
            self.take(commit)
        except Exception:  # noqa: BLE001 - an explanation must not take the node down
            _log.exception("a commit was not looked at", height=commit.height)

    def take(self, commit: CommitExecuted) -> None:
        """Note what a commit did to rounds; in a thread."""
        moved: dict[int, list[DecodedEvent]] = {}
        for receipt in commit.receipts:
            for told in receipt.events:
                if told.contract == ROUNDS and told.name in _MOVES:
                    decoded = self._reader.event(told)
                    moved.setdefault(_whole(decoded, "task"), []).append(decoded)
        for task, events in moved.items():
            try:
                with self._lock:
                    fresh = self._fresh(task, events)
                    if fresh and self._is_telling(task, fresh):
                        self._follow(task, fresh, self._turned(task, fresh, commit))
            except HanseError as error:
                # The state may be pruned before we look, when many commits come at once.
                _log.warning("a round moved unseen", task=task, reason=str(error))

    def _fresh(self, task: int, events: Sequence[DecodedEvent]) -> list[DecodedEvent]:
        """Return the events of rounds that have not ended: history may be executed anew."""
        fresh = []
        for told in events:
            record = self._shelf.get(task, _whole(told, "round"))
            if record is None or not record.is_ended:
                fresh.append(told)
        if len(fresh) < len(events):
            self._phases.pop(task, None)
        return fresh

    def _is_telling(self, task: int, events: Sequence[DecodedEvent]) -> bool:
        """Tell whether there is more to see than that an early phase began."""
        phase = self._phases.get(task)
        if phase not in _EARLY or any(told.name not in _BEGINNINGS for told in events):
            return True
        for told in events:
            if told.name == "PhaseEntered":
                phase = _PHASES[_whole(told, "phase")]
        self._note_phase(task, phase)
        return phase not in _EARLY

    def _note_phase(self, task: int, phase: Phase) -> None:
        self._phases[task] = phase
        if len(self._phases) > PHASES_MAX:
            del self._phases[next(iter(self._phases))]

    def _now(self, task: int) -> Sight:
        """Return how the last round stands, read once for everybody who asks after a commit."""
        height = self._chain.head.height
        if self._glance is None or self._glance[:2] != (task, height):
            self._glance = task, height, self._sights.look(task, height=height)
        return self._glance[2]

    def _turned(self, task: int, events: Sequence[DecodedEvent], commit: CommitExecuted) -> Turned:
        after = self._sights.look(task, height=commit.height)
        running, phase = after.running, self._phases.get(task)
        record = None if running is None else self._shelf.get(task, running.number)
        rung = record.rungs[-1].number if record is not None and record.rungs else 0
        # What was said at a rung stands in the state until the next one is chosen.
        is_there = (
            running is not None
            and running.rung == rung
            and phase is not None
            # Another round may have been opened in the same commit.
            and all(_whole(told, "round") == running.number for told in events)
        )
        return Turned(
            height=commit.height,
            time_ms=commit.time_ms,
            before=None if is_there else self._before(task, commit.height),
            after=after,
        )

    def _before(self, task: int, height: Height) -> Sight | None:
        try:
            return self._sights.look(task, height=Height(height - 1))
        except HanseError:
            return None

    def _follow(self, task: int, events: Sequence[DecodedEvent], turned: Turned) -> None:
        if turned.before is not None and turned.before.running is not None:
            self._note_phase(task, turned.before.running.is_in)
        is_committed = False
        for told in events:
            number = _whole(told, "round")
            record = self._shelf.get(task, number) or RoundRecord(task=task, number=number)
            for sight in (turned.before, turned.after):
                record = record if sight is None else round_record.seen(record, sight)
            is_committed |= told.name == "ModelCommitted"
            if told.name == "PhaseEntered":
                entered = _PHASES[_whole(told, "phase")]
                phase = self._phases.get(task, entered)
                closing = Closing(
                    turned=turned, phase=phase, entered=entered, is_committed=is_committed
                )
                record = round_record.closed(record, closing)
                self._note_phase(task, entered)
            self._shelf.put(_moved(record, told, turned))


def _moved(record: RoundRecord, told: DecodedEvent, turned: Turned) -> RoundRecord:
    match told.name:
        case "AggregateSelected":
            weights = msgspec.convert(told.fields["weights"], tuple[int, ...])
            rung = _whole(told, "rung")
            return round_record.opened(record, rung=rung, weights=weights, height=turned.height)
        case "RoundEnded":
            running = turned.after.running
            is_shown = running is None or running.number == record.number
            last = turned.after if is_shown else turned.before
            return record if last is None else round_record.ended(record, last)
        case _:
            return record


def _is_move(commit: CommitExecuted) -> bool:
    return any(
        told.contract == ROUNDS and told.name in _MOVES
        for receipt in commit.receipts
        for told in receipt.events
    )


def _whole(told: DecodedEvent, name: str) -> int:
    value = told.fields[name]
    assert isinstance(value, int), "the contract says so"
    return value
