"""What happened on a local network, as values: the report is made of this and of nothing else.

Times are in ms, scores in 100 micro-nats, money in grains. A reputation is the fraction that the
chain holds as Q16: 1 for whoever always helped, 0 for whoever never did.
"""

from typing import Final

import msgspec

from devnet.local.latency import Latency

REPUTATION_ONE: Final = 1 << 16


class PhaseTime(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of a round, in chain time; a ladder enters AGGREGATE and GUARD several times."""

    phase: str
    took_ms: int


class JobTime(msgspec.Struct, frozen=True, kw_only=True):
    """One duty of one node, as that node measured it."""

    node: str
    step: str
    took_ms: int
    outcome: str


class UpdateStory(msgspec.Struct, frozen=True, kw_only=True):
    """One trainer's part in a round.

    Args:
        attack: what the plan has the trainer do; empty: it is honest.
        verdict: "accepted", "pending", or why it earns nothing.
        weight: in the model, as a fraction.
        gain: what rewards of the round went by, Q16.
        earned: by this round, vested or not.
    """

    trainer: str
    attack: str
    verdict: str
    score: int
    norm: int
    weight: float
    gain: int
    earned: int


class RoundStory(msgspec.Struct, frozen=True, kw_only=True):
    """One round.

    Args:
        outcome: "committed" or "null".
        version: of the model after it.
        refused: aggregates that the guard turned down.
        took_ms: from its first to its last commit, chain time.
        update_to_model_ms: from the last update revealed to the model committed; None without one.
        aggregation_ms: of the slowest node, the computation alone; None if nobody aggregated.
        training_ms: of the slowest trainer.
        scoring_ms: of the slowest validator.
        gas: of all transactions in its commits.
        transactions: in its commits.
        figures: of the model after it, on the test split.
        reputations: of trainers by node, after it.
        height: at which states were compared.
        state_root: of all nodes that had executed it.
        agreed: how many those were.
        validator_trust: by node: what its scores kept of the bands in which they should lie, as a
            fraction; none if no update was judged, or nobody watched.
    """

    number: int
    outcome: str
    version: int
    rungs: int
    took_ms: int
    update_to_model_ms: int | None
    aggregation_ms: int | None
    training_ms: int | None
    scoring_ms: int | None
    gas: int
    transactions: int
    phases: tuple[PhaseTime, ...]
    jobs: tuple[JobTime, ...]
    updates: tuple[UpdateStory, ...]
    figures: dict[str, float]
    reputations: dict[str, float]
    height: int
    state_root: str
    agreed: int
    refused: int = 0
    validator_trust: dict[str, float] = {}

    @property
    def beyond_ms(self) -> int:
        """Return what is left of its time without the slowest training and the slowest scoring."""
        return self.took_ms - (self.training_ms or 0) - (self.scoring_ms or 0)


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The most resident memory that one process of a kind was seen to have held.

    In MB of 2**20 bytes; None: none was seen, or the system does not tell.

    Args:
        node_mb: of a node itself.
        signatures_mb: of the process that checks signatures for a node.
        worker_mb: of the process that trains and scores for a node.
    """

    node_mb: float | None = None
    signatures_mb: float | None = None
    worker_mb: float | None = None


class NodeStory(msgspec.Struct, frozen=True, kw_only=True):
    """One node at the end."""

    name: str
    parts: tuple[str, ...]
    attack: str
    lie: str
    is_alive: bool
    height: int
    trained_on: int
    held_out: int
    earned: int


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run.

    Args:
        kind: "causal" or "classification"; empty without a task.
        started_ms: from the start of the run, which founds the network first, until all nodes were
            ready.
        first_step_ms: from the start of the run to the first trained step; None if none was seen.
        elapsed_ms: from the start of the run to its end.
        start_figures: of W_0.
        finality_ms: from the time of a commit to its certificate, as a client saw it.
        latency: of the links between nodes.
        memory: of the largest processes.
    """

    version: int = 1
    chain_id: str
    kind: str
    source: str
    model: str
    trainers: int
    validators: int
    started_ms: int
    first_step_ms: int | None
    elapsed_ms: int
    start_figures: dict[str, float]
    rounds: tuple[RoundStory, ...]
    nodes: tuple[NodeStory, ...]
    finality_ms: tuple[int, ...]
    notes: tuple[str, ...] = ()
    latency: Latency = Latency()
    memory: Memory = Memory()
