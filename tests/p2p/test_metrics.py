import asyncio

from prometheus_client import CollectorRegistry

from p2p.gossip.topic import TopicRules
from p2p.metrics import P2pCollector
from p2p.peer_list import view_peers
from p2p.pubsub import PubSub
from p2p.wire.peer_id import peer_id_text
from tests.dsl.virtual_time import run_jumping
from tests.p2p.town import ECHO, Town, meet, pass_time, until

TOPIC = "blocks"
RULES = (TopicRules(name=TOPIC),)


def scrape(collector: P2pCollector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


def test_what_protocols_and_topics_carried_can_be_scraped_and_peers_can_be_viewed() -> None:
    async def main() -> None:
        town = Town()
        async with (
            town.open(1) as near,
            town.open(2) as far,
            PubSub(near, RULES) as near_topics,
            PubSub(far, RULES) as far_topics,
        ):
            heard = asyncio.Event()
            far_topics.subscribe(TOPIC, lambda _: heard.set())
            near_topics.subscribe(TOPIC, lambda _: None)
            connection = await meet(near, far)
            await until(lambda: near_topics.router.mesh_peers(TOPIC))
            near_topics.publish(TOPIC, b"x" * 100)
            await heard.wait()
            stream = await connection.open_stream([ECHO])
            stream.write(b"y" * 50)
            assert await stream.read_exactly(50)
            await pass_time(35)
            value_of = scrape(P2pCollector(far, far_topics)).get_sample_value
            assert value_of("p2p_connections", {"direction": "inbound"}) == 1
            assert value_of("p2p_peers") == 1
            flow = {"protocol": ECHO, "flow": "received"}
            assert value_of("p2p_stream_bytes_total", flow) == 50
            fate = {"topic": TOPIC, "fate": "delivered"}
            assert value_of("p2p_gossip_messages_total", fate) == 1
            assert value_of("p2p_gossip_delivered_bytes_total", {"topic": TOPIC}) == 100
            (view,) = view_peers(far, far_topics)
            assert view.peer == peer_id_text(near.peer_id)
            assert (view.direction, view.agent) == ("inbound", "peer/1")
            assert view.score is not None
            assert view.received_bytes > 150
            assert view_peers(near)[0].score is None

    run_jumping(main())


def test_host_without_topics_is_scraped_too() -> None:
    async def main() -> None:
        async with Town().open(1) as host:
            value_of = scrape(P2pCollector(host)).get_sample_value
            assert value_of("p2p_peers") == 0
            assert value_of("p2p_gossip_seen") is None

    run_jumping(main())
