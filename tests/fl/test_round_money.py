"""Where the money of a round goes, told as rules."""

import pytest

from fl.rules.effects import Purpose, Reason
from fl.rules.errors import Rule
from fl.rules.phase import Phase
from fl.rules.reputation import INITIAL
from tests.fl.cast import BAD_REPORT, Offer, Opinion, address
from tests.fl.play import SPONSOR, Play

E = 1_000_000_000
BOND = 1_000_000


def test_honest_round_pays_trainers_validators_and_storage_48_48_4() -> None:
    play = Play(trainers=10)
    play.whole_round()
    assert play.outcome() == "committed"
    # Equal weights of 6,553.6 become six of 6,554 and four of 6,553, so by weight (70 % of 480 M)
    # 33,602,050 or 33,596,923; by gain (30 %) a tenth, 14,400,000.
    assert [play.earned(name) for name in play.trainers] == [48_002_050] * 6 + [47_996_923] * 4
    assert {play.paid(name) for name in play.validators} == {(480_000_000 + 40_000_000) // 4}
    assert play.burned() == 0
    assert play.task.escrow == 2 * E + E - 479_999_992 - 520_000_000


def test_identity_gets_at_most_15_percent_of_the_trainers_pot_and_the_excess_is_burned() -> None:
    play = Play(trainers=3)
    play.whole_round()
    assert {play.earned(name) for name in play.trainers} == {480_000_000 * 15 // 100}
    assert 0 < 480_000_000 - 3 * 72_000_000 - play.burned() < 10


@pytest.mark.parametrize(("percent", "lost_percent"), [(33, 1), (34, 0), (100, 0)])
def test_task_for_few_trainers_sets_a_cap_that_burns_little_or_nothing(
    percent: int, lost_percent: int
) -> None:
    play = Play(trainers=3, offer=Offer(identity_percent=percent))
    play.whole_round()
    assert play.outcome() == "committed"
    earned = sum(play.earned(name) for name in play.trainers)
    assert abs(earned - 480_000_000 * (100 - lost_percent) // 100) < 10_000
    assert abs(play.burned() - 480_000_000 * lost_percent // 100) < 10_000


def test_everybody_honest_gets_the_bond_back() -> None:
    play = Play()
    play.whole_round()
    assert [play.paid(name, Purpose.BOND) for name in play.trainers] == [BOND] * 3


def test_withheld_reveal_loses_the_bond_and_an_eighth_of_the_reputation() -> None:
    play = Play()
    play.open()
    play.commit(*play.trainers)
    play.close()
    play.reveal("trainer1", "trainer2")
    play.close()
    play.attest()
    play.score()
    play.vote()
    play.report()
    play.settle()
    assert play.paid("trainer0") == 0
    assert play.earned("trainer0") == 0
    assert play.reasons("trainer0") == [Reason.WITHHELD]
    assert play.standing("trainer0").reputation == INITIAL - INITIAL // 8
    assert play.outcome() == "committed"


def test_round_with_no_commit_is_null_and_costs_nobody_anything() -> None:
    play = Play()
    play.open()
    assert play.task.escrow == 2 * E
    play.close()
    play.settle()
    assert play.outcome() == "null"
    assert play.task.escrow == 3 * E


def test_round_with_no_reveal_is_null_and_burns_the_bonds() -> None:
    play = Play()
    play.open()
    play.commit(*play.trainers)
    play.close()
    play.close()
    play.settle()
    assert play.outcome() == "null"
    assert play.burned() == 3 * BOND
    assert play.task.escrow == 3 * E


@pytest.mark.parametrize("present", [0, 1, 2])
def test_two_thirds_absent_in_scoring_is_a_null_round_and_everybody_is_refunded(
    present: int,
) -> None:
    play = Play()
    play.until_scores()
    play.score(silent=play.validators[present:])
    play.settle()
    assert play.outcome() == "null"
    assert [play.paid(name, Purpose.BOND) for name in play.trainers] == [BOND] * 3
    assert play.task.escrow == 3 * E
    assert play.reasons("trainer0") == [Reason.UNSCORED]
    # Who committed scores never had a chance to reveal them.
    assert Phase.SCORE_REVEAL not in play.phases()
    assert not play.slashes("validator0")


def test_blob_that_too_few_hold_is_dropped_and_its_bond_returned() -> None:
    play = Play()
    play.open()
    play.commit(*play.trainers)
    play.close()
    play.reveal(*play.trainers)
    play.attest(held=0b110)
    play.attest(play.validators[:2], held=0b001)
    play.close()
    play.score()
    assert [one.weight for one in play.round.updates] == [0, 32_768, 32_768]
    play.vote()
    play.report()
    play.settle()
    assert play.reasons("trainer0") == [Reason.UNAVAILABLE]
    assert play.paid("trainer0") == BOND
    assert play.earned("trainer0") == 0
    assert play.outcome() == "committed"


def test_round_whose_blobs_too_few_hold_is_not_scored() -> None:
    play = Play()
    play.open()
    play.commit(*play.trainers)
    play.close()
    play.reveal(*play.trainers)
    play.attest(play.validators[:2])
    play.close()
    play.settle()
    assert Phase.SCORE_COMMIT not in play.phases()
    assert play.outcome() == "null"
    assert [play.paid(name) for name in play.trainers] == [BOND] * 3
    assert play.task.escrow == 3 * E


def test_low_quality_gets_no_reward_and_loses_neither_bond_nor_stake() -> None:
    play = Play()
    play.whole_round({"trainer0": Opinion(alone=10, left_out=-900)})
    assert play.reasons("trainer0") == [Reason.LOW_QUALITY]
    assert play.paid("trainer0") == BOND
    assert play.earned("trainer0") == 0
    assert not play.slashes("trainer0")
    assert play.standing("trainer0").reputation == INITIAL - 410  # ceil(6554 / 16)


def test_junk_alone_leaves_the_reward_with_the_sponsor() -> None:
    play = Play()
    play.whole_round(dict.fromkeys(play.trainers, Opinion(alone=-5)))
    assert play.outcome() == "null"
    assert play.task.escrow == 3 * E
    assert play.phase is None


def test_validators_are_paid_whether_the_guard_passes_or_not() -> None:
    play = Play(trainers=1)
    play.until_vote()
    while play.phase is Phase.AGGREGATE:
        play.vote()
        play.report(changes=BAD_REPORT)
        play.wait(100)
    assert play.outcome() == "null"
    assert {play.paid(name) for name in play.validators} == {130_000_000}
    assert play.reasons("trainer0") == [Reason.NOT_COMMITTED]
    assert play.earned("trainer0") == 0
    assert play.task.escrow == 3 * E - 520_000_000


def test_validator_that_does_not_score_gets_only_its_storage_part() -> None:
    play = Play()
    play.until_scores()
    play.score(silent=["validator3"])
    play.vote()
    play.report()
    play.settle()
    assert play.paid("validator3") == 10_000_000
    assert play.paid("validator0") == 160_000_000 + 10_000_000
    assert not play.slashes("validator3")


def test_storage_is_paid_by_blobs_held() -> None:
    play = Play()
    play.open()
    play.commit(*play.trainers)
    play.close()
    play.reveal(*play.trainers)
    play.attest(play.validators[:3])
    play.attest(["validator3"], held=0b010)
    play.close()
    play.score()
    play.vote()
    play.report()
    play.settle()
    # Three hold three blobs each and one holds one: of 40 M, tenths of 3, 3, 3 and 1.
    storage = [play.paid(name) - 120_000_000 for name in play.validators]
    assert storage == [12_000_000] * 3 + [4_000_000]


def test_validator_that_withholds_committed_scores_is_up_for_half_a_percent() -> None:
    play = Play()
    play.until_scores()
    play.score(withheld=["validator3"])
    play.vote()
    play.report()
    play.settle()
    assert [one.basis_points for one in play.slashes("validator3")] == [50]
    assert play.standing("validator3").reputation == INITIAL - INITIAL // 8
    assert play.paid("validator3") == 10_000_000


def test_scores_of_too_few_make_a_null_round_and_cost_those_who_withheld_theirs() -> None:
    play = Play()
    play.until_scores()
    play.score(withheld=["validator2", "validator3"])
    play.settle()
    assert play.outcome() == "null"
    assert play.task.escrow == 3 * E
    assert [one.basis_points for one in play.slashes("validator3")] == [50]
    assert not play.slashes("validator0")
    assert play.reasons("trainer0") == [Reason.UNSCORED]
    assert play.task.scored == 0


def test_validator_with_another_hash_than_two_thirds_is_up_for_30_percent() -> None:
    play = Play()
    play.until_vote()
    play.vote(play.validators[:3])
    play.vote(["validator3"], aggregate=b"x" * 32)
    play.report()
    play.settle()
    assert [one.basis_points for one in play.slashes("validator3")] == [3_000]
    assert play.paid("validator3") < play.paid("validator0")
    assert not play.slashes("validator0")


def test_validator_that_misses_a_duty_is_paid_for_the_others() -> None:
    play = Play()
    play.until_vote()
    play.vote()
    play.report(play.validators[:3])
    play.close()
    play.settle()
    shares = [play.paid(name) - 10_000_000 for name in play.validators]
    assert shares[3] == 480_000_000 * 3 // 15
    assert shares[:3] == [480_000_000 * 4 // 15] * 3


def test_validator_that_does_not_vote_at_the_last_rung_is_paid_less() -> None:
    play = Play(trainers=1)
    play.until_vote()
    while play.phase is Phase.AGGREGATE:
        play.vote(play.validators[:2])
        play.close()
        play.wait(100)
    assert play.outcome() == "null"
    # Holding, scoring and voting are three duties: shares of 3, 3, 2 and 2 tenths.
    shares = [play.paid(name) - 10_000_000 for name in play.validators]
    assert shares == [144_000_000, 144_000_000, 96_000_000, 96_000_000]


def test_early_support_of_a_good_trainer_pays_more_than_late() -> None:
    def play_one(opinion: Opinion) -> None:
        play.until_scores()
        play.score(liars={"validator3": {"trainer0": opinion}})
        play.vote()
        play.report()
        play.settle()

    play = Play(trainers=1, rounds=10)
    for _ in range(3):
        play_one(Opinion(alone=-50))
    before = {name: play.paid(name) for name in play.validators}
    play_one(Opinion())
    late, early = (play.paid(name) - before[name] for name in ("validator3", "validator0"))
    # Support is 1 - 0.9**4 = 0.3439 against 0.1: of 480 M, (1.3439, 1.1) / 5.1317.
    assert early - 10_000_000 == pytest.approx(480_000_000 * 1.3439 / 5.1317, rel=1e-4)
    assert late - 10_000_000 == pytest.approx(480_000_000 * 1.1 / 5.1317, rel=1e-4)


def test_reward_vests_seven_scored_rounds_later() -> None:
    play = Play(offer=Offer(windows=(1_000,) + (100_000_000,) * 6), rounds=20)
    play.whole_round()
    first = play.earned("trainer0")
    for _ in range(6):
        play.whole_round()
    claim = (0, address("trainer0"), 1)
    assert play.refused("claim", claim, by="anyone") == Rule.NOTHING_VESTED.value
    play.whole_round()
    play.must("claim", claim, by="anyone")
    assert play.paid("trainer0", Purpose.REWARD) == first


def test_reward_vests_with_time_when_no_round_follows() -> None:
    play = Play()
    play.whole_round()
    earned = play.earned("trainer0")
    play.wait(7 * play.task.terms.round_ms)
    play.must("claim", (0, address("trainer0"), 1), by="anyone")
    assert play.paid("trainer0", Purpose.REWARD) == earned
    assert play.earned("trainer0") == 0


def test_proven_copy_burns_a_hundredth_of_what_has_not_vested() -> None:
    play = Play(rounds=5)
    play.whole_round()
    before, burned = play.earned("trainer1"), play.burned()
    play.open()
    play.commit("trainer0")
    play.height += 1
    play.commit("trainer1", "trainer2")
    play.close()
    play.reveal(*play.trainers)
    play.attest()
    play.score({"trainer1": Opinion(original=0)}, silent=())
    play.close()
    play.close()
    play.wait(200_000)
    assert play.reasons("trainer1") == [Reason.COPY]
    assert play.earned("trainer1") == before - before // 100
    assert play.burned() == burned + BOND + before // 100


def test_closing_waits_for_the_running_round_and_then_returns_the_escrow() -> None:
    play = Play()
    play.until_vote()
    play.must("close_task", (0,), by=SPONSOR)
    assert play.paid(SPONSOR) == 0
    play.vote()
    play.report()
    play.settle()
    assert play.paid(SPONSOR, Purpose.ESCROW) == 3 * E - 736_000_000 - play.burned()
    assert play.task.is_closed
    assert play.refused("open_round", (0,), by=SPONSOR) == Rule.TASK_CLOSED.value
    assert play.refused("top_up", (0,), by=SPONSOR, value=5) == Rule.TASK_CLOSED.value
    assert play.refused("close_task", (0,), by=SPONSOR) == Rule.TASK_CLOSED.value


def test_rewards_can_be_claimed_after_the_task_is_closed() -> None:
    play = Play()
    play.whole_round()
    play.must("close_task", (0,), by=SPONSOR)
    play.wait(10_000_000)
    for name in play.trainers:
        play.must("claim", (0, address(name), 1), by="anyone")
    assert play.system.balance() == 0


def test_anybody_may_top_up_and_it_is_the_sponsors_then() -> None:
    play = Play(rounds=0)
    assert play.refused("open_round", (0,), by="anyone") == Rule.UNFUNDED.value
    play.must("top_up", (0,), by="friend", value=E)
    play.open()
    play.close()
    play.settle()
    play.must("close_task", (0,), by=SPONSOR)
    assert play.paid(SPONSOR) == E
    assert play.paid("friend") == 0


def test_full_round_makes_room_for_a_better_reputation_and_refunds_the_displaced() -> None:
    play = Play(trainers=3, offer=Offer(slots=2), rounds=5)
    play.open()
    play.commit("trainer0", "trainer1")
    rule = play.refused("commit", (0, play.commitment("trainer2")), by="trainer2", value=BOND)
    assert rule == Rule.FULL.value
    play.close()
    play.reveal("trainer0", "trainer1")
    play.attest()
    play.score({"trainer1": Opinion(alone=0)})
    play.vote()
    play.report()
    play.settle()
    play.open()
    play.commit("trainer1", "trainer2", "trainer0")
    # Trainer 1 stood lowest, so trainer 0 now has its place.
    assert [one.trainer.address for one in play.round.updates] == [
        address("trainer0"),
        address("trainer2"),
    ]
    assert play.paid("trainer1", Purpose.BOND) == 2 * BOND
    assert play.reasons("trainer1")[-1] is Reason.DISPLACED
    assert play.phase is Phase.COMMIT


@pytest.mark.slow
def test_largest_round_ends_with_every_grain_accounted_for() -> None:
    play = Play(trainers=100, validators=64)
    play.whole_round()
    assert play.outcome() == "committed"
    assert len({play.earned(name) for name in play.trainers}) == 2
    assert {play.paid(name) for name in play.validators} == {520_000_000 // 64}
    for name in play.trainers:
        assert play.paid(name) == BOND
    play.must("close_task", (0,), by=SPONSOR)
    play.wait(10_000_000)
    for name in play.trainers:
        play.must("claim", (0, address(name), 1), by="anyone")
    assert play.system.balance() == 0
