"""Which chunks of a blob to ask of whom: pure, driven by what arrives and what fails.

Every asker works on one span at a time. A span that fails goes back; when all are given out, a
free asker doubles one that another has not finished, so that one slow holder cannot hold up the
end. No span is with more than two askers at a time.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from node.blobs.messages import LEAVES_PER_REQUEST_MAX

SPAN_LEAVES: Final = LEAVES_PER_REQUEST_MAX // 2
"""2 MiB: little enough to check and store while more is under way."""
DOUBLED_MAX: Final = 2


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Chunks side by side, `first` to `first + count - 1`."""

    first: int
    count: int

    @property
    def places(self) -> range:
        """Return the places of its chunks."""
        return range(self.first, self.first + self.count)


class FetchPlan:
    """What is still missing of one blob."""

    def __init__(self, missing: Iterable[int]) -> None:
        self._waiting = _spans(sorted(missing))
        self._out: Counter[Span] = Counter()

    @property
    def is_over(self) -> bool:
        """Tell whether nothing is missing."""
        return not self._waiting and not self._out

    def take(self) -> Span | None:
        """Return what a free asker should ask for, None if there is nothing for it now."""
        if self._waiting:
            span = self._waiting.pop(0)
            self._out[span] = 1
            return span
        alone = [span for span, askers in self._out.items() if askers < DOUBLED_MAX]
        if not alone:
            return None
        span = min(alone)
        self._out[span] += 1
        return span

    def ended(self, span: Span, *, kept: Collection[int]) -> None:
        """Note which chunks of a span are stored now that an asker is through with it."""
        askers = self._out[span]
        if not askers:
            # Another asker has ended it already.
            return
        missing = [index for index in span.places if index not in kept]
        if not missing:
            del self._out[span]
        elif askers > 1:
            self._out[span] -= 1
        else:
            del self._out[span]
            self._waiting.extend(_spans(missing))


def _spans(missing: list[int]) -> list[Span]:
    """Return spans over all that is missing, none longer than `SPAN_LEAVES`."""
    spans: list[Span] = []
    for index in missing:
        last = spans[-1] if spans else None
        if last is not None and last.count < SPAN_LEAVES and index == last.first + last.count:
            spans[-1] = Span(last.first, last.count + 1)
        else:
            spans.append(Span(index, 1))
    return spans
