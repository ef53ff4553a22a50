"""The plots of a report, as PNG files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from devnet.local.story import Story

SIZE_INCHES: Final = (8.0, 4.5)
DOTS_PER_INCH: Final = 110
BINS: Final = 40
_MS_PER_S: Final = 1_000

Draw = Callable[[Axes, Story], bool]


def draw_plots(folder: Path, story: Story) -> tuple[str, ...]:
    """Write a PNG for each plot that the story has something for; return their names."""
    drawn = []
    with mpl.rc_context({"axes.grid": True, "grid.alpha": 0.3, "font.size": 9}):
        for name, draw in _DRAWS.items():
            # A figure without pyplot belongs to nobody else and needs no screen.
            figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
            if draw(figure.add_subplot(), story):
                figure.savefig(folder / f"{name}.png", format="png")
                drawn.append(name)
    return tuple(drawn)


def _quality(axes: Axes, story: Story) -> bool:
    names = ("accuracy", "f1") if story.kind == "classification" else ("perplexity",)
    models = [story.start_figures, *(one.figures for one in story.rounds)]
    for name in names:
        known = [(place, one[name]) for place, one in enumerate(models) if name in one]
        axes.plot([place for place, _ in known], [value for _, value in known], "o-", label=name)
    axes.set(xlabel="rounds", ylabel=", ".join(names), title="Quality on the test split")
    axes.set_xticks(range(len(models)))
    axes.legend()
    return any(names[0] in one for one in models)


def _scores(axes: Axes, story: Story) -> bool:
    trainers: dict[str, list[tuple[int, int]]] = {}
    plays: dict[str, str] = {}
    for one in story.rounds:
        for update in one.updates:
            trainers.setdefault(update.trainer, []).append((one.number, update.score))
            plays[update.trainer] = update.attack
    for name, points in sorted(trainers.items()):
        attack = plays[name]
        style = "x--" if attack else "o-"
        label = f"{name} ({attack})" if attack else name
        axes.plot([x for x, _ in points], [y for _, y in points], style, label=label)
    axes.axhline(0, color="black", linewidth=0.8)
    # A flipped update scores thousands below zero where an honest one scores tens above.
    axes.set_yscale("symlog", linthresh=10)
    axes.set(xlabel="round", ylabel="score, 100 micro-nats", title="Score of each update")
    if trainers:
        axes.legend(fontsize=7, ncols=2)
    return bool(trainers)


def _phases(axes: Axes, story: Story) -> bool:
    names = list(dict.fromkeys(part.phase for one in story.rounds for part in one.phases))
    rounds = [one.number for one in story.rounds]
    bottom = [0.0] * len(rounds)
    for name in names:
        heights = [
            sum(part.took_ms for part in one.phases if part.phase == name) / _MS_PER_S
            for one in story.rounds
        ]
        axes.bar(rounds, heights, bottom=bottom, label=name)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    axes.set(xlabel="round", ylabel="seconds", title="Where the time of a round goes")
    axes.set_xticks(rounds)
    if names:
        axes.legend(fontsize=7)
    return bool(names)


def _finality(axes: Axes, story: Story) -> bool:
    axes.hist(story.finality_ms, bins=BINS)
    axes.set(xlabel="ms", ylabel="commits", title="From a commit to its certificate")
    return bool(story.finality_ms)


_DRAWS: Final[Mapping[str, Draw]] = {
    "quality": _quality,
    "scores": _scores,
    "phases": _phases,
    "finality": _finality,
}
