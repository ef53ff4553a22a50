"""Where the money of a round went, seat by seat and in all, and whose stake it asked for; pure."""

from collections.abc import Sequence
from typing import Final

from fl.rules.effects import Outcome, Purpose
from fl.rules.reputation import Fault
from fl.rules.rewards import Merit, Reward, split, trainer_reward
from node.federation.sights import SeenUpdate
from node.rpc.judgement_case import Case
from node.rpc.judgement_schemas import Judge, JudgedUpdate, Money, Payment, SlashWanted
from node.rpc.schemas import PlacedEvent
from node.rpc.texts import address_text
from primitives.order import mul_div_floor

FAULTS: Final = tuple(Fault)
PURPOSES: Final = tuple(Purpose)


def reward_of(case: Case, update: SeenUpdate) -> Reward | None:
    """Return what an update earned in a round that committed, None if that is not known."""
    numbers = case.numbers
    if case.history.outcome != Outcome.COMMITTED.value or numbers is None:
        return None
    return trainer_reward(
        split(case.terms.reward).trainers,
        Merit(update.weight, update.gain, update.sharers),
        gain_total=numbers.gain_total,
        percent_max=case.terms.identity_percent,
    )


def show_seats(case: Case) -> list[Judge]:
    """Return every seat, with what it was paid for."""
    record = case.record
    seats = () if record is None else record.seats
    pots = split(case.terms.reward)
    share_total = sum(one.share for one in seats)
    stored_total = sum(one.stored for one in seats)
    is_paid = _are_shares_known(case)
    found = []
    for place, seat in enumerate(seats):
        stored = _part(pots.storage, seat.stored, stored_total)
        worth = stored + _part(pots.validators, seat.share, share_total)
        found.append(
            Judge(
                seat=place,
                validator=address_text(seat.address),
                power=str(seat.power),
                held=tuple(bit for bit in range(seat.held.bit_length()) if seat.held >> bit & 1),
                has_revealed=bool(seat.card),
                trust=str(seat.trust),
                paid=str(worth) if is_paid else None,
                paid_storage=str(stored) if is_paid else None,
            )
        )
    return found


def _are_shares_known(case: Case) -> bool:
    record = case.record
    return record is not None and record.is_ended and record.are_shares_known


def _part(pot: int, share: int, total: int) -> int:
    return mul_div_floor(pot, share, total) if total else 0


def show_money(case: Case, updates: Sequence[JudgedUpdate]) -> Money:
    """Return where the reward went; what is paid or burned is a sum only if all of it was read."""
    payments = [_payment(one) for one in case.told if one.event.name == "Paid"]
    # A claim of what vested earlier may fall into the round, and is none of its money.
    own = [one for one in payments if one.purpose in ("validation", "bond")]
    is_known = case.record is not None and case.history.outcome != "running"
    trainers = _sum([one.earned for one in updates]) if is_known else None
    validators = burned = bonds = returned = None
    if case.is_told_whole:
        validators = _sum([one.amount for one in own if one.purpose == "validation"])
        bonds = _sum([one.amount for one in own if one.purpose == "bond"])
        burned = _sum([one.event.fields["amount"] for one in case.told if _is_burning(one)])
    if trainers is not None and validators is not None:
        returned = _returned(case, trainers + validators)
    storage = _sum([one.paid_storage for one in show_seats(case)])
    return Money(
        reward=str(case.terms.reward),
        trainers=_text(trainers),
        validators=_text(validators),
        storage=_text(storage) if _are_shares_known(case) else None,
        burned=_text(burned),
        bonds=_text(bonds),
        returned=returned,
        payments=tuple(own),
    )


def _payment(paid: PlacedEvent) -> Payment:
    return Payment(
        to=str(paid.event.fields["to"]),
        amount=str(paid.event.fields["amount"]),
        purpose=purpose_of(paid),
        height=paid.height,
    )


def _is_burning(one: PlacedEvent) -> bool:
    return one.event.name == "Burned"


def _sum(amounts: Sequence[str | None]) -> int | None:
    """Return a sum, None if a part of it is not known."""
    known = [int(one) for one in amounts if one is not None]
    return sum(known) if len(known) == len(amounts) else None


def _text(amount: int | None) -> str | None:
    return None if amount is None else str(amount)


def _returned(case: Case, spent: int) -> str | None:
    """Return what went back to the escrow: the reward less what was earned, paid or capped."""
    if case.record is None:
        return None
    capped = 0
    for update in case.record.updates:
        reward = reward_of(case, update) if update.is_judged and not update.reason else None
        capped += 0 if reward is None else reward.burned
    return str(max(0, case.terms.reward - spent - capped))


def purpose_of(paid: PlacedEvent) -> str:
    """Return what a payment is for."""
    number = int(paid.event.fields["purpose"])
    return PURPOSES[number - 1].value if 1 <= number <= len(PURPOSES) else str(number)


def show_slashes(case: Case) -> list[SlashWanted]:
    """Return whose stake the round asked for."""
    found = []
    for one in case.history.events:
        if one.event.name == "SlashRequested":
            code, fault = fault_of(int(one.event.fields["fault"]))
            found.append(
                SlashWanted(
                    who=str(one.event.fields["who"]),
                    code=code,
                    fault=fault,
                    basis_points=int(one.event.fields["basis_points"]),
                    height=one.height,
                )
            )
    return found


def fault_of(number: int) -> tuple[str, str]:
    """Return the stable word for a fault, and what people read."""
    if not 1 <= number <= len(FAULTS):
        return str(number), ""
    return FAULTS[number - 1].name.lower(), FAULTS[number - 1].value
