"""From a base model to a task and a PEFT folder, with the tiny model that ships."""

import enum
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.model_publish import ModelSort, OuterName, RateFall, RuleName, Sharing
from fl.jobs.local_terms import Checkpointing, RateSchedule
from fl.jobs.subject import LoraLayout, ModelKind
from fl.jobs.work import OuterTerms
from fl.rules.aggregation.outer import OuterRule
from fl.rules.aggregation.rule import Rule
from fl.rules.limits import ONE
from fl.training.tiny import tiny_model_folder
from node.federation.document import read_document
from tests.cli.live import Live
from tests.cli.offers import be_agent

TINY = str(tiny_model_folder())
SEED = "11" * 32


@pytest.mark.slow
def test_model_is_published_offered_and_pulled_as_a_peft_folder(live: Live, tmp_path: Path) -> None:
    be_agent(live)
    words = ("--title", "tiny", "--kind", "causal", "--rank", "2", "--seed", SEED)
    terms = ("--prox", "0.25", "--checkpointing", "--outer", "nesterov", "--outer-rate", "0.5")
    made = live.json("model", "publish", TINY, *words, *terms, key="validator-0")
    live.json("blob", "get", made["document"], "--out", str(tmp_path / "document"))
    document = read_document((tmp_path / "document").read_bytes())
    assert document.local.prox_nano == 250_000_000
    assert document.local.checkpointing is Checkpointing.ON
    assert document.outer == OuterTerms(rule=OuterRule.NESTEROV, rate=ONE // 2)
    offer = ("--document", made["document"], "--escrow", "1", "--reward", "0.1", "--no-list")
    task = live.json("task", "create", *offer, "--yes", key="validator-0")["task"]
    out = tmp_path / "adapter"
    pulled = live.json("model", "pull", str(task), "--out", str(out))
    assert pulled["version"] == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "lineage.json",
    ]
    lineage = json.loads((out / "lineage.json").read_text())
    assert (lineage["seed"], lineage["base_model"]) == (SEED, made["base_model"])
    verified = live.run("model", "verify", str(task), "--start")
    assert verified.exit_code == 0, verified.stderr
    assert made["document"] not in verified.stdout
    assert "checked  W_0" in verified.stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--kind", "classification"], "a classifier needs --labels"),
        (["--kind", "causal", "--labels", "a,b"], "a language model has no --labels"),
        (["--kind", "causal", "--seed", "xyz"], "--seed takes 64 hexadecimal digits"),
        (["--kind", "causal", "--prox", "-1"], "-1 is not between 0 and 1000"),
        (["--kind", "causal", "--outer-rate", "17"], "17 is not between 0 and 16"),
        (["--kind", "causal", "--seed", "ab"], "--seed takes 64 hexadecimal digits"),
    ],
)
def test_model_that_makes_no_sense_is_a_usage_error(
    words: list[str], reason: str, live: Live
) -> None:
    result = live.run("model", "publish", TINY, "--title", "x", *words, key="validator-0")
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("offered", "known"),
    [
        (ModelSort, ModelKind),
        (OuterName, OuterRule),
        (RateFall, RateSchedule),
        (RuleName, Rule),
        (Sharing, LoraLayout),
    ],
)
def test_options_offer_all_that_a_task_can_hold(
    offered: type[enum.Enum], known: type[enum.Enum]
) -> None:
    assert {one.value for one in offered} == {one.value for one in known}


def test_examples_of_a_folder_are_counted(tmp_path: Path) -> None:
    rows = [{"text": f"text {number}", "label": number % 2} for number in range(200)]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    result = CliRunner().invoke(app, ["data", "fetch", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["examples"] + found["held out"] == 200
    assert found["classes"] == ["0", "1"]


def test_examples_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["data", "fetch", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")


def test_update_waits_for_a_round_and_gives_up(live: Live, tmp_path: Path) -> None:
    file = tmp_path / "update"
    file.write_bytes(b"an update")
    assert live.run("update", "submit", "99", str(file), key="alice").exit_code == 3
