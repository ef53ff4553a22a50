"""What a router counted since its start, and how much it holds now, as plain numbers."""

from dataclasses import dataclass

from p2p.gossip.topic import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicReport:
    """One topic.

    Attributes:
        forwarded: copies of others' messages that we queued.
        ignored: messages dropped without blame.
        rejected: messages that were lies.
    """

    is_subscribed: bool
    subscribers: int
    mesh: int
    fanout: int
    backoffs: int
    published: int
    delivered: int
    delivered_bytes: int
    duplicates: int
    forwarded: int
    ignored: int
    rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterReport:
    """A whole router.

    Attributes:
        ignored_rpcs: RPCs of peers below the graylist threshold, or of strangers.
        pending_overflows: messages for which no place was left at the validator.
        pending_expired: verdicts that did not come in time.
        seen_overflows: how often ids were forgotten early, because there were too many.
        broken_promises: advertised messages that did not come.
        outbox_bytes: payload that waits for all peers together.
        outbox_dropped: messages that did not fit into an outbox, of the peers that are here.
    """

    topics: dict[str, TopicReport]
    peers: int
    malformed_rpcs: int
    ignored_rpcs: int
    pending: int
    pending_overflows: int
    pending_expired: int
    seen: int
    seen_overflows: int
    cache_bytes: int
    broken_promises: int
    outbox_bytes: int
    outbox_dropped: int


def report_topic(topic: Topic) -> TopicReport:
    """Return the numbers of one topic."""
    counters = topic.counters
    return TopicReport(
        is_subscribed=topic.is_subscribed,
        subscribers=len(topic.subscribers),
        mesh=len(topic.mesh),
        fanout=len(topic.fanout),
        backoffs=len(topic.backoff),
        published=counters.published,
        delivered=counters.delivered,
        delivered_bytes=counters.delivered_bytes,
        duplicates=counters.duplicates,
        forwarded=counters.forwarded,
        ignored=counters.ignored,
        rejected=counters.rejected,
    )
