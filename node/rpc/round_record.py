"""What a node saw of a round beyond its events: scorecards, votes, reports, threshold and shares.

The state of the chain shows them while the round runs and is soon pruned, so whoever wants to
explain a round later must have looked. Pure: sights in, one record out.
"""

from typing import Final

import msgspec

from fl.rules.phase import Phase
from node.federation.sights import Running, SeenSeat, SeenUpdate, Sight
from primitives.ids import Address, Height

VOTES_SPLIT: Final = "no_quorum_of_votes"
FEW_REPORTS: Final = "no_quorum_of_reports"
REFUSED: Final = "refused"
COMMITTED: Final = "committed"
RUNNING: Final = "running"


class SeenRung(msgspec.Struct, frozen=True, kw_only=True):
    """One rung of the ladder.

    Args:
        weights: of all updates, Q16.
        height: at which it was chosen, None if this node was not there.
        votes: hash by seat, of those that voted.
        reports: changes by seat, of those that reported.
    """

    number: int
    weights: tuple[int, ...]
    height: Height | None
    votes: tuple[tuple[int, bytes], ...] = ()
    reports: tuple[tuple[int, tuple[int, ...]], ...] = ()
    result: str = RUNNING


class RoundRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One round as it was seen.

    Args:
        numbers: the newest sight of the running round, from SELECT on if there was one.
        attested: power behind each update.
        is_ended: nothing more will be seen.
        are_shares_known: the end was seen, so what each seat is paid for is the last word.
    """

    task: int
    number: int
    numbers: Running | None = None
    updates: tuple[SeenUpdate, ...] = ()
    attested: tuple[int, ...] = ()
    seats: tuple[SeenSeat, ...] = ()
    rungs: tuple[SeenRung, ...] = ()
    is_ended: bool = False
    are_shares_known: bool = True


class Turned(msgspec.Struct, frozen=True, kw_only=True):
    """A commit in which rounds of a task moved.

    Args:
        before: the sight before it, None if it is pruned.
        after: the sight after it.
    """

    height: Height
    time_ms: int
    before: Sight | None
    after: Sight


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """A phase that ended, and the one that was entered."""

    turned: Turned
    phase: Phase
    entered: Phase
    is_committed: bool


def seen(record: RoundRecord, sight: Sight) -> RoundRecord:
    """Return the record with what a sight of the same round shows."""
    running = sight.running
    if running is None or running.number != record.number:
        return record
    return msgspec.structs.replace(
        record, numbers=running, updates=sight.updates, attested=sight.attested, seats=sight.seats
    )


def opened(
    record: RoundRecord, *, rung: int, weights: tuple[int, ...], height: Height | None
) -> RoundRecord:
    """Return the record with a further rung."""
    if any(one.number == rung for one in record.rungs):
        return record
    added = SeenRung(number=rung, weights=weights, height=height)
    return msgspec.structs.replace(record, rungs=(*record.rungs, added))


def closed(record: RoundRecord, closing: Closing) -> RoundRecord:
    """Return the record with what was said in a phase that has ended."""
    if not record.rungs or closing.phase not in (Phase.AGGREGATE, Phase.GUARD):
        return record
    rung, seats = record.rungs[-1], _seats(closing)
    places = _speakers(closing, number=record.number, rung=rung.number)
    if closing.phase is Phase.AGGREGATE:
        result = RUNNING if closing.entered is Phase.GUARD else VOTES_SPLIT
        votes = tuple((place, seats[place].vote) for place in places)
        return _with_last(record, msgspec.structs.replace(rung, votes=votes, result=result))
    reports = tuple((place, seats[place].report) for place in places)
    quorum = 0 if record.numbers is None else record.numbers.quorum
    if closing.is_committed:
        result = COMMITTED
    else:
        has_quorum = sum(seats[place].power for place in places) >= quorum
        result = REFUSED if has_quorum else FEW_REPORTS
    return _with_last(record, msgspec.structs.replace(rung, reports=reports, result=result))


def spoken(record: RoundRecord, sight: Sight) -> RoundRecord:
    """Return the record with what was voted and reported so far at the rung that runs."""
    running = sight.running
    if running is None or running.is_in not in (Phase.AGGREGATE, Phase.GUARD):
        return record
    if not record.rungs or record.rungs[-1].number != running.rung:
        # This node was not there when it was chosen.
        weights = tuple(one.weight for one in sight.updates)
        record = opened(record, rung=running.rung, weights=weights, height=None)
    rung = msgspec.structs.replace(
        record.rungs[-1],
        votes=tuple((place, sight.seats[place].vote) for place in _bits(running.voted)),
        reports=tuple((place, sight.seats[place].report) for place in _bits(running.reported)),
    )
    return _with_last(record, rung)


def ended(record: RoundRecord, sight: Sight) -> RoundRecord:
    """Return the record of a round that ended with the commit of a sight, or with the one after.

    Updates, trust and shares stand in the state until the next round is opened; scorecards of
    seats that gave none in this round would be those of an earlier one, so they are not taken.
    """
    cards = {one.address: one.card for one in record.seats}
    seats = tuple(
        msgspec.structs.replace(one, card=cards.get(one.address, b"")) for one in sight.seats
    )
    return msgspec.structs.replace(
        record,
        updates=sight.updates,
        attested=sight.attested[: len(sight.updates)],
        seats=seats,
        is_ended=True,
        # All shares are fixed at once, some steps before the end.
        are_shares_known=sight.running is None or any(one.share or one.stored for one in seats),
    )


def _with_last(record: RoundRecord, rung: SeenRung) -> RoundRecord:
    return msgspec.structs.replace(record, rungs=(*record.rungs[:-1], rung))


def _seats(closing: Closing) -> tuple[SeenSeat, ...]:
    """Return the seats of the round whose phase ended: one that was opened since may have others.

    What they said stands in the state until it is said anew.
    """
    before, after = closing.turned.before, closing.turned.after
    if before is None or _panel(before) == _panel(after):
        return after.seats
    return before.seats


def _panel(sight: Sight) -> list[Address]:
    return [one.address for one in sight.seats]


def _speakers(closing: Closing, *, number: int, rung: int) -> list[int]:
    """Return who voted or reported at a rung of a round, whose bits may be cleared by now.

    A phase that ended before its deadline ended because everybody had spoken. Otherwise it is
    those who had before the commit, and those whose word is another one after it.
    """
    before, after = closing.turned.before, closing.turned.after
    if after.running is not None and _is_at(after.running, number=number, rung=rung):
        return _bits(_spoken_in(after.running, closing.phase))
    if before is None or before.running is None:
        return []
    if not _is_at(before.running, number=number, rung=rung):
        return []
    seats = _seats(closing)
    is_early = closing.turned.time_ms < before.running.deadline_ms
    if before.running.is_in is closing.phase and is_early and seats is after.seats:
        return list(range(len(seats)))
    pairs = enumerate(zip(before.seats, seats, strict=True))
    changed = [
        place
        for place, (old, new) in pairs
        if _word(old, closing.phase) != _word(new, closing.phase)
    ]
    return sorted({*_bits(_spoken_in(before.running, closing.phase)), *changed})


def _is_at(running: Running, *, number: int, rung: int) -> bool:
    return (running.number, running.rung) == (number, rung)


def _spoken_in(running: Running, phase: Phase) -> int:
    return running.voted if phase is Phase.AGGREGATE else running.reported


def _word(seat: SeenSeat, phase: Phase) -> object:
    return seat.vote if phase is Phase.AGGREGATE else seat.report


def _bits(mask: int) -> list[int]:
    return [place for place in range(mask.bit_length()) if mask >> place & 1]
