"""A report says what the story says, and nothing of it is lost or breaks a table."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from devnet.local.latency import Latency
from devnet.local.report import headline, markdown, percentile, read_story, verdict, write_report
from devnet.local.story import Memory
from tests.devnet.local.stories import story

PNG = b"\x89PNG\r\n\x1a\n"
RESULTS = Path(__file__).parents[3] / "docs/results"


def test_verdict_tells_rounds_quality_and_agreement() -> None:
    assert verdict(story()) == (
        "3 of 3 rounds committed a model; accuracy 0.250 to 0.700; every node on one state root"
    )


def test_verdict_counts_the_nodes_that_did_not_answer() -> None:
    told = story()
    rounds = (replace(told.rounds[0], agreed=3), *told.rounds[1:])
    held = verdict(replace(told, rounds=rounds)).rpartition("; ")[2]
    assert held == "3 of 4 nodes, all that answered, on one state root"


def test_run_without_rounds_is_told_as_well() -> None:
    told = markdown(replace(story(rounds=0), kind="", first_step_ms=None, notes=()))
    assert "0 of 0 rounds" in told
    assert "states were not compared" in told
    assert "## Updates" not in told


def test_perplexity_is_what_counts_for_a_language_model() -> None:
    causal = replace(
        story(rounds=1),
        kind="causal",
        start_figures={"perplexity": 12.0},
        rounds=(replace(story().rounds[0], figures={"perplexity": 9.5}),),
    )
    assert headline(causal) == "perplexity 12.000 to 9.500"


def test_report_states_the_latency_of_links() -> None:
    assert "| latency of links | none but that of loopback |" in markdown(story())
    told = markdown(replace(story(), latency=Latency(40, 10)))
    assert "| latency of links | 40 +-10 ms one way |" in told


def test_every_metric_of_the_papers_is_there() -> None:
    told = markdown(story())
    for words in ("trust score", "aggregation itself", "update to committed model", "gas", "f1"):
        assert words in told
    assert "time of a round with 4 trainers and 4 validators | 12.34 s" in told
    assert "| 0 | node-3 | signflip | low quality | -4000 | 0.000 |" in told


def test_round_whose_aggregates_the_guard_refused_says_how_many() -> None:
    refused = replace(story().rounds[0], outcome="null", refused=4)
    assert "| 0 | null, guard refused 4 |" in markdown(replace(story(), rounds=(refused,)))


def test_bars_in_texts_of_strangers_do_not_break_tables() -> None:
    assert "`a\\|b`" in markdown(story())


def test_rows_of_a_table_have_as_many_cells_as_its_head() -> None:
    bars = 0
    for line in markdown(story()).splitlines():
        count = line.replace("\\|", "").count("|")
        if not line.startswith("|"):
            bars = 0
            continue
        bars = bars or count
        assert count == bars, line


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 50), (99, 99), (100, 100)])
def test_percentile_is_one_of_the_values(percent: int, value: int) -> None:
    assert percentile(range(1, 101), percent) == value
    assert percentile([], percent) is None


@pytest.mark.slow
def test_report_is_written_with_its_plots(tmp_path: Path) -> None:
    path = write_report(tmp_path / "report", story())
    assert read_story(path.parent) == story()
    for name in ("quality", "scores", "phases", "finality"):
        assert f"![{name}]({name}.png)" in path.read_text()
        assert (path.parent / f"{name}.png").read_bytes().startswith(PNG)


@pytest.mark.slow
def test_what_there_is_nothing_of_is_not_drawn(tmp_path: Path) -> None:
    empty = replace(story(rounds=0), finality_ms=(), start_figures={})
    path = write_report(tmp_path, empty)
    assert "![" not in path.read_text()
    assert not list(tmp_path.glob("*.png"))


def test_trust_is_told_of_trainers_and_of_validators() -> None:
    told = markdown(story(rounds=2))
    assert "| participant | as | round 0 | round 1 |" in told
    assert "| node-2 | trainer | 0.5 | 0.5 |" in told
    assert "| node-0 | validator | 0.75 | 0.75 |" in told
    assert "| node-2 | validator |" not in told
    assert "docs/operating.md" in told


def test_peaks_of_memory_are_told_by_process() -> None:
    told = markdown(story())
    assert "| node, largest, peak resident memory | 180 MB |" in told
    assert "| its process for signatures | 20 MB |" in told
    assert "| worker, largest | 700 MB |" in told
    silent = markdown(replace(story(), memory=Memory()))
    assert "resident memory" not in silent
    assert "| worker, largest |" not in silent


@pytest.mark.parametrize("run", ["ag-news", "imdb", "medquad"])
def test_report_of_an_earlier_day_is_read(run: str) -> None:
    told = read_story(RESULTS / run)
    assert told.rounds
    assert markdown(told)
