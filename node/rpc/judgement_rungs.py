"""The ladder of a round, rung by rung: weights, votes, reports, and how the guard decided; pure."""

from collections import Counter
from collections.abc import Sequence

from fl.rules.limits import HALVINGS
from node.rpc.judgement_schemas import Ballot, Report, Rung
from node.rpc.round_record import COMMITTED, REFUSED, RUNNING, RoundRecord, SeenRung
from node.rpc.round_schemas import RoundHistory
from node.rpc.schemas import PlacedEvent
from primitives.order import weighted_median

UNKNOWN = "unknown"


def show_rungs(
    record: RoundRecord | None, history: RoundHistory, *, bounds: Sequence[int]
) -> tuple[Rung, ...]:
    """Return the rungs that the events tell of, with what this node saw at each."""
    chosen = [one for one in history.events if one.event.name == "AggregateSelected"]
    before: tuple[int, ...] = ()
    found = []
    for told in chosen:
        weights = _weights(told)
        dropped = tuple(
            index for index, weight in enumerate(before) if weight and not weights[index]
        )
        number = int(told.event.fields["rung"])
        seen = _seen(record, number)
        medians = medians_of(record, seen)
        agreed, agreeing = _agreed(record, seen)
        found.append(
            Rung(
                rung=number,
                halvings=HALVINGS[number],
                weights=tuple(map(str, weights)),
                height=told.height,
                dropped=dropped,
                votes=tuple(Ballot(seat=seat, hash=vote.hex()) for seat, vote in seen.votes),
                aggregate=agreed,
                agreeing=str(agreeing),
                reports=tuple(
                    Report(seat=seat, changes=tuple(map(str, changes)))
                    for seat, changes in seen.reports
                ),
                medians=None if medians is None else tuple(map(str, medians)),
                passed=None
                if medians is None
                else tuple(one <= bound for one, bound in zip(medians, bounds, strict=False)),
                result=_result(seen, history, is_last=told is chosen[-1]),
            )
        )
        before = weights
    return tuple(found)


def medians_of(record: RoundRecord | None, rung: SeenRung) -> tuple[int, ...] | None:
    """Return what the guard decides by: the median of each measure by power; None without any."""
    if record is None or not rung.reports:
        return None
    powers = [record.seats[seat].power for seat, _ in rung.reports]
    columns = zip(*(changes for _, changes in rung.reports), strict=True)
    return tuple(weighted_median(column, powers) for column in columns)


def _seen(record: RoundRecord | None, number: int) -> SeenRung:
    rungs = () if record is None else record.rungs
    unseen = SeenRung(number=number, weights=(), height=None, result=UNKNOWN)
    return next((one for one in rungs if one.number == number), unseen)


def _weights(told: PlacedEvent) -> tuple[int, ...]:
    return tuple(int(weight) for weight in told.event.fields["weights"])


def _agreed(record: RoundRecord | None, rung: SeenRung) -> tuple[str | None, int]:
    """Return what a quorum voted for, if there is one, and the power of the most common vote."""
    if record is None or not rung.votes:
        return None, 0
    powers: Counter[bytes] = Counter()
    for seat, vote in rung.votes:
        powers[vote] += record.seats[seat].power
    vote, power = powers.most_common(1)[0]
    quorum = None if record.numbers is None else record.numbers.quorum
    return (vote.hex() if quorum is not None and power >= quorum else None), power


def _result(rung: SeenRung, history: RoundHistory, *, is_last: bool) -> str:
    """Return what became of a rung; events alone tell it of the one that committed."""
    if rung.result not in (UNKNOWN, RUNNING):
        return rung.result
    if history.outcome == "running" and is_last:
        return RUNNING
    if history.model is not None and is_last:
        return COMMITTED
    return REFUSED if rung.reports else UNKNOWN
