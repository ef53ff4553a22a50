"""Read the standard contracts: every question that duties, RPC and commands ask of them.

One answer may take several views. A reader that is bound to a height answers all of them from one
state; one that is not asks the newest, which may move between two views of another thread.
"""

from collections.abc import Sequence
from typing import ClassVar, Final, Protocol, Self, TypeVar

import msgspec

from fl.rules.phase import Phase
from node.federation.calls import DISPUTES, IDENTITY, REGISTRY, ROUNDS, TASKS
from node.federation.states import (
    REASONS,
    CatalogueEntry,
    Dispute,
    IdentityState,
    ModelRecord,
    RoundState,
    SeatState,
    Standing,
    TaskState,
    TermsState,
    UpdateState,
    Vesting,
)
from node.vm.abi import PythonValue
from primitives.errors import HanseError
from primitives.ids import Address, Grain, Height, Power, TimestampMs

T = TypeVar("T")

PAGE_SIZE_MAX: Final = 64
"""What the catalogue shows at a time."""

ATTESTED: Final = 0
HELD: Final = 1
"""Lists of `numbers_of`: the power behind each update, and which updates each seat holds."""

_PHASES: Final = tuple(Phase)


class NoSuchTaskError(HanseError):
    """Report a task number that nobody has created."""

    code: ClassVar[str] = "no_such_task"


class ForeignContractError(HanseError):
    """Report a contract whose answer this program cannot read: it is of another version."""

    code: ClassVar[str] = "foreign_contract"


class ViewCaller(Protocol):
    """What runs the views of a contract."""

    def call(
        self,
        contract: Address,
        method: str,
        /,
        *arguments: PythonValue,
        height: Height | None = None,
    ) -> PythonValue:
        """Return what a view returns, in the state of a height or the newest."""
        ...


class FederationReader:
    """The standard contracts of one chain."""

    def __init__(self, caller: ViewCaller, *, height: Height | None = None) -> None:
        self._caller = caller
        self._height = height

    def at(self, height: Height | None) -> Self:
        """Return a reader of the state at a height, None: of the newest."""
        return type(self)(self._caller, height=height)

    def task_count(self) -> int:
        """Return how many tasks there are; their numbers begin at 0."""
        return self._ask(ROUNDS, "task_count", kind=int)

    def task(self, task: int) -> TaskState:
        """Return one task.

        Raises:
            NoSuchTaskError: there is none of this number.
        """
        self._check_task(task)
        return self._ask(ROUNDS, "task_of", task, kind=TaskState)

    def terms(self, task: int) -> TermsState:
        """Return what a task promises.

        Raises:
            NoSuchTaskError: there is none of this number.
        """
        self._check_task(task)
        return self._ask(ROUNDS, "terms_of", task, kind=TermsState)

    def round(self, task: int) -> RoundState | None:
        """Return the round that runs, None between two.

        Raises:
            NoSuchTaskError: there is no such task.
        """
        self._check_task(task)
        raw = self._find(ROUNDS, "round_of", task, kind=_Round)
        return None if raw is None else self._assembled(task, raw)

    def card(self, task: int, seat: int) -> bytes:
        """Return the scorecard that a seat revealed last."""
        return self._ask(ROUNDS, "card_of", task, seat, kind=bytes)

    def standing(self, task: int, who: Address) -> Standing:
        """Return what a task remembers of an account at its present registration."""
        at = self.registered_at(who)
        return self._ask(ROUNDS, "standing_of", task, who, at, kind=Standing)

    def vesting(self, task: int, who: Address) -> Vesting:
        """Return what a task owes an account at its present registration."""
        at = self.registered_at(who)
        return self._ask(ROUNDS, "vesting_of", task, who, at, kind=Vesting)

    def latest_version(self, task: int) -> int:
        """Return the newest version of a model; 0: as the task began."""
        return self._ask(REGISTRY, "latest_version", task, kind=int)

    def model(self, task: int, version: int) -> ModelRecord | None:
        """Return a version from 1 on, None if it was never made."""
        return self._find(REGISTRY, "model", task, version, kind=ModelRecord)

    def registered_at(self, who: Address) -> Height:
        """Return the height of the registration of an account, 0 without one."""
        return self._ask(IDENTITY, "registered_at", who, kind=Height)

    def identity(self, who: Address) -> IdentityState:
        """Return who an account is."""
        return IdentityState(
            address=who,
            name=self.name_of(who),
            role=self._ask(IDENTITY, "role_of", who, kind=str),
            organisation=self._ask(IDENTITY, "organisation_of", who, kind=str),
            registered_at=self.registered_at(who),
            roles=self.roles(who),
            keys=self._ask(IDENTITY, "keys_of", who, kind=tuple[bytes, ...]),
        )

    def name_of(self, who: Address) -> str:
        """Return the name of an account, empty without an identity."""
        return self._ask(IDENTITY, "name_of", who, kind=str)

    def roles(self, who: Address) -> tuple[str, ...]:
        """Return what a token of an account may claim."""
        return self._ask(IDENTITY, "roles_of", who, kind=tuple[str, ...])

    def owner_of(self, name: str) -> Address | None:
        """Return who bears a name."""
        return self._find(IDENTITY, "owner_of", name, kind=Address)

    def holder_of(self, key: bytes) -> Address | None:
        """Return whose key it is for signing in."""
        return self._find(IDENTITY, "holder_of", key, kind=Address)

    def catalogue_entry(self, task: int) -> CatalogueEntry | None:
        """Return what people are told about a task, None if nothing."""
        return self._find(TASKS, "find", task, kind=CatalogueEntry)

    def catalogue(self, *, first: int = 0, size: int = PAGE_SIZE_MAX) -> tuple[int, ...]:
        """Return task numbers in the order of their publication, a page at a time."""
        return self._ask(TASKS, "page", first, min(size, PAGE_SIZE_MAX), kind=tuple[int, ...])

    def dispute_count(self) -> int:
        """Return how many requests to slash there were."""
        return self._ask(DISPUTES, "request_count", kind=int)

    def dispute(self, number: int) -> Dispute | None:
        """Return a request to slash, None if there is none of this number."""
        return self._find(DISPUTES, "find", number, kind=Dispute)

    def _check_task(self, task: int) -> None:
        count = self.task_count()
        if not 0 <= task < count:
            raise NoSuchTaskError(f"there is no task {task}: {count} tasks were created")

    def _assembled(self, task: int, raw: "_Round") -> RoundState:
        attested = self._ask(ROUNDS, "numbers_of", task, ATTESTED, kind=tuple[Power, ...])
        updates = self._ask(ROUNDS, "updates_of", task, kind=tuple[_Update, ...])
        return RoundState(
            task=task,
            number=raw.number,
            phase=_PHASES[raw.phase],
            deadline_ms=raw.deadline_ms,
            quorum=raw.quorum,
            pot=raw.pot,
            rung=raw.rung,
            aggregate=raw.aggregate or None,
            is_committed=raw.is_committed,
            updates=tuple(
                _update(index, one, raw=raw, attested=attested[index])
                for index, one in enumerate(updates)
            ),
            seats=tuple(self._seats(task, raw)),
        )

    def _seats(self, task: int, raw: "_Round") -> Sequence[SeatState]:
        panel = self._ask(ROUNDS, "panel_of", task, kind=Panel)
        held = self._ask(ROUNDS, "numbers_of", task, HELD, kind=tuple[int, ...])
        return [
            _seat(
                index,
                self._ask(ROUNDS, "seat_at", task, index, kind=_Seat),
                raw=raw,
                panel=panel,
                held=held[index],
            )
            for index in range(raw.seats)
        ]

    def _ask(self, contract: Address, method: str, *arguments: PythonValue, kind: type[T]) -> T:
        found = self._caller.call(contract, method, *arguments, height=self._height)
        return read_answer(found, method=method, kind=kind)

    def _find(
        self, contract: Address, method: str, *arguments: PythonValue, kind: type[T]
    ) -> T | None:
        found = self._caller.call(contract, method, *arguments, height=self._height)
        return None if found is None else read_answer(found, method=method, kind=kind)


class _Round(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    phase: int
    deadline_ms: TimestampMs
    seats: int
    quorum: Power
    pot: Grain
    rung: int
    aggregate: bytes
    revealed: int
    promised: int
    carded: int
    voted: int
    reported: int
    is_committed: bool


class _Update(msgspec.Struct, frozen=True, kw_only=True):
    trainer: Address
    registered_at: Height
    commitment: bytes
    committed_at: Height
    bond: Grain
    root: bytes
    is_judged: bool
    score: int
    norm: int
    original: int
    cluster: int
    reason: int
    weight: int
    gain: int


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """Who has a seat in a round, and with how much power."""

    addresses: tuple[Address, ...]
    powers: tuple[Power, ...]


class _Seat(msgspec.Struct, frozen=True, kw_only=True):
    commitment: bytes
    vote: bytes
    report: tuple[int, ...]


def read_answer(found: PythonValue, *, method: str, kind: type[T]) -> T:
    """Return what a view answered as what it should be.

    Raises:
        ForeignContractError: it is something else.
    """
    try:
        return msgspec.convert(found, type=kind)
    except msgspec.ValidationError as error:
        raise ForeignContractError(f"{method} answers what we cannot read: {error}") from error


def _update(index: int, one: _Update, *, raw: _Round, attested: Power) -> UpdateState:
    # A slot keeps what an earlier round left there, until this round writes to it.
    return UpdateState(
        index=index,
        trainer=one.trainer,
        registered_at=one.registered_at,
        commitment=one.commitment,
        committed_at=one.committed_at,
        bond=one.bond,
        root=one.root if raw.revealed >> index & 1 else None,
        attested=attested,
        is_available=attested >= raw.quorum,
        is_judged=one.is_judged,
        score=one.score,
        norm=one.norm,
        original=one.original,
        cluster=one.cluster,
        reason=REASONS[one.reason - 1] if one.reason else None,
        weight=one.weight,
        gain=one.gain,
    )


def _seat(index: int, one: _Seat, *, raw: _Round, panel: Panel, held: int) -> SeatState:
    has_voted, has_reported = raw.voted >> index & 1, raw.reported >> index & 1
    return SeatState(
        index=index,
        address=panel.addresses[index],
        power=panel.powers[index],
        held=held,
        has_committed=bool(raw.promised >> index & 1),
        commitment=one.commitment if raw.promised >> index & 1 else b"",
        has_revealed=bool(raw.carded >> index & 1),
        vote=one.vote if has_voted else None,
        report=one.report if has_reported else None,
    )
