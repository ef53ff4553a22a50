"""Put what the worker found about the updates of a round into the bytes that the chain reads."""

from collections.abc import Mapping, Sequence
from typing import Final

from fl.jobs.results import BlobFacts, Rises, Vote
from fl.rules.limits import SCORE_MAX, SCORE_MIN
from fl.rules.scorecard import MALFORMED, VALID, Facts, Record, write_record
from node.duties.errors import UnfitReportError

_NOTHING: Final = 0


def valid_places(facts: Sequence[BlobFacts]) -> list[int]:
    """Return which of the inspected updates are to be scored, by their place in the job."""
    return [place for place, one in enumerate(facts) if one.verdict == VALID]


def write_card(
    count: int, *, inspected: Sequence[int], facts: Sequence[BlobFacts], votes: Sequence[Vote]
) -> bytes:
    """Return the scorecard of a round.

    Args:
        count: updates in the round; the chain ignores the records of those nobody inspected.
        inspected: their indices in the round, in the order of the job.
        facts: of each of them; places in the job, that become indices in the round.
        votes: on those of them that are valid, in the same order.
    """
    voted = dict(zip((inspected[place] for place in valid_places(facts)), votes, strict=True))
    found = dict(zip(inspected, facts, strict=True))
    return b"".join(
        write_record(_record(index, found.get(index), voted, inspected)) for index in range(count)
    )


def report_of(rises: Rises, *, wanted: int) -> tuple[int, ...]:
    """Return the measures of the guard: the loss, then classes, then probes, as many as wanted.

    Raises:
        UnfitReportError: there are fewer.
    """
    measures = (rises.loss, *rises.classes, *rises.probes)
    if len(measures) < wanted:
        raise UnfitReportError(measured=len(measures), wanted=wanted)
    return tuple(_bounded(measure) for measure in measures[:wanted])


def _record(
    index: int, facts: BlobFacts | None, voted: Mapping[int, Vote], inspected: Sequence[int]
) -> Record:
    if facts is None:
        return Record(_NOTHING, _NOTHING, Facts(MALFORMED, index, index, _NOTHING))
    vote = voted.get(index)
    agreed = Facts(
        verdict=facts.verdict,
        original=inspected[facts.original],
        cluster=inspected[facts.cluster],
        norm=facts.norm,
    )
    if vote is None:
        return Record(_NOTHING, _NOTHING, agreed)
    return Record(_bounded(vote.quality), _bounded(vote.left_out), agreed)


def _bounded(score: int) -> int:
    return max(SCORE_MIN, min(SCORE_MAX, score))
