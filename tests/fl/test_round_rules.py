"""Who may call what, when; and that a round goes on whoever is away."""

from dataclasses import replace

import pytest

from fl.rules.calls import Chain, Wake
from fl.rules.effects import PhaseEntered, ScheduleWake
from fl.rules.errors import Rule
from fl.rules.limits import STEPS_MAX
from fl.rules.phase import Phase
from fl.rules.round import tick
from fl.rules.scorecard import RECORD_SIZE_BYTES
from primitives.ids import Address, Power
from tests.fl import cast
from tests.fl.cast import SALT, Offer, Opinion, address
from tests.fl.play import SPONSOR, Play

BOND = 1_000_000
H = b"h" * 32


@pytest.mark.parametrize(
    "offer",
    [
        Offer(reward=-1),
        Offer(reward=2**63),
        Offer(bond=BOND - 1),
        Offer(bond=2**63),
        Offer(slots=0),
        Offer(slots=101),
        Offer(ready=-1),
        Offer(slots=5, ready=6),
        Offer(epsilon=-1),
        Offer(epsilon=2**31),
        Offer(band_min=0),
        Offer(harm=-1),
        Offer(clip_min=0),
        Offer(clip=299),
        Offer(clip=2**63),
        Offer(windows=(10_000,) * 6),
        Offer(windows=(10_000,) * 6 + (999,)),
        Offer(windows=(10_000,) * 6 + (604_800_001,)),
        Offer(guard_bounds=()),
        Offer(guard_bounds=(0,) * 17),
        Offer(guard_bounds=(2**31,)),
        Offer(identity_percent=14),
        Offer(identity_percent=101),
    ],
)
def test_terms_out_of_bounds_are_refused(offer: Offer) -> None:
    play = Play()
    assert play.refused("create_task", offer.args, by=SPONSOR) == Rule.BAD_TERMS.value


@pytest.mark.parametrize("place", [0, 1])
def test_task_needs_hashes_of_32_bytes(place: int) -> None:
    play = Play()
    args = list(Offer().args)
    args[place] = b"short"
    assert play.refused("create_task", tuple(args), by=SPONSOR) == Rule.BAD_TERMS.value


@pytest.mark.parametrize("task", [-1, 1, 2**200])
def test_unknown_task_is_refused(task: int) -> None:
    assert Play().refused("open_round", (task,), by="anyone") == Rule.NO_TASK.value


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("open_round", (0,)),
        ("close_task", (0,)),
        ("reveal", (0, H, H)),
        ("attest", (0, 1)),
        ("commit_scores", (0, H)),
        ("reveal_scores", (0, b"", H)),
        ("vote", (0, H)),
        ("report", (0, (0, 0))),
        ("advance", (0, 1)),
        ("claim", (0, Address(H), 1)),
    ],
)
def test_money_where_none_is_wanted_is_refused(method: str, args: tuple[object, ...]) -> None:
    refusal = Play().refused(method, args, by=SPONSOR, value=1)
    assert refusal == Rule.NO_MONEY_WANTED.value


ALL_CALLS: list[tuple[str, str, tuple[object, ...]]] = [
    ("trainer2", "commit", (0, H)),
    ("trainer0", "reveal", (0, cast.root_of("trainer0"), SALT)),
    ("validator0", "attest", (0, 1)),
    ("validator0", "commit_scores", (0, H)),
    ("validator0", "reveal_scores", (0, b"", SALT)),
    ("validator0", "vote", (0, H)),
    ("validator0", "report", (0, (0, 0))),
]


@pytest.mark.parametrize(("by", "method", "args"), ALL_CALLS)
def test_without_a_round_nothing_can_be_given(
    by: str, method: str, args: tuple[object, ...]
) -> None:
    value = BOND if method == "commit" else 0
    assert Play().refused(method, args, by=by, value=value) == Rule.NO_ROUND.value


def test_each_call_has_its_phase_and_none_is_taken_after_the_deadline() -> None:
    play = Play()
    seen: list[Phase] = []

    def check(own: str) -> None:
        assert play.phase is not None
        seen.append(play.phase)
        for by, method, args in ALL_CALLS:
            if method != own:
                value = BOND if method == "commit" else 0
                assert play.refused(method, args, by=by, value=value) == Rule.WRONG_PHASE.value
        now_ms, play.now_ms = play.now_ms, play.round.deadline_ms
        by, method, args = next(one for one in ALL_CALLS if one[1] == own)
        value = BOND if method == "commit" else 0
        assert play.refused(method, args, by=by, value=value) == Rule.PHASE_OVER.value
        play.now_ms = now_ms

    play.open()
    check("commit")
    play.commit("trainer0", "trainer1")
    play.close()
    check("reveal")
    play.reveal("trainer0", "trainer1")
    check("attest")
    play.attest()
    check("commit_scores")
    scores = play.card({})
    for name in play.validators:
        commitment = cast.score_commitment(play.place(name), scores=scores)
        play.must("commit_scores", (0, commitment), by=name)
    check("reveal_scores")
    for name in play.validators:
        play.must("reveal_scores", (0, scores, SALT), by=name)
    play.wait(100)
    check("vote")
    play.vote()
    check("report")
    play.report()
    assert play.phase is Phase.SETTLE
    for by, method, args in ALL_CALLS:
        value = BOND if method == "commit" else 0
        assert play.refused(method, args, by=by, value=value) == Rule.WRONG_PHASE.value
    assert len(seen) == 7


def test_commit_wants_the_bond_a_registration_and_one_commitment_of_32_bytes() -> None:
    play = Play()
    play.open()

    def refusal(by: str, commitment: bytes = H, value: int = BOND) -> str:
        return play.refused("commit", (0, commitment), by=by, value=value)

    assert refusal("trainer0", value=BOND - 1) == Rule.WRONG_BOND.value
    assert refusal("trainer0", value=BOND + 1) == Rule.WRONG_BOND.value
    assert refusal("trainer0", commitment=b"short") == Rule.BAD_HASH.value
    assert refusal("stranger") == Rule.NOT_REGISTERED.value
    play.commit("trainer0")
    assert refusal("trainer0") == Rule.ALREADY.value


def test_reveal_opens_the_own_commitment_once() -> None:
    play = Play()
    play.open()
    play.commit("trainer0", "trainer1")
    # The same bytes from another key open nothing: the key is part of what is committed to.
    stolen = play.commitment("trainer0")
    play.must("commit", (0, stolen), by="trainer2", value=BOND)
    play.close()
    root = cast.root_of("trainer0")

    def refusal(by: str, root: bytes = root, salt: bytes = SALT) -> str:
        return play.refused("reveal", (0, root, salt), by=by)

    assert refusal("stranger") == Rule.NO_UPDATE.value
    assert refusal("trainer0", root=H) == Rule.WRONG_OPENING.value
    assert refusal("trainer0", salt=b"") == Rule.BAD_HASH.value
    assert refusal("trainer2") == Rule.WRONG_OPENING.value
    play.reveal("trainer0")
    assert refusal("trainer0") == Rule.ALREADY.value


@pytest.mark.parametrize("held", [0, -1, 0b100, 0b1000, 1 << 300])
def test_attestation_is_of_new_revealed_updates(held: int) -> None:
    play = Play()
    play.open()
    play.commit(*play.trainers)
    play.close()
    play.reveal("trainer0", "trainer1")
    play.close()
    assert play.refused("attest", (0, held), by="validator0") == Rule.BAD_HOLDINGS.value
    play.attest(["validator0"], held=0b01)
    assert play.refused("attest", (0, 0b11), by="validator0") == Rule.BAD_HOLDINGS.value
    play.attest(["validator0"], held=0b10)
    assert play.refused("attest", (0, 0b01), by="trainer0") == Rule.NOT_SEATED.value


def test_scores_are_committed_once_and_opened_as_committed() -> None:
    play = Play()
    play.until_scores()
    scores = play.card({})
    commitment = cast.score_commitment(play.place("validator0"), scores=scores)
    assert play.refused("commit_scores", (0, b"x"), by="validator0") == Rule.BAD_HASH.value
    assert play.refused("commit_scores", (0, H), by="trainer0") == Rule.NOT_SEATED.value
    play.must("commit_scores", (0, commitment), by="validator0")
    assert play.refused("commit_scores", (0, H), by="validator0") == Rule.ALREADY.value
    # A copied commitment is worthless: it names another key.
    play.must("commit_scores", (0, commitment), by="validator1")
    play.must("commit_scores", (0, H), by="validator2")
    play.close()

    def refusal(by: str, scores: bytes = scores, salt: bytes = SALT) -> str:
        return play.refused("reveal_scores", (0, scores, salt), by=by)

    assert refusal("validator3") == Rule.NO_SCORE_COMMITMENT.value
    assert refusal("validator1") == Rule.WRONG_OPENING.value
    assert refusal("validator0", salt=b"") == Rule.BAD_HASH.value
    assert refusal("validator0", scores=scores[:-1]) == Rule.BAD_SCORECARD.value
    other = play.card({"trainer0": Opinion(alone=99)})
    assert len(other) == 3 * RECORD_SIZE_BYTES
    assert refusal("validator0", scores=other) == Rule.WRONG_OPENING.value
    play.must("reveal_scores", (0, scores, SALT), by="validator0")
    assert refusal("validator0") == Rule.ALREADY.value


def test_votes_and_reports_are_given_once_and_in_form() -> None:
    play = Play()
    play.until_vote()
    assert play.refused("vote", (0, b"short"), by="validator0") == Rule.BAD_HASH.value
    play.vote(["validator0"])
    assert play.refused("vote", (0, H), by="validator0") == Rule.ALREADY.value
    play.vote(play.validators[1:])
    for changes in ((), (0,), (0, 0, 0), (0, 2**31), (-(2**31) - 1, 0)):
        refusal = play.refused("report", (0, changes), by="validator0")
        assert refusal == Rule.BAD_REPORT.value
    play.report(["validator0"])
    assert play.refused("report", (0, (0, 0)), by="validator0") == Rule.ALREADY.value


def test_only_the_sponsor_closes_and_only_money_tops_up() -> None:
    play = Play()
    assert play.refused("close_task", (0,), by="anyone") == Rule.NOT_SPONSOR.value
    assert play.refused("top_up", (0,), by="anyone") == Rule.NO_MONEY.value


def test_one_round_at_a_time_and_none_without_a_committee() -> None:
    play = Play()
    play.open()
    assert play.refused("open_round", (0,), by="anyone") == Rule.ROUND_RUNNING.value
    play.close()
    play.settle()
    play.system.set_chain(Chain(()))
    assert play.refused("open_round", (0,), by="anyone") == Rule.NO_COMMITTEE.value


def test_committee_of_the_round_is_frozen_when_it_is_opened() -> None:
    play = Play()
    play.until_scores()
    play.system.set_chain(Chain(((address("newcomer"), Power(1)),)))
    assert play.refused("commit_scores", (0, H), by="newcomer") == Rule.NOT_SEATED.value
    play.score()
    play.vote()
    play.report()
    play.settle()
    assert play.outcome() == "committed"


def test_first_64_of_a_larger_committee_have_seats() -> None:
    play = Play()
    many = tuple((address(f"seat{index}"), Power(100)) for index in range(70))
    play.system.set_chain(Chain(many))
    play.open()
    assert len(play.round.seats) == 64
    assert play.round.quorum == 6_400 * 2 // 3 + 1


def test_anyone_drives_a_round_that_the_scheduler_forgot() -> None:
    play = Play()
    play.open()
    play.commit(*play.trainers)
    assert play.refused("advance", (0, 1), by="anyone") == Rule.NOT_YET.value
    for steps in (0, STEPS_MAX + 1, -1):
        assert play.refused("advance", (0, steps), by="anyone") == Rule.BAD_STEPS.value
    play.now_ms = play.round.deadline_ms
    play.must("advance", (0, STEPS_MAX), by="anyone")
    assert play.phase is Phase.REVEAL
    play.reveal(*play.trainers)
    play.attest()
    scores = play.card({})
    for name in play.validators:
        commitment = cast.score_commitment(play.place(name), scores=scores)
        play.must("commit_scores", (0, commitment), by=name)
    for name in play.validators:
        play.must("reveal_scores", (0, scores, SALT), by=name)
    # Three updates and the weights; then three updates, the shares, four seats and the end.
    assert _steps_in(play, Phase.SELECT) == 3 + 1
    play.vote()
    play.report()
    assert _steps_in(play, Phase.SETTLE) == 3 + 1 + 4 + 1
    assert play.refused("advance", (0, 1), by="anyone") == Rule.NO_ROUND.value


def _steps_in(play: Play, phase: Phase) -> int:
    steps = 0
    while play.phase is phase:
        play.must("advance", (0, 1), by="anyone")
        steps += 1
    return steps


def test_wake_that_comes_early_or_late_or_twice_changes_nothing() -> None:
    play = Play()
    play.open()
    play.commit(*play.trainers)
    before = play.task
    play.wait(1)
    assert play.task is before
    play.now_ms = play.round.deadline_ms
    play.must("advance", (0, 1), by="anyone")
    before = play.task
    play.wait(0)
    assert play.task == before


def test_wake_of_an_earlier_phase_takes_no_step_in_a_later_one() -> None:
    play = Play()
    play.until_vote()
    play.vote()
    play.report()
    assert play.phase is Phase.SETTLE
    stale = Wake(play.moment, 0, play.task.serial - 1)
    assert tick(play.system.state, stale, chain=Chain(())) == (play.system.state, ())
    due = Wake(play.moment, 0, play.task.serial)
    assert tick(play.system.state, due, chain=Chain(())) != (play.system.state, ())


def test_one_wake_is_asked_for_at_a_time() -> None:
    play = Play(trainers=2)
    play.open()
    play.commit(*play.trainers)
    play.close()
    play.wait(100_000)
    # COMMIT, REVEAL, SETTLE; the three steps of SETTLE are one wake's work.
    asked = [one for one in play.effects if isinstance(one, ScheduleWake)]
    entered = [one for one in play.effects if isinstance(one, PhaseEntered)]
    assert len(asked) == len(entered) == 3


def test_long_settlement_is_woken_until_it_is_done() -> None:
    play = Play(trainers=20)
    play.open()
    play.commit(*play.trainers)
    play.close()
    play.wait(100_000)
    # 20 updates and the end are 21 steps. The wake that ends REVEAL takes seven of them, the one
    # that SETTLE asked for eight, and one more the rest.
    asked = [one for one in play.effects if isinstance(one, ScheduleWake)]
    assert len(asked) == 3 + 1
    assert play.task.running is None


def test_everybody_done_ends_a_phase_before_its_deadline_but_for_commit() -> None:
    play = Play()
    play.open()
    started = play.now_ms
    play.commit(*play.trainers)
    assert play.phase is Phase.COMMIT
    play.close()
    play.whole_from_reveal()
    assert play.outcome() == "committed"
    assert play.now_ms - started < 10_000 + 2_000


def test_round_with_as_many_updates_as_its_task_asks_for_goes_on_at_once() -> None:
    play = Play(offer=Offer(slots=3, ready=2))
    play.open()
    started = play.now_ms
    play.commit("trainer2", "trainer0")
    assert play.phase is Phase.REVEAL
    assert play.now_ms == started
    commitment = play.commitment("trainer1")
    refusal = play.refused("commit", (0, commitment), by="trainer1", value=BOND)
    assert refusal == Rule.WRONG_PHASE.value
    play.whole_from_reveal("trainer2", "trainer0")
    assert play.outcome() == "committed"
    assert play.now_ms - started < 2_000


def test_round_that_is_not_ready_by_the_deadline_goes_on_with_what_it_has() -> None:
    play = Play(offer=Offer(slots=3, ready=3))
    play.open()
    play.commit("trainer0", "trainer1")
    play.wait(play.offer.windows[0] - 1)
    assert play.phases() == [Phase.COMMIT]
    play.wait(1)
    assert play.phase is Phase.REVEAL


def test_better_reputation_displaces_nobody_once_the_round_is_ready() -> None:
    play = Play(offer=Offer(slots=2, ready=2), rounds=4)
    play.open()
    play.commit("trainer0", "trainer1")
    play.whole_from_reveal("trainer0", "trainer1")
    assert play.standing("trainer0").reputation > play.standing("trainer2").reputation
    play.open()
    play.commit("trainer1", "trainer2")
    commitment = play.commitment("trainer0")
    refusal = play.refused("commit", (0, commitment), by="trainer0", value=BOND)
    assert refusal == Rule.WRONG_PHASE.value


def test_two_tasks_do_not_touch_each_other() -> None:
    play = Play()
    play.must("create_task", replace(play.offer, bond=2 * BOND).args, by="other", value=7)
    play.whole_round()
    other = play.system.view_task(1)
    assert (other.escrow, other.rounds) == (7, 0)
