"""Who takes part: an index of the events of the standard contracts that grows as it is asked.

Guards: one question reads so many events at most, page by page, and no state stays open from one
page to the next; the next question goes on from there. Belongs to the reader threads; a lock keeps
them apart.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from fl.rules.reputation import INITIAL
from fl.rules.rewards import Merit, split, trainer_reward
from node.federation.calls import DISPUTES, IDENTITY, REPUTATION, ROUNDS, TASKS
from node.federation.sights import SeenUpdate
from node.federation.states import TermsState
from node.federation.views import FederationReader
from node.ledger.staking.parameters import StakingParameters
from node.ledger.staking.records import Members, Validator
from node.ledger.staking.records import Offence as Crime
from node.ledger.staking.tables import find_validator, read_roster, read_rounds
from node.rpc.context import NodeContext
from node.rpc.errors import NotFoundError, UnavailableError
from node.rpc.offence_search import OffenceSearch
from node.rpc.participant_ledger import (
    ACCEPTED,
    FaultSeen,
    ParticipantLedger,
    Person,
    RoundNote,
    Span,
)
from node.rpc.participant_schemas import (
    DisputeNote,
    FaultNote,
    Offence,
    PartHistory,
    Participant,
    Participants,
    Reward,
    RoundPart,
    Tenure,
)
from node.rpc.round_record import RoundRecord
from node.rpc.texts import account_text, address_text, parse_address
from node.rpc.told import PAGE_EVENTS, PAGES_MAX, Told
from primitives.ids import Address, Height

if TYPE_CHECKING:
    from node.chain.index import EventPlace

ROUNDS_SHOWN_MAX: Final = 200
_CONTRACTS: Final = (IDENTITY, TASKS, ROUNDS, REPUTATION, DISPUTES)
"""Those that tell of rounds before those that fall into them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the events tell of a text.

    Args:
        model: task and version, if it is the id of a model.
        update: task and round, if it is the id of an update.
        titled: tasks whose title has it, with their titles.
    """

    model: tuple[int, int] | None
    update: tuple[int, int] | None
    titled: list[tuple[int, str]]


class ParticipantIndex:
    """The participants of one chain.

    Every question raises UnavailableError as long as there is more to read than it may.
    """

    def __init__(
        self, context: NodeContext, *, pages_max: int = PAGES_MAX, page_events: int = PAGE_EVENTS
    ) -> None:
        self._context = context
        self._pages_max = pages_max
        self._page_events = page_events
        self._ledger = ParticipantLedger()
        self._after: dict[Address, EventPlace] = {}
        self._last = Height(0)
        self._unread: list[Address] = []
        self._addresses: dict[str, Address] = {}
        self._offences = OffenceSearch(context.chain)
        self._lock = threading.Lock()

    def page(self, *, after: Address | None, limit: int) -> Participants:
        """Return participants in the order of their addresses."""
        self._read_on()
        with self._lock:
            tenures = self._tenures()
            known = {*map(self._raw, self._ledger.people), *tenures}
            addresses = sorted(one for one in known if after is None or one > after)
            shown = [self._shown(one, tenures.get(one)) for one in addresses[:limit]]
            is_complete = len(addresses) <= limit and not self._ledger.is_full
        return Participants(count=len(known), participants=tuple(shown), is_complete=is_complete)

    def one(self, address: Address) -> Participant:
        """Return one participant.

        Raises:
            NotFoundError: it never took part.
        """
        self._read_on()
        with self._lock:
            tenure = self._tenures().get(address)
            if tenure is None and address_text(address) not in self._ledger.people:
                raise self._nobody(None, "never took part here")
            shown = self._shown(address, tenure)
        # Not under the lock: to look for a proof takes up to a second, once.
        return self._proven(address, shown)

    def named(self, part: str, *, limit: int) -> list[Participant]:
        """Return participants whose name or organisation has a part, up to a limit."""
        self._read_on()
        with self._lock:
            found = (
                person
                for person in self._ledger.people.values()
                if part in person.name or part in person.organisation
            )
            return [
                self._shown(self._raw(person.address), None)
                for _, person in zip(range(limit), found, strict=False)
            ]

    def found(self, text: str) -> Found:
        """Return what the events tell of a hash or of words, in small letters."""
        self._read_on()
        with self._lock:
            ledger = self._ledger
            titled = [
                (task, title) for task, title in ledger.titles.items() if text in title.casefold()
            ]
            return Found(
                model=ledger.models.get(text), update=ledger.roots.get(text), titled=titled
            )

    def history(self, address: Address, task: int, *, federation: FederationReader) -> PartHistory:
        """Return what a participant did in a task.

        Raises:
            NoSuchTaskError: there is no such task.
            NotFoundError: it took no part in it.
        """
        terms = federation.terms(task)
        text = address_text(address)
        self._read_on()
        with self._lock:
            person = self._ledger.people.get(text)
            part = None if person is None else person.tasks.get(task)
            if part is None:
                raise self._nobody(person, f"took no part in task {task}")
            rounds = [
                note
                for number, note in sorted(part.rounds.items())
                if self._ledger.span(task, number) is not None
            ]
            shown = rounds[-ROUNDS_SHOWN_MAX:]
            return PartHistory(
                address=text,
                task=task,
                initial_reputation=str(INITIAL),
                rounds=tuple(self._round(note, task, address, terms) for note in shown),
                rewards=tuple(
                    Reward(
                        height=one.height,
                        time_ms=self._time_at(one.height),
                        amount=one.amount,
                        purpose=one.purpose,
                    )
                    for one in part.payments
                ),
                faults=tuple(map(self._fault, part.faults)),
                is_complete=part.is_complete and len(shown) == len(part.rounds),
            )

    def _raw(self, text: str) -> Address:
        known = self._addresses.get(text)
        if known is None:
            known = self._addresses[text] = parse_address(text)
        return known

    def _nobody(self, person: Person | None, words: str) -> NotFoundError:
        is_known = not self._ledger.is_full if person is None else person.is_complete
        full = "" if is_known else "; but the index is full, and some are left out"
        return NotFoundError(f"this address {words}{full}")

    def _read_on(self) -> None:
        """Note the events that came since the last question.

        Raises:
            UnavailableError: there are more than one question reads.
        """
        head = self._context.chain.head.height
        for _ in range(self._pages_max):
            # Not over all pages: another question need not wait for them.
            with self._lock:
                if not self._unread:
                    if self._last >= head:
                        return
                    # All contracts up to one height: what falls into a round comes after it.
                    self._last, self._unread = head, list(_CONTRACTS)
                self._read_page(self._unread[0])
        with self._lock:
            if self._unread or self._last < head:
                raise UnavailableError("the node still reads the events of its chain: ask again")

    def _read_page(self, contract: Address) -> None:
        told = Told(
            chain=self._context.chain,
            contract=contract,
            last=self._last,
            page_events=self._page_events,
        )
        page = next(told.pages(self._after.get(contract)))
        for one in page.shown:
            self._ledger.note(one)
        if page.end is not None:
            self._after[contract] = page.end
        if page.is_last:
            self._unread.remove(contract)

    def _tenures(self) -> dict[Address, Tenure]:
        chain = self._context.chain
        members = chain.members()
        with chain.view() as state:
            attended = read_rounds(state)
            found = [find_validator(state, operator) for operator in read_roster(state)]
        return {
            Address(one.operator): _tenure(
                one, members, attended, parameters=chain.parameters.staking
            )
            for one in found
            if one is not None
        }

    def _proven(self, operator: Address, shown: Participant) -> Participant:
        """Return a participant with what proves its offences, where it is kept."""
        tenure = shown.validator
        if tenure is None or not tenure.offences:
            return shown
        offences = tuple(
            msgspec.structs.replace(
                one, evidence=self._offences.evidence(operator, Crime[one.code.upper()])
            )
            for one in tenure.offences
        )
        tenure = msgspec.structs.replace(tenure, offences=offences)
        return msgspec.structs.replace(shown, validator=tenure)

    def _shown(self, address: Address, tenure: Tenure | None) -> Participant:
        text = account_text(address) if tenure is not None else address_text(address)
        person = self._ledger.people.get(text) or Person(text)
        return Participant(
            address=text,
            name=person.name,
            organisation=person.organisation,
            role=person.role,
            registered_at=person.registered_at,
            validator=tenure,
            tasks=tuple(sorted(person.tasks)),
            updates=person.updates,
            accepted=person.accepted,
            faults=person.faults + (0 if tenure is None else len(tenure.offences)),
        )

    def _round(self, note: RoundNote, task: int, who: Address, terms: TermsState) -> RoundPart:
        span = self._ledger.span(task, note.number)
        record = (
            None if self._context.rounds is None else self._context.rounds.find(task, note.number)
        )
        seen = None if record is None or note.index is None else _seen(record, note.index, who)
        is_judged = seen is not None and seen.is_judged
        return RoundPart(
            round=note.number,
            height=0 if span is None else span.last,
            time_ms=None if span is None else self._time_at(span.last),
            outcome="null" if span is None else span.outcome,
            reputation=note.reputation,
            verdict=note.verdict,
            score=str(seen.score) if seen and is_judged else None,
            weight=str(seen.weight) if seen and is_judged else None,
            gain=str(seen.gain) if seen and is_judged else None,
            earned=_earned(note, span, record=record, seen=seen, terms=terms),
            paid=str(note.paid),
        )

    def _fault(self, seen: FaultSeen) -> FaultNote:
        dispute = None if seen.dispute is None else self._ledger.disputes.get(seen.dispute)
        height, receipt_index, event_index = seen.place
        return FaultNote(
            code=seen.code,
            fault=seen.fault,
            round=seen.round,
            basis_points=seen.basis_points,
            height=height,
            receipt_index=receipt_index,
            event_index=event_index,
            dispute=None
            if dispute is None or seen.dispute is None
            else DisputeNote(number=seen.dispute, state=dispute.state, until=dispute.until),
        )

    def _time_at(self, height: int) -> int | None:
        record = self._context.chain.record_at(Height(height))
        return None if record is None else record.time_ms


def _tenure(
    validator: Validator,
    members: Members,
    attended: tuple[int, ...],
    *,
    parameters: StakingParameters,
) -> Tenure:
    seats = [seat for seat, one in enumerate(members) if one.operator == validator.operator]
    seat = seats[0] if seats else None
    is_counted = seat is not None and seat < len(attended)
    return Tenure(
        standing=validator.standing.name.lower(),
        seat=seat,
        power=0 if seat is None else members[seat].power,
        stake=str(validator.tokens),
        rounds_attended=attended[seat] if seat is not None and is_counted else 0,
        rounds_most=max(attended, default=0),
        absences=validator.absences,
        release_epoch=validator.release_epoch,
        offences=tuple(_offences(validator, parameters)),
    )


def _offences(validator: Validator, parameters: StakingParameters) -> Iterator[Offence]:
    costs = {
        Crime.EQUIVOCATION: parameters.slash_equivocation_bp,
        Crime.CONFLICTING_VOTES: parameters.slash_conflict_bp,
    }
    paid = 0
    for crime in validator.offences:
        yield Offence(
            code=crime.name.lower(), basis_points=max(0, costs[crime] - paid), evidence=None
        )
        paid = max(paid, costs[crime])


def _seen(record: RoundRecord, index: int, who: Address) -> SeenUpdate | None:
    update = record.updates[index] if index < len(record.updates) else None
    return update if update is not None and update.trainer == who else None


def _earned(
    note: RoundNote,
    span: Span | None,
    *,
    record: RoundRecord | None,
    seen: SeenUpdate | None,
    terms: TermsState,
) -> str | None:
    if note.verdict is None or span is None or span.outcome == "running":
        return None
    if note.verdict != ACCEPTED:
        return "0"
    if record is None or record.numbers is None or seen is None:
        return None
    reward = trainer_reward(
        split(terms.reward).trainers,
        Merit(seen.weight, seen.gain, seen.sharers),
        gain_total=record.numbers.gain_total,
        percent_max=terms.identity_percent,
    )
    return str(reward.earned)
