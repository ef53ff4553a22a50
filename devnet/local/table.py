"""The live view of a network: what each node says of itself, and the round that runs."""

import asyncio
from collections.abc import Sequence

import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from devnet.local.latency import Latency
from devnet.local.links import LINKS
from devnet.local.network import LocalNetwork
from devnet.local.record import NodeRecord
from devnet.local.story import RoundStory
from fl.jobs.progress import Stage
from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from node.rpc.round_schemas import Update
from node.rpc.schemas import DutyJob

ROUNDS_SHOWN = 8


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """One node at one moment; what is not known of one that does not answer is empty."""

    name: str
    parts: tuple[str, ...]
    plays: str
    url: str
    state: str
    """running, silent or down."""

    height: int = 0
    certified_height: int = 0
    peers: int = 0
    mempool: int = 0
    job: str = ""
    steps: int = 0
    """Of training, that its job has taken so far."""


class NetworkView(msgspec.Struct, frozen=True, kw_only=True):
    """All nodes at one moment, and the round that runs."""

    folder: str
    chain_id: str
    nodes: tuple[NodeView, ...]
    latency: Latency = Latency()
    is_linked: bool = True
    """Whether links carry; those without latency always do."""

    task: int | None = None
    round: int | None = None
    phase: str = ""
    updates: tuple[Update, ...] = ()


async def view_network(network: LocalNetwork) -> NetworkView:
    """Ask every node how it is."""
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(_view_node(network, node)) for node in network.record.nodes]
    nodes = tuple(task.result() for task in asked)
    view = NetworkView(
        folder=str(network.folder),
        chain_id=network.record.chain_id,
        nodes=nodes,
        latency=network.record.plan.latency,
        is_linked=not network.record.plan.latency.is_felt or network.supervisor.is_alive(LINKS),
        task=network.record.task,
    )
    running = next((node.name for node in nodes if node.state == "running"), None)
    if view.task is None or running is None:
        return view
    try:
        found = await network.client(running).running_round(view.task)
    except (NodeAnswerError, NodeUnreachableError):
        return view
    if found is None:
        return view
    return msgspec.structs.replace(
        view, round=found.number, phase=found.phase, updates=found.updates
    )


def trained_steps(jobs: Sequence[DutyJob]) -> int:
    """Return how many steps of training the jobs of a node have taken so far."""
    return max((job.done for job in jobs if job.stage == Stage.TRAINING.value), default=0)


def render(view: NetworkView, rounds: Sequence[RoundStory], *, headline: str) -> Group:
    """Return the view as tables for a terminal."""
    parts: list[Table | Text] = [_nodes(view)]
    if view.latency.is_felt:
        state = "" if view.is_linked else "; down, so no node reaches another"
        parts.append(Text(f"links: {view.latency}{state}"))
    if view.round is not None:
        parts.append(_round(view))
    if rounds:
        parts.append(_rounds(rounds[-ROUNDS_SHOWN:]))
    served = [node.url for node in view.nodes if node.state == "running"]
    if served:
        parts.append(Text(f"{served[0]}/explorer/"))
    parts.append(Text(headline, style="dim"))
    return Group(*parts)


async def _view_node(network: LocalNetwork, node: NodeRecord) -> NodeView:
    view = NodeView(
        name=node.name,
        parts=tuple(part.value for part in node.plan.parts),
        plays=", ".join(filter(None, (node.plan.attack, node.plan.lie))) or "honest",
        url=node.url,
        state="silent" if network.supervisor.is_alive(node.name) else "down",
    )
    if view.state == "down":
        return view
    try:
        async with asyncio.timeout(2):
            status = await network.client(node.name).status()
            # A full node has no duties, and says so.
            jobs = (await network.client(node.name).duties()).jobs if node.plan.parts else ()
    except (NodeAnswerError, NodeUnreachableError, TimeoutError):
        return view
    return msgspec.structs.replace(
        view,
        state="running",
        height=status.height,
        certified_height=status.certified_height or 0,
        peers=status.peers,
        mempool=status.mempool_transactions,
        job=", ".join(map(_shown, jobs)),
        steps=trained_steps(jobs),
    )


def _shown(job: DutyJob) -> str:
    share = f" {job.done}/{job.total}" if job.total else ""
    return f"{job.step} {job.stage}{share}".strip()


def _nodes(view: NetworkView) -> Table:
    table = Table(title=f"devnet {view.chain_id[:12]}", title_justify="left", box=None)
    for name in ("node", "takes part as", "plays", "state", "height", "final", "peers", "does"):
        is_number = name in {"height", "final", "peers"}
        table.add_column(name, justify="right" if is_number else "left")
    for node in view.nodes:
        table.add_row(
            node.name,
            ", ".join(node.parts) or "full node",
            Text(node.plays, style="" if node.plays == "honest" else "red"),
            Text(node.state, style="green" if node.state == "running" else "yellow"),
            str(node.height),
            str(node.certified_height),
            str(node.peers),
            node.job,
        )
    return table


def _round(view: NetworkView) -> Table:
    title = f"round {view.round}: {view.phase}"
    table = Table(title=title, title_justify="left", box=None)
    for name in ("update", "trainer", "score", "weight", "verdict"):
        table.add_column(name, justify="right" if name in {"score", "weight"} else "left")
    for update in view.updates:
        score = update.score if update.is_judged else "-"
        weight = f"{int(update.weight) / 65_536:.3f}"
        who = update.trainer.removeprefix("did:key:")[:16]
        table.add_row(str(update.index), who, score, weight, update.verdict)
    return table


def _rounds(rounds: Sequence[RoundStory]) -> Table:
    table = Table(title="rounds", title_justify="left", box=None)
    for name in ("round", "outcome", "accepted", "seconds", "quality"):
        table.add_column(name, justify="right" if name in {"round", "seconds"} else "left")
    for one in rounds:
        accepted = sum(update.verdict == "accepted" for update in one.updates)
        quality = ", ".join(f"{name} {value:.4g}" for name, value in sorted(one.figures.items()))
        table.add_row(
            str(one.number),
            one.outcome,
            f"{accepted} of {len(one.updates)}",
            f"{one.took_ms / 1_000:.1f}",
            quality,
        )
    return table
