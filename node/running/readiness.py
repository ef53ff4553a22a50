"""Whether a node is ready: near the present of its chain, so that what it answers is news."""

from typing import Final

from node.chain.chain import Chain
from node.ledger.checkpoint import Certificate
from node.sync.news import CertificateNews
from primitives.clock import Clock

HEAD_AGE_MS_MAX: Final = 15_000
"""An idle chain commits five times a second and certifies every two seconds, which is how far a
node without a seat is behind. The rest is for leaders that time out, the change of an epoch, and
clocks that differ by some seconds."""


class Readiness:
    """Tells whether the head is young.

    What others certified just now says what the present is, for our clock may be wrong. Only where
    nothing was heard lately the clock does: a chain that was just founded has a young head too, and
    one that stands has an old one.
    """

    def __init__(self, chain: Chain, news: CertificateNews, *, clock: Clock) -> None:
        self._chain = chain
        self._clock = clock
        self._newest_ms = 0
        self._heard_ms = -HEAD_AGE_MS_MAX
        news.watch(self._hear)

    def is_near_present(self) -> bool:
        """Tell whether the head is less than `HEAD_AGE_MS_MAX` old."""
        present_ms = self._newest_ms
        if self._clock.monotonic_ms() - self._heard_ms >= HEAD_AGE_MS_MAX:
            present_ms = max(present_ms, self._clock.wall_ms())
        return present_ms - self._chain.head.time_ms < HEAD_AGE_MS_MAX

    def _hear(self, certificate: Certificate) -> None:
        self._newest_ms = certificate.checkpoint.timestamp_ms
        self._heard_ms = self._clock.monotonic_ms()
