"""The peer score, part by part."""

import pytest

from p2p.gossip.parameters import HOUR_MS, ScoreParameters, TopicScore
from p2p.gossip.score import ScoreBook, ip_key
from tests.p2p.gossip.bench import peer_of

ALICE, BOB = peer_of(1), peer_of(2)
LOCAL = "127.0.0.1"
TOPIC = "blocks"
PARAMETERS = ScoreParameters()
RULES = TopicScore(
    weight=0.5,
    mesh_time_weight=1,
    mesh_time_cap=10,
    first_weight=2,
    first_cap=3,
    invalid_weight=-10,
)
DEMANDING = TopicScore(
    weight=1,
    mesh_time_weight=0,
    deficit_weight=-1,
    deficit_threshold=4,
    deficit_cap=6,
    deficit_activation_ms=5_000,
    failure_weight=-2,
)


def book(rules: TopicScore = RULES, parameters: ScoreParameters = PARAMETERS) -> ScoreBook:
    scores = ScoreBook(parameters)
    scores.score_topic(TOPIC, rules)
    return scores


def test_time_in_the_mesh_is_rewarded_up_to_a_cap() -> None:
    scores = book()
    stats = scores.join(ALICE, ip=LOCAL)
    scores.grafted(stats, TOPIC, now_ms=0)
    scores.refresh(0)
    scores.refresh(4_000)
    assert stats.score == pytest.approx(0.5 * 4)
    scores.refresh(60_000)
    assert stats.score == pytest.approx(0.5 * 10)
    scores.pruned(stats, TOPIC)
    scores.refresh(61_000)
    assert stats.score == 0


def test_first_deliveries_are_rewarded_up_to_a_cap_and_decay() -> None:
    scores = book()
    scores.refresh(0)
    stats = scores.join(ALICE, ip=LOCAL)
    for _ in range(5):
        scores.delivered_first(stats, TOPIC)
    scores.refresh(0)
    assert stats.score == 0.5 * 2 * 3
    scores.refresh(HOUR_MS)
    assert stats.score == pytest.approx(0.5 * 2 * 3 * 0.01)
    scores.refresh(3 * HOUR_MS)
    assert stats.score == 0


def test_one_long_pause_decays_like_many_short_ones() -> None:
    once, often = book(), book()
    stats = [scores.join(ALICE, ip=LOCAL) for scores in (once, often)]
    for scores, peer in zip((once, often), stats, strict=True):
        scores.refresh(0)
        scores.misbehaved(peer, 100)
    once.refresh(600_000)
    for second in range(1, 601):
        often.refresh(second * 1_000)
    assert stats[0].score == pytest.approx(stats[1].score)


def test_invalid_messages_cost_their_square_at_once() -> None:
    scores = book()
    stats = scores.join(ALICE, ip=LOCAL)
    found = []
    for _ in range(3):
        scores.delivered_invalid(stats, TOPIC)
        found.append(stats.score)
    assert found == [-5, -20, -45]


def test_invalid_messages_are_forgiven_in_time() -> None:
    scores = book()
    scores.refresh(0)
    stats = scores.join(ALICE, ip=LOCAL)
    scores.delivered_invalid(stats, TOPIC)
    scores.refresh(HOUR_MS // 2)
    assert stats.score == pytest.approx(-5 * 0.1**2)


def test_too_few_deliveries_in_the_mesh_cost_only_once_active() -> None:
    scores = book(DEMANDING)
    stats = scores.join(ALICE, ip=LOCAL)
    scores.grafted(stats, TOPIC, now_ms=0)
    scores.refresh(5_000)
    assert stats.score == 0
    scores.delivered_first(stats, TOPIC)
    scores.delivered_again(stats, TOPIC, delay_ms=10)
    scores.delivered_again(stats, TOPIC, delay_ms=11)
    scores.refresh(5_001)
    assert stats.score == -((4 - 2) ** 2)
    for _ in range(9):
        scores.delivered_again(stats, TOPIC, delay_ms=0)
    scores.refresh(5_002)
    assert stats.score == 0


def test_deficit_at_a_prune_stays_and_decays() -> None:
    scores = book(DEMANDING)
    stats = scores.join(ALICE, ip=LOCAL)
    scores.refresh(0)
    scores.grafted(stats, TOPIC, now_ms=0)
    scores.refresh(6_000)
    scores.pruned(stats, TOPIC)
    scores.refresh(6_000)
    assert stats.score == -2 * 4**2
    scores.refresh(HOUR_MS + 6_000)
    assert stats.score == pytest.approx(-2 * 4**2 * 0.01)


def test_all_topics_together_are_capped() -> None:
    scores = book(parameters=ScoreParameters(topics_cap=1.5))
    stats = scores.join(ALICE, ip=LOCAL)
    scores.delivered_first(stats, TOPIC)
    scores.delivered_first(stats, TOPIC)
    scores.set_application(ALICE, 7)
    assert stats.score == 1.5 + 7


def test_topic_without_rules_says_nothing() -> None:
    scores = book()
    stats = scores.join(ALICE, ip=LOCAL)
    for deed in (scores.delivered_first, scores.delivered_invalid):
        deed(stats, "other")
    scores.delivered_again(stats, "other", delay_ms=0)
    scores.grafted(stats, "other", now_ms=0)
    scores.pruned(stats, "other")
    scores.refresh(1_000)
    assert stats.score == 0


def test_application_score_of_a_stranger_is_lost() -> None:
    scores = book()
    scores.set_application(ALICE, 5)
    assert list(scores) == []


def test_broken_rules_cost_their_square_above_the_threshold() -> None:
    scores = book()
    stats = scores.join(ALICE, ip=LOCAL)
    scores.misbehaved(stats, 6)
    assert stats.score == 0
    scores.misbehaved(stats)
    assert stats.score == -10
    scores.misbehaved(stats, 2)
    assert stats.score == -90


def test_peers_on_one_address_cost_the_square_of_their_surplus() -> None:
    scores = book()
    crowd = [scores.join(peer_of(number), ip="8.8.8.8") for number in range(7)]
    apart = scores.join(peer_of(8), ip="8.8.4.4")
    assert {stats.score for stats in crowd} == {-400}
    assert apart.score == 0
    scores.join(peer_of(0), ip="8.8.4.4")
    assert {stats.score for stats in crowd[1:]} == {-100}
    scores.leave(peer_of(1), now_ms=0)
    assert crowd[2].score == 0


def test_last_peer_of_an_address_leaves_nothing_behind() -> None:
    scores = book()
    for _ in range(3):
        scores.join(ALICE, ip="8.8.8.8")
        scores.leave(ALICE, now_ms=0)
    assert scores.join(ALICE, ip="8.8.8.8").neighbours == 1


@pytest.mark.parametrize(
    ("ip", "key"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("2a00:1450:4001:81b::200e", "2a00:1450:4001:81b::/64"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("::ffff:10.1.2.3", None),
        ("127.0.0.1", None),
        ("::1", None),
        ("10.1.2.3", None),
        ("192.168.0.1", None),
        ("memory", None),
    ],
)
def test_addresses_of_one_owner_share_a_key(ip: str, key: str | None) -> None:
    assert ip_key(ip) == key


def test_bad_score_outlives_the_connection_and_a_good_one_does_not() -> None:
    scores = book()
    good, bad = scores.join(ALICE, ip=LOCAL), scores.join(BOB, ip=LOCAL)
    for stats in (good, bad):
        scores.delivered_first(stats, TOPIC)
    scores.delivered_invalid(bad, TOPIC)
    scores.leave(ALICE, now_ms=0)
    scores.leave(BOB, now_ms=0)
    assert list(scores) == [BOB]
    scores.refresh(PARAMETERS.retain_ms - 1)
    assert scores.join(ALICE, ip=LOCAL).score == 0
    assert scores.join(BOB, ip=LOCAL).score == -5, "no decay and no reward while away"


def test_bad_score_is_forgotten_after_the_time_to_retain_it() -> None:
    scores = book()
    scores.delivered_invalid(scores.join(BOB, ip=LOCAL), TOPIC)
    scores.leave(BOB, now_ms=0)
    scores.refresh(PARAMETERS.retain_ms)
    assert scores.find(BOB) is None


def test_bad_scores_that_are_retained_are_bounded() -> None:
    scores = book(parameters=ScoreParameters(retained_peers_max=2))
    for number in range(4):
        scores.delivered_invalid(scores.join(peer_of(number), ip=LOCAL), TOPIC)
        scores.leave(peer_of(number), now_ms=0)
    assert list(scores) == [peer_of(2), peer_of(3)]


def test_parts_add_up_to_the_score() -> None:
    scores = book()
    stats = scores.join(ALICE, ip="8.8.8.8")
    scores.grafted(stats, TOPIC, now_ms=0)
    scores.delivered_first(stats, TOPIC)
    scores.delivered_invalid(stats, TOPIC)
    scores.misbehaved(stats, 8)
    scores.set_application(ALICE, 3)
    scores.refresh(2_000)
    parts = scores.parts(ALICE)
    assert parts.topics == pytest.approx(
        parts.mesh_time + parts.first_deliveries + parts.deficit + parts.invalid
    )
    assert parts.total == pytest.approx(
        parts.topics + parts.application + parts.ip + parts.behaviour
    )
    assert parts.total == stats.score
    assert parts.invalid < 0 < parts.mesh_time
