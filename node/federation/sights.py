"""Everything that `rounds` shows of a task's last round at one height, read in one go.

`FederationReader.round` tells what a duty needs; this is for who explains a round: threshold and
median, what each seat revealed, voted and reported, and what each was paid for. A slot keeps what
an earlier round left there until it is written again, so what a seat said counts by its bit.
"""

from typing import Final, TypeVar

import msgspec

from fl.rules.phase import Phase
from node.federation.calls import ROUNDS
from node.federation.views import ATTESTED, HELD, Panel, ViewCaller, read_answer
from primitives.ids import Address, Height, Power, TimestampMs

T = TypeVar("T")

_TRUST: Final = 2
_SHARE: Final = 4
_STORED: Final = 5
_PHASES: Final = tuple(Phase)


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """The round itself, while it runs; bits count from the first update or seat.

    Args:
        phase: its place among the phases.
        level: what a good update gained; 0 before SELECT, as threshold and median.
        gain_total: of the accepted, by which the rest of the trainers' pot is split.
    """

    number: int
    phase: int
    deadline_ms: TimestampMs
    power: Power
    quorum: Power
    rung: int
    level: int
    threshold: int
    median: int
    gain_total: int
    aggregate: bytes
    revealed: int
    promised: int
    carded: int
    voted: int
    reported: int
    is_committed: bool

    @property
    def is_in(self) -> Phase:
        """Return the phase."""
        return _PHASES[self.phase]


class SeenUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """One update; `reason` counts from 1, and 0 is none."""

    trainer: Address
    registered_at: Height
    committed_at: Height
    root: bytes
    is_judged: bool
    score: int
    band: int
    norm: int
    original: int
    cluster: int
    reason: int
    weight: int
    gain: int
    sharers: int


class SeenSeat(msgspec.Struct, frozen=True, kw_only=True):
    """What a seat said last; `card` is empty if it revealed none in this round."""

    address: Address
    power: Power
    held: int
    trust: int
    share: int
    stored: int
    vote: bytes
    report: tuple[int, ...]
    card: bytes


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """A task's last round at one height.

    Args:
        running: None between two rounds.
        attested: power behind each update.
    """

    running: Running | None
    updates: tuple[SeenUpdate, ...]
    attested: tuple[Power, ...]
    seats: tuple[SeenSeat, ...]


class _Seat(msgspec.Struct, frozen=True, kw_only=True):
    vote: bytes
    report: tuple[int, ...]


class Sights:
    """Looks at the rounds of one chain; reads the chain, so ask it in a thread."""

    def __init__(self, caller: ViewCaller) -> None:
        self._caller = caller

    def look(self, task: int, *, height: Height | None = None) -> Sight:
        """Return the last round of a task at a height, or now.

        Raises:
            HanseError: there is no such contract, task or height.
        """

        def ask(method: str, *arguments: int, kind: type[T]) -> T:
            found = self._caller.call(ROUNDS, method, task, *arguments, height=height)
            return read_answer(found, method=method, kind=kind)

        # Without one the contract answers none, which no struct is.
        found = self._caller.call(ROUNDS, "round_of", task, height=height)
        running = None if found is None else read_answer(found, method="round_of", kind=Running)
        panel = ask("panel_of", kind=Panel)
        held = ask("numbers_of", HELD, kind=tuple[int, ...])
        trust = ask("numbers_of", _TRUST, kind=tuple[int, ...])
        share = ask("numbers_of", _SHARE, kind=tuple[int, ...])
        stored = ask("numbers_of", _STORED, kind=tuple[int, ...])
        seats = []
        for place, (address, power) in enumerate(zip(panel.addresses, panel.powers, strict=True)):
            said = ask("seat_at", place, kind=_Seat)
            is_carded = running is None or running.carded >> place & 1 == 1
            seats.append(
                SeenSeat(
                    address=address,
                    power=power,
                    held=held[place],
                    trust=trust[place],
                    share=share[place],
                    stored=stored[place],
                    vote=said.vote,
                    report=said.report,
                    card=ask("card_of", place, kind=bytes) if is_carded else b"",
                )
            )
        return Sight(
            running=running,
            updates=ask("updates_of", kind=tuple[SeenUpdate, ...]),
            attested=ask("numbers_of", ATTESTED, kind=tuple[Power, ...]),
            seats=tuple(seats),
        )
