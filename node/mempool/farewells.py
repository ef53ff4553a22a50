"""How transactions left the pool, for those who ask: the newest by name, all of them counted."""

from collections import Counter, OrderedDict

from node.mempool.entry import Departure
from primitives.ids import Digest


class Farewells:
    """Remembers some and counts all.

    Attributes:
        counts: by reason, since the start.
    """

    def __init__(self, *, kept_max: int) -> None:
        self._kept_max = kept_max
        self._reasons: OrderedDict[Digest, Departure] = OrderedDict()
        self.counts: Counter[Departure] = Counter()

    def get(self, name: Digest) -> Departure | None:
        """Return how a transaction left, None if it did not or that was long ago."""
        return self._reasons.get(name)

    def note(self, name: Digest, why: Departure) -> None:
        """Note that a transaction left."""
        self.counts[why] += 1
        self._reasons[name] = why
        if len(self._reasons) > self._kept_max:
            self._reasons.popitem(last=False)

    def correct(self, name: Digest) -> None:
        """Note that a transaction was executed, whatever its departure looked like.

        Its account may have been looked up after the commit and before we heard of it.
        """
        before = self._reasons.get(name)
        if before is not None:
            self.counts[before] -= 1
            self.counts[Departure.EXECUTED] += 1
            self._reasons[name] = Departure.EXECUTED

    def forget(self, name: Digest) -> None:
        """Forget one that is here again."""
        self._reasons.pop(name, None)
