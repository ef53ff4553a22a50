"""Who took part in what, noted event by event; pure.

Guards: people, what is remembered of each, and of all together, are bounded; the oldest rounds,
payments and faults are forgotten, and then it says so. Events of one contract come in the order of
the chain; those of `reputation` and `disputes` after those of `rounds` of the same height, whose
rounds they fall into.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass, field
from typing import Final, TypeVar

from fl.rules.effects import Outcome, Purpose, Reason
from fl.rules.reputation import Fault
from node.federation.states import REASONS
from node.rpc.judgement import code_of
from node.rpc.judgement_money import fault_of, purpose_of
from node.rpc.schemas import Json, PlacedEvent

PEOPLE_MAX: Final = 20_000
ROUNDS_MAX: Final = 1_024
"""Of one participant in one task."""

PAYMENTS_MAX: Final = 512
FAULTS_MAX: Final = 256
TASKS_MAX: Final = 64
"""Of one participant."""

NOTES_MAX: Final = 262_144
"""Rounds, payments and faults of all participants: some 100 MB."""

SPANS_MAX: Final = 32_768
"""Rounds of all tasks whose place is remembered."""

DISPUTES_MAX: Final = 16_384
TITLES_MAX: Final = 4_096
HASHES_MAX: Final = 65_536
DISPUTE_STATES: Final = {3: "slashed", 4: "lifted"}
OPEN_ROUND: Final = "running"
ACCEPTED: Final = "accepted"
PENDING: Final = "pending"
_FAULT_OF: Final = {
    Reason.WITHHELD: Fault.WITHHELD_UPDATE,
    Reason.MALFORMED: Fault.MALFORMED,
    Reason.REPLAY: Fault.COPY,
    Reason.COPY: Fault.COPY,
}
"""Refusals that are faults; those that ask for stake are told a second time."""
_OUTCOMES: Final = tuple(Outcome)

T = TypeVar("T")
U = TypeVar("U")
Place = tuple[int, int, int]
EVER_AFTER: Final[Place] = (2**62, 0, 0)


@dataclass(slots=True)
class RoundNote:
    """A participant in a round."""

    number: int
    index: int | None = None
    verdict: str | None = None
    reputation: str | None = None
    paid: int = 0


@dataclass(slots=True)
class PaymentNote:
    """Money for a participant."""

    height: int
    amount: str
    purpose: str


@dataclass(slots=True)
class FaultSeen:
    """A fault, where it was told, and the request to slash that it led to."""

    code: str
    fault: str
    round: int
    basis_points: int
    place: Place
    dispute: int | None = None


@dataclass(slots=True)
class TaskNote:
    """A participant in a task."""

    rounds: dict[int, RoundNote] = field(default_factory=dict)
    payments: deque[PaymentNote] = field(default_factory=lambda: deque(maxlen=PAYMENTS_MAX))
    faults: deque[FaultSeen] = field(default_factory=lambda: deque(maxlen=FAULTS_MAX))
    is_complete: bool = True

    def round(self, number: int) -> RoundNote:
        """Return the note of a round, made if there is none."""
        note = self.rounds.get(number)
        if note is None:
            note = self.rounds[number] = RoundNote(number)
            if len(self.rounds) > ROUNDS_MAX:
                del self.rounds[next(iter(self.rounds))]
                self.is_complete = False
        return note

    def note_payment(self, payment: PaymentNote) -> None:
        """Remember a payment, and forget the oldest if there are too many."""
        self.is_complete &= len(self.payments) < PAYMENTS_MAX
        self.payments.append(payment)

    def note_fault(self, fault: FaultSeen) -> None:
        """Remember a fault, and forget the oldest if there are too many."""
        self.is_complete &= len(self.faults) < FAULTS_MAX
        self.faults.append(fault)

    def forget(self) -> None:
        """Forget the oldest of what there is most of."""
        self.is_complete = False
        if len(self.rounds) >= max(len(self.payments), len(self.faults)):
            del self.rounds[next(iter(self.rounds))]
        elif len(self.payments) >= len(self.faults):
            self.payments.popleft()
        else:
            self.faults.popleft()

    @property
    def size(self) -> int:
        """Return how much is remembered."""
        return len(self.rounds) + len(self.payments) + len(self.faults)


@dataclass(slots=True)
class Person:
    """A participant; the texts are those of the running identity.

    Attributes:
        is_complete: no task is left out.
    """

    address: str
    name: str = ""
    organisation: str = ""
    role: str = ""
    registered_at: int = 0
    updates: int = 0
    accepted: int = 0
    faults: int = 0
    tasks: dict[int, TaskNote] = field(default_factory=dict)
    is_complete: bool = True


@dataclass(slots=True)
class Span:
    """A round in the chain."""

    number: int
    begins: Place
    ends: Place = EVER_AFTER
    last: int = 0
    outcome: str = OPEN_ROUND
    version: int | None = None
    trainers: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class DisputeSeen:
    """A request to slash."""

    state: str
    until: int


class ParticipantLedger:
    """Notes events; asked by whoever shows them.

    Attributes:
        people: by address.
        titles: of tasks.
        models: task and version of each MODEL blob, by its id; 0 for what a task began with.
        roots: task and round of each UPDATE blob, by its id.
        disputes: by number.
        is_full: some people are left out.
    """

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.disputes: dict[int, DisputeSeen] = {}
        self.titles: dict[int, str] = {}
        self.models: dict[str, tuple[int, int]] = {}
        self.roots: dict[str, tuple[int, int]] = {}
        self.is_full = False
        self._spans: dict[int, list[Span]] = {}
        self._opened: deque[int] = deque()
        self._noted: deque[tuple[str, int]] = deque()

    def span(self, task: int, number: int) -> Span | None:
        """Return where a round stands; rounds of a task are opened one after the other."""
        spans = self._spans.get(task, [])
        place = bisect_left(spans, number, key=lambda span: span.number)
        return spans[place] if place < len(spans) and spans[place].number == number else None

    def note(self, told: PlacedEvent) -> None:
        """Note one event of a standard contract."""
        fields = told.event.fields
        if not isinstance(fields, dict):
            return
        match told.event.name:
            case "Published" | "Described":
                self.titles[int(fields["task"])] = fields["title"]
                _trim(self.titles, TITLES_MAX)
            case "Registered" | "Revoked":
                self._note_identity(told.event.name, fields)
            case "Paid":
                self._note_payment(fields, told)
            case "Noted":
                self._note_reputation(fields, told)
            case "Requested" | "Appealed" | "Ended":
                self._note_dispute(told.event.name, fields)
            case _ if "task" in fields and "round" in fields:
                self._note_round(told, fields)
            case _:
                pass

    def _person(self, address: str) -> Person:
        person = self.people.get(address)
        if person is None:
            person = Person(address)
            if len(self.people) < PEOPLE_MAX:
                self.people[address] = person
            else:
                self.is_full = True
        return person

    def _part(self, address: str, task: int) -> TaskNote:
        person = self._person(address)
        if task not in person.tasks and len(person.tasks) >= TASKS_MAX:
            person.is_complete = False
            return TaskNote()
        return person.tasks.setdefault(task, TaskNote())

    def _round(self, address: str, task: int, number: int) -> RoundNote:
        part = self._part(address, task)
        if number not in part.rounds:
            self._make_room(address, task)
        return part.round(number)

    def _make_room(self, address: str, task: int) -> None:
        """Forget the oldest note of all if one more would be too many."""
        person = self.people.get(address)
        if person is None or task not in person.tasks:
            # It is not kept.
            return
        self._noted.append((address, task))
        if len(self._noted) > NOTES_MAX:
            self._forget(*self._noted.popleft())

    def _forget(self, address: str, task: int) -> None:
        person = self.people[address]
        part = person.tasks.get(task)
        # It may have forgotten by itself.
        if part is not None and part.size:
            part.forget()
            if not part.size:
                del person.tasks[task]
                person.is_complete = False

    def _note_identity(self, name: str, fields: Json) -> None:
        person = self._person(fields["who"])
        if name == "Revoked":
            person.name = person.organisation = person.role = ""
            person.registered_at = 0
            return
        person.name, person.role = fields["name"], fields["role"]
        person.organisation, person.registered_at = fields["organisation"], int(fields["at"])

    def _note_round(self, told: PlacedEvent, fields: Json) -> None:
        task, number = int(fields["task"]), int(fields["round"])
        span = self.span(task, number)
        if span is None:
            span = self._open(task, Span(number, begins=place_of(told)))
        span.last = told.height
        match told.event.name:
            case "UpdateCommitted":
                self._note_update(task, span, fields)
            case "Anomaly":
                self._note_refusal(task, span, fields, told)
            case "SlashRequested":
                code, words = fault_of(int(fields["fault"]))
                points = int(fields["basis_points"])
                fault = FaultSeen(code, words, number, points, place_of(told))
                self._note_fault(fields["who"], task, fault)
            case "UpdateRevealed":
                self.roots[fields["root"]] = task, number
                _trim(self.roots, HASHES_MAX)
            case "ModelCommitted":
                span.version = int(fields["version"])
                self.models.setdefault(fields["parent"], (task, span.version - 1))
                self.models[fields["model"]] = task, span.version
                _trim(self.models, HASHES_MAX)
            case "RoundEnded":
                self._note_end(task, span, fields, told)
            case _:
                pass

    def _open(self, task: int, span: Span) -> Span:
        """Remember where a round begins, and forget the oldest of all if there are too many."""
        self._spans.setdefault(task, []).append(span)
        self._opened.append(task)
        if len(self._opened) > SPANS_MAX:
            oldest = self._opened.popleft()
            spans = self._spans[oldest]
            del spans[0]
            if not spans:
                del self._spans[oldest]
        return span

    def _note_update(self, task: int, span: Span, fields: Json) -> None:
        index, trainer = int(fields["index"]), fields["trainer"]
        span.trainers[index] = trainer
        note = self._round(trainer, task, span.number)
        note.index, note.verdict = index, PENDING
        self._person(trainer).updates += 1

    def _note_refusal(self, task: int, span: Span, fields: Json, told: PlacedEvent) -> None:
        number, trainer = int(fields["reason"]), fields["trainer"]
        reason = REASONS[number - 1] if 1 <= number <= len(REASONS) else None
        note = self._round(trainer, task, span.number)
        note.verdict = str(number) if reason is None else code_of(reason)
        fault = None if reason is None else _FAULT_OF.get(reason)
        if fault is not None:
            seen = FaultSeen(fault.name.lower(), fault.value, span.number, 0, place_of(told))
            self._note_fault(trainer, task, seen)

    def _note_fault(self, who: str, task: int, fault: FaultSeen) -> None:
        part = self._part(who, task)
        last = part.faults[-1] if part.faults else None
        if last is not None and last.round == fault.round and last.code == fault.code:
            # The refusal of a copy is followed by the request to slash for it: one fault.
            part.faults.pop()
        else:
            self._person(who).faults += 1
            self._make_room(who, task)
        part.note_fault(fault)

    def _note_end(self, task: int, span: Span, fields: Json, told: PlacedEvent) -> None:
        span.ends = place_of(told)
        number = int(fields["outcome"])
        span.outcome = _OUTCOMES[number - 1].value if 1 <= number <= len(_OUTCOMES) else "null"
        for index, trainer in span.trainers.items():
            note = self._round(trainer, task, span.number)
            if note.verdict == PENDING and note.index == index and span.version is not None:
                note.verdict = ACCEPTED
                self._person(trainer).accepted += 1
        span.trainers.clear()

    def _at(self, task: int, told: PlacedEvent) -> Span | None:
        """Return the round in which something was told that names none."""
        spans, place = self._spans.get(task, []), place_of(told)
        after = bisect_right(spans, place, key=lambda span: span.begins)
        span = spans[after - 1] if after else None
        # What ends a round is told after all that it settles.
        return span if span is not None and place <= span.ends else None

    def _note_payment(self, fields: Json, told: PlacedEvent) -> None:
        task, purpose = int(fields["task"]), purpose_of(told)
        who = fields["to"]
        part = self._part(who, task)
        self._make_room(who, task)
        part.note_payment(PaymentNote(told.height, fields["amount"], purpose))
        span = self._at(task, told)
        if span is not None and purpose == Purpose.VALIDATION.value:
            self._round(who, task, span.number).paid += int(fields["amount"])

    def _note_reputation(self, fields: Json, told: PlacedEvent) -> None:
        task = int(fields["task"])
        span = self._at(task, told)
        if span is not None:
            note = self._round(fields["who"], task, span.number)
            note.reputation = fields["reputation"]

    def _note_dispute(self, name: str, fields: Json) -> None:
        number = int(fields["number"])
        if name != "Requested":
            dispute = self.disputes.get(number)
            if dispute is not None:
                ended = int(fields.get("state", 0))
                dispute.state = DISPUTE_STATES.get(ended, "appealed")
                dispute.until = int(fields.get("until", dispute.until))
            return
        self.disputes[number] = DisputeSeen("waiting", int(fields["until"]))
        _trim(self.disputes, DISPUTES_MAX)
        code, _ = fault_of(int(fields["fault"]))
        part = self._part(fields["who"], int(fields["task"]))
        for fault in part.faults:
            if fault.dispute is None and (fault.code, fault.round) == (code, int(fields["round"])):
                fault.dispute = number
                return


def _trim(notes: dict[T, U], size_max: int) -> None:
    """Forget the oldest notes."""
    while len(notes) > size_max:
        del notes[next(iter(notes))]


def place_of(told: PlacedEvent) -> Place:
    """Return what orders events."""
    return told.height, told.receipt_index, told.event_index
