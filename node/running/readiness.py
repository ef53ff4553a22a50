"""Whether a node is ready: near the present of its chain, so that what it answers is news."""

from typing import Final

from node.chain.chain import Chain
from node.sync.news import CertificateNews
from primitives.clock import Clock

HEAD_AGE_MS_MAX: Final = 15_000
"""An idle chain commits five times a second and certifies every two seconds, which is how far a
node without a seat is behind. The rest is for leaders that time out, the change of an epoch, and
clocks that differ by some seconds."""


def is_near_present(chain: Chain, news: CertificateNews, *, clock: Clock) -> bool:
    """Tell whether the head is young, by our clock and by what others certified.

    A chain that was just founded has a young head too, and one that stands has an old one.
    """
    newest = news.newest
    # Our clock may be the slow one; then it cannot tell that we are behind.
    heard_ms = 0 if newest is None else newest.checkpoint.timestamp_ms
    return max(clock.wall_ms(), heard_ms) - chain.head.time_ms < HEAD_AGE_MS_MAX
