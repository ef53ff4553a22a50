"""Explain a round from what its events told and what this node saw of it; pure.

Everything is recomputed from what validators revealed: medians by power, groups of equal facts,
the guard's medians, what each update earned. What was not seen is None and never guessed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from fl.rules import scorecard
from fl.rules.effects import Outcome, Reason
from node.federation.sights import SeenUpdate
from node.federation.states import REASONS
from node.rpc.judgement_case import Case
from node.rpc.judgement_money import reward_of, show_money, show_seats, show_slashes
from node.rpc.judgement_rungs import show_rungs
from node.rpc.judgement_schemas import Cause, JudgedUpdate, Judgement, Opinion
from node.rpc.schemas import Json
from node.rpc.texts import address_text
from primitives.order import weighted_median

VERDICTS: Final = ("valid", "malformed", "replay")
_BURNING: Final = frozenset({"withheld", "malformed", "copy", "replay"})


def judge(case: Case) -> Judgement:
    """Return why the round ended as it did, or stands as it does."""
    history, numbers = case.history, case.numbers
    updates = _updates(case)
    is_threshold_known = numbers is not None and case.is_selected and case.is_scored
    clips = [str(fields["clip"]) for fields in case.named("RoundOpened")]
    model = history.model
    return Judgement(
        task=history.task,
        round=history.number,
        outcome=history.outcome,
        phase=history.phases[-1].phase if history.outcome == "running" and history.phases else None,
        source="events" if case.record is None else "seen",
        clip=clips[0] if clips else None,
        quorum=None if numbers is None else str(numbers.quorum),
        power=None if numbers is None else str(numbers.power),
        threshold=str(numbers.threshold) if numbers and is_threshold_known else None,
        median=str(numbers.median) if numbers and is_threshold_known else None,
        level=str(numbers.level) if numbers and is_threshold_known else None,
        seats=tuple(show_seats(case)),
        updates=tuple(updates),
        displaced=tuple(
            str(fields["trainer"])
            for fields in case.named("Anomaly")
            if _reason_code(fields) == "displaced"
        ),
        guard_names=case.guard_names,
        guard_bounds=tuple(map(str, case.terms.guard_bounds)),
        rungs=show_rungs(case.record, history, bounds=case.terms.guard_bounds),
        money=show_money(case, updates),
        slashes=tuple(show_slashes(case)),
        version=None if model is None else model.version,
        model=None if model is None else model.model,
        first_height=history.first_height,
        last_height=history.last_height,
    )


def _reason_code(fields: Mapping[str, Json]) -> str:
    number = int(fields["reason"])
    return code_of(REASONS[number - 1]) if 1 <= number <= len(REASONS) else str(number)


def code_of(reason: Reason) -> str:
    """Return the stable word for a reason."""
    return reason.name.lower()


def _updates(case: Case) -> list[JudgedUpdate]:
    committed = {
        int(fields["index"]): str(fields["trainer"]) for fields in case.named("UpdateCommitted")
    }
    roots = {int(fields["index"]): str(fields["root"]) for fields in case.named("UpdateRevealed")}
    verdicts = {
        str(fields["trainer"]): _reason_code(fields)
        for fields in case.named("Anomaly")
        if _reason_code(fields) != "displaced"
    }
    weights = _last_weights(case)
    found = []
    for index, trainer in sorted(committed.items()):
        seen = _seen(case, index, trainer)
        code = verdicts.get(trainer) or _code(case, seen, weight=weights.get(index, 0))
        found.append(
            _update(case, index, seen=seen, trainer=trainer, root=roots.get(index), code=code)
        )
    return found


def _last_weights(case: Case) -> dict[int, int]:
    chosen = case.named("AggregateSelected")
    weights = chosen[-1]["weights"] if chosen else []
    return {index: int(weight) for index, weight in enumerate(weights)}


def _seen(case: Case, index: int, trainer: str) -> SeenUpdate | None:
    updates = () if case.record is None else case.record.updates
    seen = updates[index] if index < len(updates) else None
    return seen if seen is not None and address_text(seen.trainer) == trainer else None


def _code(case: Case, seen: SeenUpdate | None, *, weight: int) -> str:
    if seen is not None and seen.reason:
        return code_of(REASONS[seen.reason - 1])
    if case.history.outcome == Outcome.COMMITTED.value and weight:
        return "accepted"
    return "accepted" if weight and case.history.outcome == "running" else "pending"


def _update(
    case: Case, index: int, *, seen: SeenUpdate | None, trainer: str, root: str | None, code: str
) -> JudgedUpdate:
    record, numbers = case.record, case.numbers
    is_judged = seen is not None and seen.is_judged
    attested = None
    if record is not None and index < len(record.attested):
        attested = str(record.attested[index])
    # What is said of an update that no quorum holds is ignored.
    is_held = attested is not None and numbers is not None and int(attested) >= numbers.quorum
    scores = _opinions(case, index) if is_held else []
    weight = _last_weights(case).get(index, 0) if code in ("accepted", "not_committed") else 0
    clips = [int(fields["clip"]) for fields in case.named("RoundOpened")]
    powers = [] if record is None else [record.seats[one.seat].power for one in scores]
    left_out = [int(one.left_out) for one in scores]
    return JudgedUpdate(
        index=index,
        trainer=trainer,
        root=root,
        attested=attested,
        scores=tuple(scores),
        score=str(seen.score) if seen and is_judged else None,
        left_out=str(weighted_median(left_out, powers)) if is_judged and powers else None,
        band=str(seen.band) if seen and is_judged else None,
        norm=str(seen.norm) if seen and is_judged else None,
        is_clipped=bool(seen and is_judged and clips and seen.norm > clips[0]),
        verdict=code,
        weight=str(weight),
        gain=str(seen.gain) if seen and is_judged else None,
        sharers=seen.sharers if seen and is_judged else None,
        earned=_earned(case, seen, code=code),
        bond=_bond(case, code=code),
        reason=Cause(
            code=code,
            seats=len(scores) if is_held else None,
            rose=sum(int(one.alone) < 0 for one in scores) if is_held else None,
            score=str(seen.score) if seen and is_judged else None,
            threshold=str(numbers.threshold) if numbers and case.is_selected else None,
            median=str(numbers.median) if numbers and case.is_selected else None,
            attested=attested,
            quorum=None if numbers is None else str(numbers.quorum),
            original=seen.original if seen and code in ("copy", "twin") else None,
            rung=_dropped_at(case, index) if code == "dropped" else None,
            agreeing=_agreeing(case, scores),
        ),
    )


def _opinions(case: Case, index: int) -> list[Opinion]:
    record = case.record
    size = (index + 1) * scorecard.RECORD_SIZE_BYTES
    found = []
    for place, seat in enumerate(() if record is None else record.seats):
        if len(seat.card) < size:
            continue
        said = scorecard.record_at(seat.card, index)
        facts = scorecard.read_facts(scorecard.facts_bytes(said))
        found.append(
            Opinion(
                seat=place,
                alone=str(scorecard.read_alone(said)),
                left_out=str(scorecard.read_left_out(said)),
                verdict=VERDICTS[min(facts.verdict, len(VERDICTS) - 1)],
                original=facts.original,
                cluster=facts.cluster,
                norm=str(facts.norm),
            )
        )
    return found


def _agreeing(case: Case, scores: Sequence[Opinion]) -> str | None:
    if case.record is None or not scores:
        return None
    groups: Counter[tuple[object, ...]] = Counter()
    for one in scores:
        facts = one.verdict, one.original, one.cluster, one.norm
        groups[facts] += case.record.seats[one.seat].power
    return str(max(groups.values()))


def _dropped_at(case: Case, index: int) -> int | None:
    for chosen in case.named("AggregateSelected"):
        weights = chosen["weights"]
        if index < len(weights) and not int(weights[index]):
            return int(chosen["rung"])
    return None


def _earned(case: Case, seen: SeenUpdate | None, *, code: str) -> str | None:
    if code != "accepted":
        return None if code == "pending" else "0"
    reward = None if seen is None else reward_of(case, seen)
    return None if reward is None else str(reward.earned)


def _bond(case: Case, *, code: str) -> str:
    if case.history.outcome == "running" and code == "pending":
        return "held"
    if code in _BURNING:
        return "burned"
    return "held" if case.history.outcome == "running" else "returned"
