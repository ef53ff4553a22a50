import pytest

from p2p.probe.events import Disconnected, Stats
from tests.interop.kinds import JS, OURS
from tests.interop.pairs import LINGER, TOPIC, connected

pytestmark = [pytest.mark.interop, pytest.mark.slow]

SECONDS = 60
MESSAGES_PER_SECOND = 100


def test_connection_survives_a_minute_of_pings_under_load() -> None:
    # js-libp2p ends a connection on which a ping of its monitor is answered late; 10 times as many
    # as by default show a backlog in front of the answers.
    count = SECONDS * MESSAGES_PER_SECOND
    load = ("--topic", TOPIC, "--publish", str(count), "--rate", str(MESSAGES_PER_SECOND))
    flags = (*load, "--size", "16384", "--expect", str(count), "--quiet", "--timeout", "120")
    with connected(
        (JS, OURS), dialler=(*flags, *LINGER, "--keepalive-ms", "1000"), listener=(*flags, *LINGER)
    ) as (client, server):
        for peer in (client, server):
            stats = peer.wait_for(Stats, limit_s=SECONDS * 2)
            assert stats.received == count
            assert not peer.all(Disconnected)
        assert client.stop().ok
        assert server.stop().ok
