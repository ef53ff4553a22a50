"""`python -m devnet.simulator`: run one seed, sweep many, enumerate Twins scenarios, gossip."""

import json
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from consensus.parameters import Tuning
from devnet.simulator.gossip import scenario as gossip_scenario
from devnet.simulator.gossip import simulation as gossip_simulation
from devnet.simulator.gossip import summary as gossip_summary
from devnet.simulator.twins.cast import Cast
from devnet.simulator.twins.enumerator import Enumerator
from devnet.simulator.twins.summary import render_walk
from devnet.simulator.validators.simulation import Scenario, Simulation
from devnet.simulator.validators.summary import render_report, render_sweep
from devnet.simulator.validators.swarm import draw_scenario
from devnet.simulator.validators.sweep import parse_seeds, summarise, sweep

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Simulate a network.")


@app.callback()
def simulate() -> None:
    """Simulate a network of validators under virtual time."""


@app.command()
def run(  # noqa: PLR0913 - one parameter per option
    *,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 7,
    nodes: Annotated[int, typer.Option(min=1, max=200, help="Committee size.")] = 4,
    seconds: Annotated[int, typer.Option(min=3, help="Simulated seconds.")] = 60,
    faults: Annotated[str, typer.Option(help="all, none, swarm, or kinds with commas.")] = "none",
    byzantine: Annotated[str, typer.Option(help="kind:count with commas, or swarm.")] = "",
    latency: Annotated[str, typer.Option(help="lan, wan5 or fixed:MS; :jitter, :tail.")] = "lan",
    powers: Annotated[str, typer.Option(help="equal or uneven.")] = "equal",
    min_delay_ms: Annotated[
        int, typer.Option(min=0, help="Least time between two proposals of a node.")
    ] = Tuning().min_round_delay_ms,
    pacemaker: Annotated[
        str, typer.Option(help="repaired, or jumping: without the repair.")
    ] = "repaired",
    swarm: Annotated[
        bool, typer.Option(help="Draw faults, attackers, powers, latency, knobs from the seed.")
    ] = False,
    epoch_seconds: Annotated[int | None, typer.Option(min=1, help="Epoch length.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Run one seed; exit 1 unless the verdict is pass."""
    scenario = (
        draw_scenario(seed, nodes=nodes, seconds=seconds)
        if swarm
        else Scenario(
            seed=seed,
            nodes=nodes,
            seconds=seconds,
            faults=faults,
            byzantine=byzantine,
            latency=latency,
            powers=powers,
            epoch_s=epoch_seconds,
            pacemaker=pacemaker,
            tuning=Tuning(min_round_delay_ms=min_delay_ms),
        )
    )
    report = Simulation(scenario).run()
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(report)))
    else:
        render_report(report)
    if report.verdict != "pass":
        raise typer.Exit(1)


@app.command(name="sweep")
def sweep_seeds(
    *,
    seeds: Annotated[str, typer.Option(help="first:last, last excluded.")] = "0:100",
    nodes: Annotated[
        int | None, typer.Option(min=1, help="Committee size; drawn if left out.")
    ] = None,
    seconds: Annotated[int, typer.Option(min=9, help="Simulated seconds of each seed.")] = 45,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Run many drawn scenarios; exit 1 if one fails."""
    chosen = parse_seeds(seeds)
    reports = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("seeds", total=len(chosen))
        for report in sweep(chosen, nodes=nodes, seconds=seconds, jobs=jobs):
            reports.append(report)
            progress.advance(task)
            if report.verdict != "pass":
                typer.echo(f"{report.verdict}: {report.reason}\n  {report.replay}", err=True)
    summary = summarise(reports)
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(summary)))
    else:
        render_sweep(summary)
    if summary.failures:
        raise typer.Exit(1)


@app.command(name="twins")
def enumerate_twins(  # noqa: PLR0913 - one parameter per option
    *,
    scenarios: Annotated[
        int | None, typer.Option(min=1, help="How many; 1000 if no time is given.")
    ] = None,
    seconds: Annotated[int | None, typer.Option(min=1, help="CPU seconds instead.")] = None,
    nodes: Annotated[int, typer.Option(min=4, max=7, help="Committee size.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, max=32, help="Partitioned rounds.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="The order of the walk.")] = 1,
    start: Annotated[int, typer.Option(min=0, help="Index of the first scenario.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Enumerate leaders and partitions around doubled validators; exit 1 if a rule breaks."""
    if scenarios is None and seconds is None:
        scenarios = 1_000
    report = Enumerator(Cast(nodes), rounds=rounds, seed=seed).run(
        start=start, scenarios=scenarios, cpu_s=seconds
    )
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(report)))
    else:
        render_walk(report)
    if report.violations:
        raise typer.Exit(1)


@app.command()
def gossip(  # noqa: PLR0913 - one parameter per option
    *,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 7,
    nodes: Annotated[int, typer.Option(min=2, max=1_000, help="Honest or not.")] = 100,
    seconds: Annotated[int, typer.Option(min=9, help="Simulated seconds.")] = 60,
    byzantine: Annotated[float, typer.Option(min=0, max=0.9, help="Share that attacks.")] = 0,
    attacks: Annotated[str, typer.Option(help="Kinds with commas.")] = ",".join(
        gossip_scenario.ATTACKS
    ),
    latency: Annotated[str, typer.Option(help="lan, wan5 or fixed:MS; :jitter, :tail.")] = "lan",
    dials: Annotated[int, typer.Option(min=1, help="Connections that each node opens.")] = 10,
    rate: Annotated[int, typer.Option(min=1, max=1_000, help="Messages a second in all.")] = 2,
    size: Annotated[int, typer.Option(min=8, help="Bytes of a message.")] = 1_024,
    flood_bytes: Annotated[
        int, typer.Option(help="Up to this size a message goes to all peers; -1 for none.")
    ] = 64 * 1024,
    grow: Annotated[str, typer.Option(help="Node counts with commas, one row each.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Run gossip routers; exit 1 unless every honest message reached every honest node."""
    reports = []
    for count in [int(word) for word in grow.split(",") if word.isdigit()] or [nodes]:
        scenario = gossip_scenario.Scenario(
            seed=seed,
            nodes=count,
            seconds=seconds,
            byzantine_permille=round(byzantine * 1000),
            attacks=tuple(attacks.split(",")),
            latency=latency,
            dials=dials,
            messages_per_s=rate,
            size_bytes=size,
            flood_size_bytes_max=flood_bytes,
        )
        report = gossip_simulation.Simulation(scenario).run()
        reports.append(report)
        if as_json:
            typer.echo(json.dumps(msgspec.to_builtins(report)))
        elif not grow:
            gossip_summary.render_report(report)
    if grow and not as_json:
        gossip_summary.render_growth(reports)
    if any(report.verdict != "pass" for report in reports):
        raise typer.Exit(1)
