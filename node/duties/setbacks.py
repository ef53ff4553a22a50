"""What was tried in vain: until when it rests, and what is not tried any more."""

from dataclasses import dataclass, field
from typing import Final

from node.duties.duty import Duty, Step
from node.duties.status import GivenUp
from node.duties.verdicts import Verdict, rest_ms

DOCUMENT_REST_MS_MAX: Final = 120_000
"""Of a document that nobody gives: each try takes one of few places for the whole of a fetch."""

Key = tuple[int, int, int, Step]


@dataclass(slots=True)
class _Setback:
    failures: int = 0
    not_before_ms: int = 0
    message: str = ""
    is_final: bool = False


@dataclass(slots=True)
class Setbacks:
    """The duties of one task that were not done."""

    _by_key: dict[Key, _Setback] = field(default_factory=dict)
    _for_good: dict[Step, str] = field(default_factory=dict)

    def add(self, duty: Duty, verdict: Verdict, *, message: str, now_ms: int) -> None:
        """Take down that a duty was not done, and what follows from it."""
        setback = self._by_key.setdefault(duty.key, _Setback())
        setback.failures += 1
        setback.not_before_ms = now_ms + _rest_ms(duty, setback.failures)
        setback.message = message
        setback.is_final = verdict is not Verdict.AGAIN
        if verdict is Verdict.TASK:
            self._for_good[duty.step] = message

    def overcome(self, duty: Duty) -> None:
        """Take down that a duty was done after all."""
        self._by_key.pop(duty.key, None)

    def failures(self, duty: Duty) -> int:
        """Return how often in a row a duty was not done."""
        setback = self._by_key.get(duty.key)
        return 0 if setback is None else setback.failures

    def end_round(self) -> None:
        """Forget what concerned the round that is over."""
        self._by_key.clear()

    def is_rested(self, duty: Duty, *, now_ms: int) -> bool:
        """Tell whether a duty may be tried now."""
        setback = self._by_key.get(duty.key)
        return setback is None or now_ms >= setback.not_before_ms

    def given_up(self, *, round_number: int, rung: int) -> frozenset[Step]:
        """Return the steps that are not tried any more, at this rung of this round."""
        for_now = {
            step
            for (_, number, at, step), one in self._by_key.items()
            if one.is_final and (number, at) == (round_number, rung)
        }
        return frozenset(self._for_good) | for_now

    def told(self) -> tuple[GivenUp, ...]:
        """Return what is given up, for people."""
        for_now = [
            GivenUp(step=key[3].value, until="round", message=one.message)
            for key, one in self._by_key.items()
            if one.is_final and key[3] not in self._for_good
        ]
        for_good = [
            GivenUp(step=step.value, until="task", message=message)
            for step, message in self._for_good.items()
        ]
        return (*for_now, *for_good)


def _rest_ms(duty: Duty, failures: int) -> int:
    if duty.step is not Step.FETCH_DOCUMENT:
        return rest_ms(failures)
    return min(DOCUMENT_REST_MS_MAX, rest_ms(failures) * failures)
