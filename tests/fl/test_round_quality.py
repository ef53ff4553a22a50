"""What scores, copies, clusters and lies change, told as rules."""

import pytest

from fl.rules.effects import AggregateSelected, ModelCommitted, Reason
from fl.rules.errors import Rule
from fl.rules.limits import ONE
from fl.rules.phase import Phase
from fl.rules.reputation import INITIAL, Fault
from fl.rules.scorecard import MALFORMED, REPLAY
from tests.fl import cast
from tests.fl.cast import BAD_REPORT, Offer, Opinion, address
from tests.fl.play import Play

BOND = 1_000_000


def _finish(play: Play) -> None:
    play.vote()
    play.report()
    play.settle()


def test_lying_minority_moves_a_score_at_most_within_the_honest_range() -> None:
    play = Play(trainers=2, validators=7)
    play.until_scores()
    honest = {
        f"validator{index}": {"trainer0": Opinion(alone=100 + index)} for index in range(2, 7)
    }
    lie = {"trainer0": Opinion(alone=-(2**31)), "trainer1": Opinion(alone=2**31 - 1)}
    play.score(liars={**honest, "validator0": lie, "validator1": lie})
    judged = play.round.updates[0].judged
    assert judged is not None
    assert 102 <= judged.consensus.score <= 106
    other = play.round.updates[1].judged
    assert other is not None
    assert other.consensus.score == 100


@pytest.mark.parametrize("lie", [-(2**31), -500, 0, 60, 2**31 - 1])
def test_lying_minority_moves_a_reward_by_two_percent_at_most(lie: int) -> None:
    def reward(alone: int) -> int:
        play = Play(trainers=10, validators=7)
        play.until_scores()
        spread = {
            f"validator{index}": {
                name: Opinion(alone=100 + index + 3 * i, left_out=50 + index)
                for i, name in enumerate(play.trainers)
            }
            for index in range(2, 7)
        }
        liar = {"trainer5": Opinion(alone=alone, left_out=alone)}
        play.score(liars={**spread, "validator0": liar, "validator1": liar})
        _finish(play)
        return play.earned("trainer5")

    honest = reward(118)
    assert abs(reward(lie) - honest) * 50 <= honest


def test_liar_loses_trust_and_with_it_its_pay() -> None:
    play = Play(trainers=4, validators=7)
    play.until_scores()
    lie = dict.fromkeys(play.trainers, Opinion(alone=100_000))
    play.score(liars={"validator0": lie})
    _finish(play)
    assert play.paid("validator0") == 40_000_000 // 7
    assert play.paid("validator1") > 80_000_000


def test_copied_update_earns_nothing_and_the_earlier_one_keeps_its_reward() -> None:
    play = Play()
    play.open()
    play.commit("trainer0", "trainer2")
    play.height += 1
    play.commit("trainer1")
    play.close()
    play.reveal(*play.trainers)
    play.attest()
    play.score({"trainer1": Opinion(original=0)})
    _finish(play)
    assert play.earned("trainer1") == 0
    assert play.paid("trainer1") == 0
    assert [one.fault for one in play.slashes("trainer1")] == [Fault.COPY]
    assert play.standing("trainer1").reputation == INITIAL // 2
    assert play.earned("trainer0") > 0
    assert play.standing("trainer0").reputation > INITIAL


def test_equal_updates_committed_at_one_height_both_earn_nothing_and_nobody_is_punished() -> None:
    play = Play()
    play.until_scores()
    play.score({"trainer0": Opinion(original=0), "trainer1": Opinion(original=0)})
    _finish(play)
    for name in ("trainer0", "trainer1"):
        assert play.reasons(name) == [Reason.TWIN]
        assert play.earned(name) == 0
        assert play.paid(name) == BOND
        assert not play.slashes(name)
    assert play.earned("trainer2") > 0


def test_sybil_cluster_shares_one_slot() -> None:
    play = Play(trainers=10)
    sybils = play.trainers[3:]
    play.until_vote({name: Opinion(cluster=3) for name in sybils if name != "trainer3"})
    weights = dict(zip(play.trainers, (one.weight for one in play.round.updates), strict=True))
    assert sum(weights.values()) == ONE
    assert sum(weights[name] for name in sybils) == ONE // 4
    _finish(play)
    honest = play.earned("trainer0")
    assert 0 < sum(play.earned(name) for name in sybils) <= honest


def test_cluster_is_decided_by_two_thirds_of_equal_facts() -> None:
    play = Play(trainers=3)
    play.until_scores()
    said = {"trainer1": Opinion(cluster=0)}
    play.score(liars={"validator0": said, "validator1": said})
    _finish(play)
    # Two of four say one thing and two another: nobody can say what the blob is.
    assert play.reasons("trainer1") == [Reason.UNDECIDED]
    assert play.paid("trainer1") == BOND
    assert play.outcome() == "committed"


@pytest.mark.parametrize(
    "nonsense",
    [Opinion(verdict=3), Opinion(original=3), Opinion(cluster=3), Opinion(norm=2**63)],
)
def test_agreed_facts_that_mean_nothing_decide_nothing(nonsense: Opinion) -> None:
    play = Play()
    play.until_vote({"trainer1": nonsense})
    assert play.round.updates[1].reason is Reason.UNDECIDED


@pytest.mark.parametrize(
    ("verdict", "reason", "reputation", "slashes"),
    [
        (MALFORMED, Reason.MALFORMED, INITIAL - INITIAL // 8, []),
        (REPLAY, Reason.REPLAY, INITIAL // 2, [100]),
    ],
)
def test_malformed_and_replayed_updates_lose_the_bond(
    verdict: int, reason: Reason, reputation: int, slashes: list[int]
) -> None:
    play = Play()
    play.whole_round({"trainer0": Opinion(verdict=verdict)})
    assert play.reasons("trainer0") == [reason]
    assert play.paid("trainer0") == 0
    assert play.standing("trainer0").reputation == reputation
    assert [one.basis_points for one in play.slashes("trainer0")] == slashes
    assert play.outcome() == "committed"


def test_harm_in_three_of_five_rounds_is_punished_and_quarantined() -> None:
    play = Play(rounds=30)
    harm = {"trainer0": Opinion(alone=-500)}
    for opinions in (harm, {}, harm):
        play.whole_round(opinions)
    assert not play.slashes("trainer0")
    play.whole_round(harm)
    assert [one.basis_points for one in play.slashes("trainer0")] == [200]
    assert play.paid("trainer0") == 4 * BOND
    play.open()
    refusal = play.refused("commit", (0, play.commitment("trainer0")), by="trainer0", value=BOND)
    assert refusal == Rule.QUARANTINED.value
    play.close()
    play.settle()
    for _ in range(20):
        play.until_scores(*play.trainers[1:])
        play.score()
        _finish(play)
    # What was punished is forgotten: one more harm is the first again.
    play.whole_round(harm)
    assert len(play.slashes("trainer0")) == 1
    assert play.paid("trainer0") == 5 * BOND


def test_scores_that_scatter_are_no_proof_of_harm() -> None:
    play = Play(validators=4, rounds=30)
    for _ in range(5):
        play.until_scores()
        scattered = {
            f"validator{index}": {"trainer0": Opinion(alone=alone)}
            for index, alone in enumerate((-400, -300, -50, 100))
        }
        play.score(liars=scattered)
        _finish(play)
    assert not play.slashes("trainer0")


def test_who_registers_again_starts_anew() -> None:
    play = Play()
    play.whole_round()
    assert play.standing("trainer0").reputation > INITIAL
    registered = {address(name): 7 for name in play.trainers}
    play.register(registered)
    play.open()
    play.commit("trainer0")
    assert play.round.updates[0].reputation == INITIAL


def test_model_changes_once_with_its_lineage_and_clip() -> None:
    play = Play()
    refused = Opinion(alone=0, norm=0)
    opinions = {"trainer0": Opinion(norm=10**9), "trainer1": refused, "trainer2": refused}
    play.until_vote(opinions)
    selected = [one for one in play.effects if isinstance(one, AggregateSelected)]
    first = play.task.model
    _finish(play)
    committed = [one for one in play.effects if isinstance(one, ModelCommitted)]
    assert len(committed) == 1
    model = cast.aggregate_of(selected[0].weights)
    assert (committed[0].parent, committed[0].model) == (first, model)
    assert committed[0].version == play.task.version == 1
    assert play.task.model == model
    assert play.task.clip == 3_000 * 4 // 3


def test_ladder_shortens_the_step_then_drops_the_worst_one_and_three_and_gives_up() -> None:
    play = Play(trainers=6)
    play.until_vote({name: Opinion(alone=100 + i) for i, name in enumerate(play.trainers)})
    present: list[list[int]] = []
    for _ in range(5):
        present.append([i for i, one in enumerate(play.round.updates) if one.weight])
        # Reputation is measured against all that were accepted, dropped or not.
        assert play.round.median == 102
        play.vote()
        play.report(changes=BAD_REPORT)
        play.wait(1_000)
    everybody = [0, 1, 2, 3, 4, 5]
    assert present == [everybody, everybody, everybody, everybody[1:], everybody[3:]]
    rungs = [one.rung for one in play.effects if isinstance(one, AggregateSelected)]
    assert rungs == [0, 1, 2, 3, 4]
    assert play.outcome() == "null"
    assert play.task.version == 0
    assert play.reasons("trainer0") == [Reason.DROPPED]
    assert play.reasons("trainer5") == [Reason.NOT_COMMITTED]


def test_ladder_commits_what_passes_after_a_drop() -> None:
    play = Play(trainers=3)
    play.until_vote({"trainer0": Opinion(alone=120), "trainer2": Opinion(alone=50)})
    for _ in range(3):
        play.vote()
        play.report(changes=BAD_REPORT)
        play.wait(100)
    assert [one.weight > 0 for one in play.round.updates] == [True, True, False]
    assert play.round.gain_total == sum(one.gain for one in play.round.updates[:2])
    _finish(play)
    assert play.outcome() == "committed"
    assert play.earned("trainer2") == 0
    assert play.paid("trainer2") == BOND


def test_ladder_is_climbed_when_no_hash_has_two_thirds() -> None:
    play = Play(trainers=3)
    play.until_vote()
    play.vote(play.validators[:2])
    play.vote(play.validators[2:], aggregate=b"y" * 32)
    play.wait(100)
    assert play.phase is Phase.AGGREGATE
    assert play.round.rung == 1
    play.close()
    play.wait(100)
    assert play.round.rung == 2


def test_votes_are_judged_by_the_quorum_of_their_own_rung() -> None:
    play = Play(trainers=2)
    play.until_vote()
    play.vote()
    play.report(changes=BAD_REPORT)
    play.wait(100)
    assert play.round.rung == 1
    # No two thirds agree at this rung, so nobody's vote is known to be wrong.
    play.vote(play.validators[:2])
    play.vote(play.validators[2:], aggregate=b"z" * 32)
    play.run_out()
    assert play.outcome() == "null"
    assert not [one for name in play.validators for one in play.slashes(name)]


def test_guard_median_decides_not_the_loudest_report() -> None:
    play = Play()
    play.until_vote()
    play.vote()
    play.report(play.validators[:3])
    play.report(["validator3"], changes=(2**31 - 1, 2**31 - 1))
    play.settle()
    assert play.outcome() == "committed"


def test_guard_needs_reports_of_two_thirds() -> None:
    play = Play(trainers=1)
    play.until_vote()
    play.vote()
    play.report(play.validators[:2])
    play.run_out()
    assert play.outcome() == "null"


def test_every_guard_measure_has_to_pass() -> None:
    play = Play(trainers=1, offer=Offer(guard_bounds=(0, 5, 5)))
    play.until_vote()
    play.vote()
    play.report(changes=(-50, 5, 6))
    play.wait(100)
    assert play.round.rung == 1
    play.run_out()
    assert play.outcome() == "null"
