import pytest

from p2p.gossip.policy import MessageIdRule, SigningPolicy
from p2p.probe.plan import Exercise, GossipPlan, ProbePlan
from p2p.wire.multiaddr import Multiaddr
from primitives.errors import ConfigurationError


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (GossipPlan(size_bytes=15), "at least 16 bytes"),
        (GossipPlan(versions=("1.3",)), "takes some of 1.2, 1.1, 1.0"),
        (GossipPlan(policy=SigningPolicy.STRICT_NO_SIGN), "author and number of signed messages"),
        (GossipPlan(publish_count=1), "need a --topic"),
        (GossipPlan(expected_count=1), "need a --topic"),
    ],
)
def test_plan_that_contradicts_itself_is_refused(plan: GossipPlan, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        ProbePlan(gossip=plan).check()


def test_dial_without_a_peer_id_is_refused() -> None:
    address = Multiaddr.parse("/ip4/127.0.0.1/tcp/4001")
    with pytest.raises(ConfigurationError, match="does not end in /p2p/"):
        ProbePlan(dials=(address,)).check()


def test_unsigned_topic_with_content_ids_is_a_plan() -> None:
    gossip = GossipPlan(
        topics=("t",), policy=SigningPolicy.STRICT_NO_SIGN, message_id=MessageIdRule.TOPIC20
    )
    ProbePlan(gossip=gossip).check()


@pytest.mark.parametrize(
    "exercise", [Exercise(pings=1), Exercise(echo_bytes=1), Exercise(up_bytes=1)]
)
def test_exercise_is_empty_only_without_anything_to_do(exercise: Exercise) -> None:
    assert not exercise.is_empty
    assert Exercise(redials=1).is_empty
