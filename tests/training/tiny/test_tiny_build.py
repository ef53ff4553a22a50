import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from fl.training.tiny import build as tiny_build
from fl.training.tiny.build import rate_share

SHORT = ("--steps", "3", "--examples", "400")


def built_by_command(folder: Path) -> dict[str, bytes]:
    command = [sys.executable, "-m", "fl.training.tiny.build", "--out", str(folder), *SHORT]
    subprocess.run(command, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    first = built_by_command(tmp_path / "first")
    assert len(first) == 7
    assert first == built_by_command(tmp_path / "second")


def test_build_writes_a_model_that_learns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    try:
        tiny_build.main(["--out", str(tmp_path), "--steps", "2", "--examples", "200"])
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(mode=False)
    assert "nats a token on unseen notes" in capsys.readouterr().out
    assert AutoModelForCausalLM.from_pretrained(tmp_path).num_parameters() == 455_520


def test_learning_rate_rises_and_then_falls() -> None:
    shares = [rate_share(step, steps=1000) for step in range(1000)]
    top = shares.index(max(shares))
    assert shares[:top] == sorted(shares[:top])
    assert shares[top:] == sorted(shares[top:], reverse=True)
    assert 0.9 < shares[top] <= 1
    assert shares[-1] < 0.06
