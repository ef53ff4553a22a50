"""Worker jobs as a task document has them, so that everybody who does a job does the same one.

An aggregate is recomputed by each validator, and by whoever verifies a model later: their jobs must
not differ in anything that counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from fl.jobs.bounds import StoredBlob
from fl.jobs.work import AggregateJob, Weighted
from node.federation.document import TaskDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundInputs:
    """What the aggregate of one round is made of.

    Args:
        updates: with their weights, which sum to one in Q16; in any order.
        limit: the norm to which updates are cut.
        halvings: how often the step of the outer optimiser is halved.
        model: the MODEL blob of W_t.
        state: of the outer optimiser; None before the first version.
    """

    round: int
    updates: Sequence[Weighted]
    limit: int
    halvings: int
    model: StoredBlob
    state: StoredBlob | None


def aggregate_job(document: TaskDocument, inputs: RoundInputs, *, folder: Path) -> AggregateJob:
    """Return the job that makes W_{t+1}."""
    return AggregateJob(
        updates=tuple(inputs.updates),
        pins=document.pins,
        layout=document.layout_of(inputs.round),
        model=inputs.model,
        model_layout=document.model_layout,
        clip=inputs.limit,
        rule=document.rule,
        byzantine=document.byzantine_among(len(inputs.updates)),
        outer=structs.replace(document.outer, rate=document.outer.rate >> inputs.halvings),
        state=inputs.state,
        folder=str(folder),
        sharing=document.sharing,
    )
