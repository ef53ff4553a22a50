"""A run as it might have been, for what only tells it."""

from typing import Final

from devnet.local.story import (
    JobTime,
    Memory,
    NodeStory,
    PhaseTime,
    RoundStory,
    Story,
    UpdateStory,
)

TRAINERS: Final = ("node-0", "node-1", "node-2", "node-3")


def update(trainer: str, *, score: int, attack: str = "") -> UpdateStory:
    """Return a trainer's part; it is accepted if its score is above zero."""
    is_good = score > 0
    return UpdateStory(
        trainer=trainer,
        attack=attack,
        verdict="accepted" if is_good else "low quality",
        score=score,
        norm=1_000,
        weight=1 / 3 if is_good else 0.0,
        gain=3 if is_good else 0,
        earned=10**9 if is_good else 0,
    )


def one_round(number: int) -> RoundStory:
    """Return a round in which the last trainer flips signs."""
    scores = (120 - number, 90, 80, -4_000)
    return RoundStory(
        number=number,
        outcome="committed",
        version=number + 1,
        rungs=1,
        took_ms=12_340,
        update_to_model_ms=4_200,
        aggregation_ms=310,
        training_ms=6_000,
        scoring_ms=3_000,
        gas=31_000_000,
        transactions=41,
        phases=(
            PhaseTime(phase="commit", took_ms=7_000),
            PhaseTime(phase="reveal", took_ms=340),
            PhaseTime(phase="guard", took_ms=5_000),
        ),
        jobs=(JobTime(node="node-0", step="train", took_ms=6_000, outcome="done"),),
        updates=tuple(
            update(name, score=score, attack="" if score > 0 else "signflip")
            for name, score in zip(TRAINERS, scores, strict=True)
        ),
        figures={"accuracy": 0.5 + number / 10, "f1": 0.4 + number / 10, "loss": 1.0},
        reputations=dict.fromkeys(TRAINERS, 0.5),
        validator_trust={name: 0.75 for name in TRAINERS if name != "node-2"},
        height=100 * number + 90,
        state_root="ab" * 32,
        agreed=4,
    )


def story(*, rounds: int = 3) -> Story:
    """Return a run of four nodes."""
    return Story(
        chain_id="cd" * 32,
        kind="classification",
        source="a|b",
        model="some model",
        trainers=4,
        validators=4,
        started_ms=3_210,
        first_step_ms=9_000,
        elapsed_ms=60_000,
        start_figures={"accuracy": 0.25, "f1": 0.1, "loss": 1.4},
        rounds=tuple(map(one_round, range(rounds))),
        nodes=tuple(
            NodeStory(
                name=name,
                parts=("validator", "trainer"),
                attack="signflip" if name == TRAINERS[-1] else "",
                lie="",
                is_alive=True,
                height=400,
                trained_on=100,
                held_out=20,
                earned=10**9,
            )
            for name in TRAINERS
        ),
        finality_ms=tuple(range(80, 180)),
        notes=("a note",),
        memory=Memory(node_mb=180.0, signatures_mb=20.0, worker_mb=700.0),
    )
