"""What is due: every phase, for every role, with every result at hand or not, in time or late."""

import itertools
from collections.abc import Iterable

import pytest

from fl.rules.phase import Phase
from node.duties.duty import Duty, Plan, Step, Trouble
from node.duties.performing import TRANSACTIONS
from node.duties.planner import Planner, Tuning
from node.duties.situation import Belongings, Deed, Entry, Role, RunningRound, Situation
from primitives.ids import Address

ME, OTHER, THIRD = (Address(bytes([number]) * 32) for number in (1, 2, 3))
ROOT, FOREIGN = b"r" * 32, b"f" * 32
MODEL, AGGREGATE = b"m" * 32, b"a" * 32
START_MS, WINDOW_MS = 1_000_000, 10_000
DEADLINE_MS = START_MS + WINDOW_MS
EVERYTHING = frozenset(Role)
TUNING = Tuning(pause_empty_ms=1_000, turn_ms=2_000, stall_ms=1_500, claim_min=50)
MINE = Entry(trainer=ME, root=ROOT, attested=3, weight=30_000)
THEIRS = Entry(trainer=OTHER, root=FOREIGN, attested=3, weight=35_536)
READY = Belongings(has_model=True, known_version=0)
WAITING = [phase for phase in Phase if phase.window is not None]


def running(phase: Phase, **changes: object) -> RunningRound:
    is_waiting = phase.window is not None
    given = {
        "number": 4,
        "phase": phase,
        "deadline_ms": DEADLINE_MS if is_waiting else START_MS,
        "window_ms": WINDOW_MS if is_waiting else 0,
        "seats": (ME, OTHER, THIRD),
        "quorum": 3,
        "entries": (MINE, THEIRS),
    }
    return RunningRound(**{**given, **changes})  # type: ignore[arg-type]


def situation(current: RunningRound | None, **changes: object) -> Situation:
    given = {
        "task": 7,
        "who": ME,
        "model": MODEL,
        "rounds": 5,
        "escrow": 100,
        "reward": 10,
        "registered_at": 3,
        "committee": (ME, OTHER, THIRD),
        "round": current,
    }
    return Situation(**{**given, **changes})  # type: ignore[arg-type]


def plan(
    chain: Situation,
    own: Belongings = READY,
    *,
    roles: Iterable[Role] = EVERYTHING,
    now_ms: int = START_MS + 100,
) -> Plan:
    return Planner(roles=frozenset(roles), tuning=TUNING).plan(chain, own, now_ms=now_ms)


def steps(chain: Situation, own: Belongings = READY, **options: object) -> list[Step]:
    return [duty.step for duty in plan(chain, own, **options).duties]  # type: ignore[arg-type]


def having(**changes: object) -> Belongings:
    return Belongings(**{"has_model": True, "known_version": 0, **changes})  # type: ignore[arg-type]


# COMMIT.

BEFORE_COMMIT = situation(running(Phase.COMMIT, entries=()))


def test_trainer_trains_then_commits_then_waits() -> None:
    assert steps(BEFORE_COMMIT) == [Step.TRAIN]
    assert steps(BEFORE_COMMIT, having(update_root=ROOT)) == [Step.COMMIT_UPDATE]
    done = situation(running(Phase.COMMIT, entries=(Entry(trainer=ME),)))
    assert steps(done, having(update_root=ROOT)) == []


def test_trainer_without_the_model_fetches_it_first() -> None:
    own = having(has_model=False, known_version=-1)
    assert steps(BEFORE_COMMIT, own, roles=[Role.TRAINER]) == [Step.FETCH_MODEL]


def test_trainer_without_identity_or_in_quarantine_is_told_so() -> None:
    unknown = situation(running(Phase.COMMIT, entries=()), registered_at=0)
    assert plan(unknown) == Plan((), frozenset({Trouble.NOT_REGISTERED}))
    banned = situation(running(Phase.COMMIT, entries=()), is_quarantined=True)
    assert plan(banned) == Plan((), frozenset({Trouble.QUARANTINED}))


def test_late_trainer_does_nothing_any_more() -> None:
    assert steps(BEFORE_COMMIT, roles=[Role.TRAINER], now_ms=DEADLINE_MS) == []
    assert steps(BEFORE_COMMIT, having(update_root=ROOT), now_ms=DEADLINE_MS) == []


def test_displaced_trainer_commits_again() -> None:
    others = situation(running(Phase.COMMIT, entries=(Entry(trainer=OTHER),)))
    assert steps(others, having(update_root=ROOT)) == [Step.COMMIT_UPDATE]


def test_who_only_validates_does_not_train() -> None:
    assert steps(BEFORE_COMMIT, roles=[Role.VALIDATOR, Role.SCORER]) == []


# REVEAL.

HIDDEN = situation(running(Phase.REVEAL, entries=(Entry(trainer=ME), Entry(trainer=OTHER))))


def test_trainer_offers_its_update_before_it_reveals() -> None:
    assert steps(HIDDEN, having(update_root=ROOT)) == [Step.OFFER]
    assert steps(HIDDEN, having(update_root=ROOT, is_offered=True)) == [Step.REVEAL_UPDATE]
    assert steps(situation(running(Phase.REVEAL)), having(update_root=ROOT)) == []


def test_lost_update_is_a_trouble_and_no_duty() -> None:
    assert plan(HIDDEN) == Plan((), frozenset({Trouble.LOST_UPDATE}))


@pytest.mark.parametrize("phase", [Phase.AVAILABILITY, Phase.SCORE_COMMIT])
def test_trainer_offers_again_what_a_restart_withdrew(phase: Phase) -> None:
    revealed = situation(running(phase))
    own = having(update_root=ROOT)
    assert steps(revealed, own, roles=[Role.TRAINER]) == [Step.OFFER]
    assert steps(revealed, having(update_root=FOREIGN), roles=[Role.TRAINER]) == []


# AVAILABILITY.

REVEALED = situation(running(Phase.AVAILABILITY))
OFFERED = {"update_root": ROOT, "is_offered": True}


def test_validator_fetches_what_it_lacks_and_attests_all_at_once() -> None:
    found = plan(REVEALED, having(holdings=frozenset({ROOT}), **OFFERED))
    assert found.duties == (Duty(step=Step.FETCH_UPDATES, task=7, round=4, bits=0b10),)
    found = plan(REVEALED, having(holdings=frozenset({ROOT, FOREIGN}), **OFFERED))
    assert found.duties == (Duty(step=Step.ATTEST, task=7, round=4, bits=0b11),)
    assert found.duties[0].indices() == [0, 1]


def test_withheld_update_delays_the_others_to_the_half_of_the_phase_and_no_further() -> None:
    own = having(holdings=frozenset({ROOT}), **OFFERED)
    half_ms = START_MS + WINDOW_MS // 2
    assert steps(REVEALED, own, now_ms=half_ms - 1) == [Step.FETCH_UPDATES]
    assert steps(REVEALED, own, now_ms=half_ms) == [Step.FETCH_UPDATES, Step.ATTEST]


def test_validator_attests_nothing_twice() -> None:
    own = having(holdings=frozenset({ROOT, FOREIGN}), **OFFERED)
    half = situation(running(Phase.AVAILABILITY, held=0b01))
    assert plan(half, own).duties == (Duty(step=Step.ATTEST, task=7, round=4, bits=0b10),)
    assert steps(situation(running(Phase.AVAILABILITY, held=0b11)), own) == []


def test_update_that_was_not_revealed_is_nobodys_concern() -> None:
    entries = (Entry(trainer=ME), Entry(trainer=OTHER))
    assert steps(situation(running(Phase.AVAILABILITY, entries=entries))) == []


# SCORE_COMMIT and SCORE_REVEAL.

HELD = frozenset({ROOT, FOREIGN})
SCORING = situation(running(Phase.SCORE_COMMIT))
PROMISED = frozenset({Deed.PROMISED})


def test_validator_scores_then_commits_then_waits() -> None:
    own = having(holdings=HELD, **OFFERED)
    assert plan(SCORING, own).duties == (Duty(step=Step.JUDGE, task=7, round=4, bits=0b11),)
    assert steps(SCORING, having(has_card=True, **OFFERED)) == [Step.COMMIT_SCORES]
    done = situation(running(Phase.SCORE_COMMIT, deeds=PROMISED))
    assert steps(done, having(has_card=True, **OFFERED)) == []


def test_only_what_a_quorum_holds_is_scored() -> None:
    entries = (MINE, Entry(trainer=OTHER, root=FOREIGN, attested=2))
    chain = situation(running(Phase.SCORE_COMMIT, entries=entries))
    found = plan(chain, having(holdings=HELD, **OFFERED))
    assert found.duties == (Duty(step=Step.JUDGE, task=7, round=4, bits=0b01),)


def test_validator_fetches_late_what_it_must_score() -> None:
    own = having(holdings=frozenset({ROOT}), **OFFERED)
    assert steps(SCORING, own) == [Step.FETCH_UPDATES]


def test_validator_that_missed_versions_replays_them_before_it_scores() -> None:
    chain = situation(running(Phase.SCORE_COMMIT), version=3)
    own = having(holdings=HELD, known_version=1, **OFFERED)
    assert steps(chain, own) == [Step.REPLAY]
    lost = having(holdings=HELD, has_model=False, known_version=1, **OFFERED)
    assert steps(chain, lost) == [Step.FETCH_MODEL]


@pytest.mark.parametrize("current", [None, running(Phase.COMMIT), running(Phase.SCORE_COMMIT)])
def test_history_that_nobody_gives_is_a_trouble_and_still_asked_for(
    current: RunningRound | None,
) -> None:
    lost = having(known_version=1, is_history_beyond_reach=True, holdings=HELD)
    found = plan(situation(current, version=2), lost)
    assert Step.REPLAY in [duty.step for duty in found.duties]
    assert found.troubles == {Trouble.HISTORY_BEYOND_REACH}
    assert not plan(situation(current, version=1), lost).troubles


def test_node_without_torch_scores_nothing_and_says_so() -> None:
    own = having(holdings=HELD)
    for phase in (Phase.SCORE_COMMIT, Phase.GUARD):
        found = plan(situation(running(phase)), own, roles=[Role.VALIDATOR])
        assert found == Plan((), frozenset({Trouble.CANNOT_SCORE}))


def test_validator_reveals_what_it_committed_to() -> None:
    chain = situation(running(Phase.SCORE_REVEAL, deeds=PROMISED))
    assert steps(chain, having(has_card=True)) == [Step.REVEAL_SCORES]
    assert steps(situation(running(Phase.SCORE_REVEAL)), having(has_card=True)) == []
    done = frozenset({Deed.PROMISED, Deed.CARDED})
    assert steps(situation(running(Phase.SCORE_REVEAL, deeds=done)), having(has_card=True)) == []


def test_lost_scorecard_is_scored_again_and_given_up_if_it_is_another() -> None:
    chain = situation(running(Phase.SCORE_REVEAL, deeds=PROMISED))
    found = plan(chain, having(holdings=HELD))
    assert found.troubles == {Trouble.LOST_SCORECARD}
    assert [duty.step for duty in found.duties] == [Step.JUDGE]
    found = plan(chain, having(holdings=HELD, given_up=frozenset({Step.JUDGE})))
    assert found.duties == ()
    assert found.troubles == {Trouble.LOST_SCORECARD, Trouble.CANNOT_SCORE}


# AGGREGATE and GUARD.


def test_validator_aggregates_then_votes_then_waits() -> None:
    chain = situation(running(Phase.AGGREGATE, rung=1))
    own = having(holdings=HELD)
    assert plan(chain, own).duties == (
        Duty(step=Step.AGGREGATE, task=7, round=4, rung=1, bits=0b11),
    )
    assert steps(chain, having(candidates={0: MODEL}, holdings=HELD)) == [Step.AGGREGATE]
    seen = having(candidates={1: AGGREGATE}, reports=frozenset({1}))
    assert steps(chain, seen) == [Step.VOTE]
    done = situation(running(Phase.AGGREGATE, rung=1, deeds=frozenset({Deed.VOTED})))
    assert steps(done, seen) == []
    assert steps(done, having(holdings=HELD)) == []


def test_scorer_evaluates_its_own_candidate_while_votes_travel() -> None:
    chain = situation(running(Phase.AGGREGATE, rung=1))
    voted = situation(running(Phase.AGGREGATE, rung=1, deeds=frozenset({Deed.VOTED})))
    own = having(candidates={1: AGGREGATE})
    assert steps(chain, own) == [Step.VOTE, Step.EVALUATE]
    assert steps(voted, own) == [Step.EVALUATE]
    assert plan(voted, own, roles=[Role.VALIDATOR]) == Plan()
    assert steps(voted, having(candidates={1: AGGREGATE}, given_up={Step.EVALUATE})) == []


def test_only_what_has_weight_is_needed_for_the_aggregate() -> None:
    entries = (MINE, Entry(trainer=OTHER, root=FOREIGN, attested=3))
    chain = situation(running(Phase.AGGREGATE, entries=entries))
    found = plan(chain, having(holdings=frozenset({ROOT})))
    assert found.duties == (Duty(step=Step.AGGREGATE, task=7, round=4, bits=0b01),)


def test_node_without_torch_aggregates_and_votes() -> None:
    chain = situation(running(Phase.AGGREGATE))
    assert steps(chain, having(holdings=HELD), roles=[Role.VALIDATOR]) == [Step.AGGREGATE]


def test_validator_gets_the_candidate_evaluates_it_and_reports() -> None:
    chain = situation(running(Phase.GUARD, aggregate=AGGREGATE))
    assert steps(chain) == [Step.FETCH_CANDIDATE]
    assert steps(chain, having(has_aggregate=True)) == [Step.EVALUATE]
    assert steps(chain, having(has_aggregate=True, has_model=False)) == [Step.FETCH_MODEL]
    assert steps(chain, having(reports=frozenset({0}))) == [Step.REPORT]
    assert steps(chain, having(reports=frozenset({1}), has_aggregate=True)) == [Step.EVALUATE]
    done = situation(running(Phase.GUARD, deeds=frozenset({Deed.REPORTED})))
    assert steps(done, having(reports=frozenset({0}))) == []


# Steps that are due and that nobody took.


@pytest.mark.parametrize("phase", WAITING)
def test_phase_that_stands_still_is_advanced_by_one_seat_after_the_other(phase: Phase) -> None:
    late_ms = DEADLINE_MS + TUNING.stall_ms
    for serial, turn in ((0, 0), (2, 1), (1, 2)):
        chain = situation(running(phase), serial=serial)
        before_ms = late_ms + turn * TUNING.turn_ms - 1
        assert steps(chain, now_ms=before_ms) == []
        assert steps(chain, now_ms=before_ms + 1) == [Step.ADVANCE]


@pytest.mark.parametrize("phase", [Phase.SELECT, Phase.SETTLE])
def test_steps_that_nobody_takes_are_taken(phase: Phase) -> None:
    chain = situation(running(phase))
    assert steps(chain, now_ms=START_MS + TUNING.stall_ms - 1) == []
    assert steps(chain, now_ms=START_MS + TUNING.stall_ms) == [Step.ADVANCE]
    assert steps(chain, roles=[Role.TRAINER], now_ms=START_MS + 60_000) == []


# Between rounds.


def opening(own: Belongings, **changes: object) -> list[int]:
    """Return at which moments, in tuned steps after the end, a round would be opened."""
    chain = situation(None, **changes)
    return [
        now_ms
        for now_ms in range(0, 300_000, 500)
        if Step.OPEN_ROUND in steps(chain, own, now_ms=START_MS + now_ms)
    ]


def test_validators_open_rounds_in_turn() -> None:
    own = having(idle_since_ms=START_MS)
    assert opening(own, rounds=0)[0] == 0
    assert opening(own, rounds=2)[0] == TUNING.turn_ms
    assert opening(own, rounds=1)[0] == 2 * TUNING.turn_ms
    found = plan(situation(None, rounds=3), own, now_ms=START_MS)
    assert found.duties == (Duty(step=Step.OPEN_ROUND, task=7, round=3),)


def test_task_may_ask_for_a_pause_and_empty_rounds_make_it_longer() -> None:
    own = having(idle_since_ms=START_MS)
    assert opening(own, rounds=0, round_pause_ms=5_000)[0] == 5_000
    for empty, pause_ms in ((1, 2_000), (2, 4_000), (6, 64_000), (50, 64_000)):
        own = having(idle_since_ms=START_MS, empty_rounds=empty)
        assert opening(own, rounds=0)[0] == pause_ms


def test_nobody_opens_what_cannot_be_paid_or_is_closing() -> None:
    own = having(idle_since_ms=START_MS)
    assert opening(own, rounds=0, escrow=9) == []
    assert opening(own, rounds=0, reward=0) == []
    assert opening(own, rounds=0, is_closing=True) == []
    assert opening(own, rounds=0, committee=(OTHER, THIRD)) == []


def test_validator_follows_the_model_between_rounds() -> None:
    assert steps(situation(None, version=1), having(idle_since_ms=START_MS)) == [Step.REPLAY]


# At any time.


@pytest.mark.parametrize("phase", [None, *Phase])
def test_what_has_vested_is_claimed_if_it_is_worth_it(phase: Phase | None) -> None:
    current = None if phase is None else running(phase)
    assert Step.CLAIM in steps(situation(current, claimable=50))
    assert Step.CLAIM not in steps(situation(current, claimable=49))


@pytest.mark.parametrize("phase", [None, *Phase])
def test_step_that_is_given_up_is_never_planned(phase: Phase | None) -> None:
    current = None if phase is None else running(phase, entries=())
    own = having(given_up=frozenset(Step))
    assert steps(situation(current, claimable=1_000), own, now_ms=DEADLINE_MS + 60_000) == []


FLAGS: list[dict[str, object]] = [
    {"has_model": True},
    {"known_version": 0},
    {"update_root": ROOT},
    {"is_offered": True},
    {"holdings": HELD},
    {"has_card": True},
    {"candidates": {0: AGGREGATE}},
    {"has_aggregate": True},
    {"reports": frozenset({0})},
]
MOMENTS = [START_MS, DEADLINE_MS, DEADLINE_MS + 100_000]


@pytest.mark.parametrize("phase", list(Phase))
def test_nothing_else_is_ever_due(phase: Phase) -> None:
    """Whatever is at hand and done, a plan has one duty a key, none too late and none twice."""
    roles: list[frozenset[Role]] = [frozenset(), EVERYTHING]
    for chosen in itertools.product([False, True], repeat=len(FLAGS)):
        kept = [flag for flag, is_kept in zip(FLAGS, chosen, strict=True) if is_kept]
        own = Belongings(**dict(pair for flag in kept for pair in flag.items()))  # type: ignore[arg-type]
        for deeds, now_ms in itertools.product([frozenset(), frozenset(Deed)], MOMENTS):
            chain = situation(running(phase, deeds=deeds, aggregate=AGGREGATE))
            for given in roles:
                found = plan(chain, own, roles=given, now_ms=now_ms)
                assert len({duty.key for duty in found.duties}) == len(found.duties)
                sent = {duty.step for duty in found.duties} & TRANSACTIONS
                assert len(sent) <= 2
                if now_ms >= DEADLINE_MS and phase.window is not None:
                    assert sent <= {Step.ADVANCE}
                if not given:
                    assert found == Plan()


def test_plan_does_not_depend_on_what_was_planned_before() -> None:
    chain, own = situation(running(Phase.AVAILABILITY)), having(holdings=HELD, **OFFERED)
    planner = Planner(roles=EVERYTHING)
    assert planner.plan(chain, own, now_ms=START_MS) == planner.plan(chain, own, now_ms=START_MS)
