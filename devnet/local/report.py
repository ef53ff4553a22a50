"""The report of a run: Markdown for people, JSON for programs, plots for both.

The metrics are those of the papers that this project follows: the trust score of each participant,
latency, gas for each round, scalability, and the quality of the model.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from devnet.local.story import Memory, RoundStory, Story

REPORT_NAME: Final = "report.md"
STORY_NAME: Final = "report.json"
PLOTS: Final = ("quality", "scores", "phases", "finality")
_GRAINS: Final = 10**9
_ONE: Final = 1 << 16
_MS_PER_S: Final = 1_000


def write_report(folder: Path, story: Story) -> Path:
    """Write report.md, report.json and the plots; return the first.

    Raises:
        OSError: the disk takes no file there.
    """
    from devnet.local.plots import draw_plots  # noqa: PLC0415 - matplotlib takes a second to load

    folder.mkdir(parents=True, exist_ok=True)
    (folder / STORY_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(story), indent=1))
    drawn = draw_plots(folder, story)
    path = folder / REPORT_NAME
    path.write_text(markdown(story, plots=drawn), encoding="utf-8")
    return path


def read_story(folder: Path) -> Story:
    """Return the story that a report was made of."""
    return msgspec.json.decode((folder / STORY_NAME).read_bytes(), type=Story)


def markdown(story: Story, *, plots: Sequence[str] = PLOTS) -> str:
    """Return the report as Markdown; pure.

    Args:
        story: of the run.
        plots: names of PNG files that lie beside it.
    """
    parts = [
        *_head(story),
        *_models(story),
        *_rounds(story),
        *_updates(story),
        *_trust(story),
        *_nodes(story),
        *_metrics(story),
    ]
    if plots:
        parts += ["## Plots", *(f"![{name}]({name}.png)" for name in plots)]
    if story.notes:
        parts += ["## Notes", "\n".join(f"- {note}" for note in story.notes)]
    return "\n\n".join(parts) + "\n"


def verdict(story: Story) -> str:
    """Return what came of it in one line."""
    made = sum(one.outcome == "committed" for one in story.rounds)
    measure = headline(story)
    quality = "" if measure is None else f"; {measure}"
    return f"{made} of {len(story.rounds)} rounds committed a model{quality}; {_held(story)}"


def headline(story: Story) -> str | None:
    """Return how the model's quality went, from W_0 to the last one."""
    figures = [story.start_figures, *(one.figures for one in story.rounds)]
    name = "accuracy" if story.kind == "classification" else "perplexity"
    known = [one[name] for one in figures if name in one]
    return f"{name} {known[0]:.3f} to {known[-1]:.3f}" if len(known) > 1 else None


def percentile(values: Sequence[int], percent: int) -> int | None:
    """Return the least value that is no less than this percentage of all; None for no values."""
    if not values:
        return None
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]


def _head(story: Story) -> list[str]:
    facts = (
        ("chain", f"`{story.chain_id[:16]}`"),
        ("nodes", f"{len(story.nodes)}: {story.validators} validate, {story.trainers} train"),
        ("latency of links", story.latency),
        ("examples", f"`{story.source}`"),
        ("model", f"`{story.model}` ({story.kind or 'no task'})"),
        ("ready after", f"{story.started_ms / _MS_PER_S:.1f} s"),
        ("first trained step after", _seconds(story.first_step_ms)),
        ("took", f"{story.elapsed_ms / _MS_PER_S:.0f} s"),
    )
    return [
        "# A local network of Hanse",
        f"**{verdict(story)}.**",
        _table(("what", "value"), facts),
    ]


def _models(story: Story) -> list[str]:
    names = sorted({name for one in story.rounds for name in one.figures})
    if not names:
        return []
    rows: list[tuple[object, ...]] = [
        ("W_0", "", *(_figure(story.start_figures.get(name)) for name in names))
    ]
    rows += [
        (f"W_{one.version}", one.number, *(_figure(one.figures.get(name)) for name in names))
        for one in story.rounds
        if one.outcome == "committed"
    ]
    return ["## Model quality on the test split", _table(("model", "round", *names), rows)]


def _rounds(story: Story) -> list[str]:
    if not story.rounds:
        return []
    rows = [
        (
            one.number,
            _outcome(one),
            one.rungs,
            _accepted(one),
            _seconds(one.took_ms),
            _seconds(one.training_ms),
            _seconds(one.scoring_ms),
            _seconds(one.aggregation_ms),
            _seconds(one.update_to_model_ms),
            f"{one.gas:,}",
            one.transactions,
            f"`{one.state_root[:12]}` at {one.height} on {one.agreed}",
        )
        for one in story.rounds
    ]
    heads = (
        *("round", "outcome", "rungs", "accepted", "took", "slowest trainer", "slowest scorer"),
        *("aggregation", "update to model", "gas", "transactions", "state root"),
    )
    return ["## Rounds", _table(heads, rows), *_phases(story)]


def _phases(story: Story) -> list[str]:
    names = list(dict.fromkeys(part.phase for one in story.rounds for part in one.phases))
    rows = [
        (
            one.number,
            *(
                _seconds(sum(part.took_ms for part in one.phases if part.phase == name))
                for name in names
            ),
        )
        for one in story.rounds
    ]
    return ["### Time of each phase", _table(("round", *names), rows)] if names else []


def _updates(story: Story) -> list[str]:
    rows = [
        (
            one.number,
            update.trainer,
            update.attack or "honest",
            update.verdict,
            update.score,
            f"{update.weight:.3f}",
            f"{update.gain / _ONE:.1f}",
            f"{update.earned / _GRAINS:.3f}",
        )
        for one in story.rounds
        for update in one.updates
    ]
    if not rows:
        return []
    heads = ("round", "trainer", "plays", "verdict", "score", "weight", "mean gain", "earned")
    return [
        "## Updates",
        "Scores are in 100 micro-nats, medians of the validators by stake; the mean gain is what "
        "the others lacked without this trainer's updates, smoothed over its rounds; rewards go "
        "by it; earnings in HANSE, vested or not, of training and of validating together.",
        _table(heads, rows),
    ]


def _trust(story: Story) -> list[str]:
    scores: dict[tuple[str, str], dict[int, float]] = {}
    for one in story.rounds:
        for part, found in (("trainer", one.reputations), ("validator", one.validator_trust)):
            for name, score in found.items():
                scores.setdefault((part, name), {})[one.number] = score
    if not scores:
        return []
    rows = [
        (name, part, *(_figure(by_round.get(one.number)) for one in story.rounds))
        for (part, name), by_round in sorted(scores.items(), key=lambda item: item[0][0])
    ]
    heads = ("participant", "as", *(f"round {one.number}" for one in story.rounds))
    return [
        "## Trust",
        "The trust score of a trainer is its reputation on the chain after the round: it moves "
        "towards how its updates compare with the median of the accepted ones, and to nothing "
        "with faults. That of a validator is how near the medians its scores of the round were. "
        "Both are fractions, defined in docs/operating.md under Trust scores.",
        _table(heads, rows),
    ]


def _nodes(story: Story) -> list[str]:
    rows = [
        (
            node.name,
            ", ".join(node.parts) or "full node",
            ", ".join(filter(None, (node.attack, node.lie))) or "honest",
            node.trained_on,
            node.held_out,
            node.height if node.is_alive else "down",
            f"{node.earned / _GRAINS:.3f}",
        )
        for node in story.nodes
    ]
    heads = ("node", "takes part as", "plays", "trains on", "scores with", "height", "earned")
    return ["## Nodes", _table(heads, rows)]


def _metrics(story: Story) -> list[str]:
    rounds = [one for one in story.rounds if one.outcome == "committed"]
    rows: list[Sequence[object]] = [
        ("aggregation itself, median", _middle(one.aggregation_ms for one in rounds)),
        ("update to committed model, median", _middle(one.update_to_model_ms for one in rounds)),
        ("commit to certificate, p50", _ms(percentile(story.finality_ms, 50))),
        ("commit to certificate, p99", _ms(percentile(story.finality_ms, 99))),
        ("gas of a round, median", _count(percentile([one.gas for one in rounds], 50))),
        (
            f"time of a round with {story.trainers} trainers and {story.validators} validators",
            _middle(one.took_ms for one in rounds),
        ),
        *_memory(story.memory),
    ]
    return ["## Latency, cost, memory and scalability", _table(("metric", "value"), rows)]


def _memory(memory: Memory) -> list[tuple[str, str]]:
    peaks = (
        ("node, largest, peak resident memory", memory.node_mb),
        ("its process for signatures", memory.signatures_mb),
        ("worker, largest", memory.worker_mb),
    )
    return [(name, f"{peak_mb:.0f} MB") for name, peak_mb in peaks if peak_mb is not None]


def _held(story: Story) -> str:
    """Return which nodes had one state at the end of every round."""
    fewest = min((one.agreed for one in story.rounds if one.state_root), default=0)
    if fewest <= 1 or not all(one.state_root for one in story.rounds):
        return "states were not compared"
    if fewest < len(story.nodes):
        return f"{fewest} of {len(story.nodes)} nodes, all that answered, on one state root"
    return "every node on one state root"


def _outcome(one: RoundStory) -> str:
    return f"{one.outcome}, guard refused {one.refused}" if one.refused else one.outcome


def _accepted(one: RoundStory) -> str:
    return f"{sum(update.verdict == 'accepted' for update in one.updates)} of {len(one.updates)}"


def _middle(times: Iterable[int | None]) -> str:
    return _seconds(percentile([one for one in times if one is not None], 50))


def _seconds(time_ms: int | None) -> str:
    return "-" if time_ms is None else f"{time_ms / _MS_PER_S:.2f} s"


def _ms(time_ms: int | None) -> str:
    return "-" if time_ms is None else f"{time_ms} ms"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    # A text of a stranger must not end the cell that it is in.
    return str(value).replace("|", "\\|").replace("\n", " ")
