"""An exported adapter is what peft expects, with its origin, and damaged ones are refused."""

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from fl.jobs.subject import LoraLayout, ModelKind, Scaling
from fl.training.adapters import Adapter, AdapterSpec, attach, detach
from fl.training.errors import AdapterError, MalformedAdapterError
from fl.training.export import export_adapter, import_adapter, read_folder_lineage
from fl.training.lineage import (
    Lineage,
    LineageStep,
    UsedUpdate,
    model_card,
    read_lineage,
    write_lineage,
)
from fl.training.local import train_local
from fl.training.models import LoadedModel, load_model
from fl.training.settings import LocalTraining, Steps
from tests.training.sample_texts import PLAIN

SPEC = AdapterSpec(rank=2)
TOKENS = torch.arange(36).view(3, 12)
STEP = LineageStep(
    round=4,
    model="ab" * 32,
    rule="trimmed",
    updates=(
        UsedUpdate(trainer="did:key:zA", root="bafyA", weight=40_000),
        UsedUpdate(trainer="did:key:zB", root="bafyB", weight=25_536),
    ),
)
LINEAGE = Lineage(
    title="Notes of three hospitals",
    base_model_source="owner/name",
    base_model="01" * 32,
    tokenizer="02" * 32,
    layout="03" * 32,
    seed="07",
    chain="hanse-test",
    task="5",
    steps=(STEP,),
)


def moved(loaded: LoadedModel, spec: AdapterSpec = SPEC) -> Adapter:
    adapter = attach(loaded, spec, seed=1)
    layout = adapter.tensor_layout()
    numbers = np.random.default_rng(2).integers(-(2**22), 2**22, layout.size)
    adapter.write(numbers.astype(np.int32), layout)
    return adapter


def logits_of(adapter: Adapter) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = adapter.model(input_ids=TOKENS).logits
        return logits


@pytest.fixture(name="exported")
def _exported(tmp_path: Path, llama_folder: Path) -> Path:
    loaded = load_model(str(llama_folder), kind=ModelKind.CAUSAL_LM)
    export_adapter(tmp_path / "adapter", moved(loaded), LINEAGE)
    return tmp_path / "adapter"


@pytest.mark.parametrize("scaling", list(Scaling))
@pytest.mark.parametrize("fixture", ["llama", "gpt2", "bert"])
@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_plain_transformers_and_peft_give_the_same_predictions(
    fixture: str, scaling: Scaling, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    adapter = moved(request.getfixturevalue(fixture), AdapterSpec(rank=2, scaling=scaling))
    export_adapter(tmp_path, adapter, LINEAGE)
    folder = adapter.loaded.folder
    if adapter.loaded.labels:
        plain = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3)
    else:
        plain = AutoModelForCausalLM.from_pretrained(folder)
    model = PeftModel.from_pretrained(plain, str(tmp_path)).eval()
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=TOKENS).logits, logits_of(adapter))


@pytest.mark.parametrize("fixture", ["llama", "gpt2", "bert"])
def test_an_imported_adapter_is_the_exported_one(
    fixture: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    spec = AdapterSpec(rank=2, layers=(1,), scaling=Scaling.BY_ROOT)
    adapter = moved(request.getfixturevalue(fixture), spec)
    export_adapter(tmp_path, adapter, LINEAGE)
    before = adapter.read_fixed(adapter.tensor_layout())
    again = import_adapter(tmp_path, detach(adapter), layout=LoraLayout.FFA)
    assert again.tensor_layout() == adapter.tensor_layout()
    assert again.read_fixed(again.tensor_layout()).tolist() == before.tolist()
    assert again.scale == adapter.scale
    assert again.spec.layout is LoraLayout.FFA


def test_a_trained_adapter_is_exported(llama: LoadedModel, tmp_path: Path) -> None:
    # Training leaves the tensors as views of one vector, which safetensors would refuse to share.
    adapter = attach(llama, SPEC, seed=1)
    training = LocalTraining(length=Steps(2), batch_size=2, max_length=16)
    train_local(adapter, PLAIN, training, round_number=0)
    export_adapter(tmp_path, adapter, LINEAGE)
    before = logits_of(adapter)
    torch.testing.assert_close(logits_of(import_adapter(tmp_path, detach(adapter))), before)


def test_what_peft_wrote_is_read(llama: LoadedModel, tmp_path: Path) -> None:
    adapter = moved(llama)
    adapter.model.save_pretrained(str(tmp_path))
    before = logits_of(adapter)
    torch.testing.assert_close(logits_of(import_adapter(tmp_path, detach(adapter))), before)


def test_equal_adapters_give_equal_bytes(llama: LoadedModel, tmp_path: Path) -> None:
    for name in ("a", "b"):
        adapter = moved(llama)
        export_adapter(tmp_path / name, adapter, LINEAGE)
        detach(adapter)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "lineage.json",
    ]
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_no_path_of_this_machine_is_exported(exported: Path, llama_folder: Path) -> None:
    for path in exported.iterdir():
        assert str(llama_folder.parent).encode() not in path.read_bytes()


def test_the_lineage_travels_with_the_adapter(exported: Path) -> None:
    assert read_folder_lineage(exported) == LINEAGE
    card = (exported / "README.md").read_text()
    assert 'base_model: "owner/name"' in card
    assert f"| 4 | {STEP.model} | trimmed | did:key:zA | bafyA | 40000 |" in card
    assert "did:key:zB" in card


def test_a_lineage_cannot_break_its_card(llama: LoadedModel, tmp_path: Path) -> None:
    adapter = moved(llama)
    for title in ("a | b", "a\nb", "x" * 201):
        bad = Lineage(
            title=title, base_model_source="a", base_model="", tokenizer="", layout="", seed=""
        )
        with pytest.raises(MalformedAdapterError, match=r"the lineage: .*\$\.title"):
            export_adapter(tmp_path, adapter, bad)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_code_of_a_card_loads_the_model_without_this_project(
    bert_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(bert_folder, tmp_path / "some_base" / "model")
    (tmp_path / "some_base" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    source = "package:some-base"
    adapter = moved(load_model(source, kind=ModelKind.CLASSIFICATION, labels=3))
    lineage = msgspec.structs.replace(LINEAGE, base_model_source=source)
    export_adapter(tmp_path / "exported", adapter, lineage)
    card = (tmp_path / "exported" / "README.md").read_text()
    code = card.split("```python\n")[1].split("```")[0]
    scope: dict[str, object] = {}
    exec(code.replace("this folder", str(tmp_path / "exported")), scope)  # noqa: S102
    model = scope["model"]
    assert isinstance(model, PeftModel)
    with torch.no_grad():
        assert torch.equal(model(input_ids=TOKENS).logits, logits_of(adapter))


@pytest.mark.parametrize(
    ("source", "loaded"),
    [
        ("owner/name", "from_pretrained('owner/name')"),
        ("owner/name@1f2e", "from_pretrained('owner/name', revision='1f2e')"),
        ("/models/one@two", "from_pretrained('/models/one@two')"),
    ],
)
def test_card_names_a_base_model_as_transformers_takes_it(source: str, loaded: str) -> None:
    lineage = msgspec.structs.replace(LINEAGE, base_model_source=source)
    assert f"model = AutoModelForCausalLM.{loaded}\n" in model_card(lineage, labels=0)


def test_a_card_without_rounds_says_none(bert: LoadedModel, tmp_path: Path) -> None:
    lineage = Lineage(
        title="t", base_model_source="b", base_model="", tokenizer="", layout="", seed="",
        steps=(LineageStep(round=0, model="", rule="mean"),),
    )  # fmt: skip
    export_adapter(tmp_path, moved(bert), lineage)
    card = (tmp_path / "README.md").read_text()
    assert "| 0 |  | mean | none |  |  |" in card
    assert "num_labels=3" in card


def test_an_adapter_that_is_not_finite_is_not_exported(llama: LoadedModel, tmp_path: Path) -> None:
    adapter = moved(llama)
    with torch.no_grad():
        next(iter(adapter.tensors.values()))[0, 0] = float("inf")
    with pytest.raises(AdapterError, match="is not finite"):
        export_adapter(tmp_path, adapter, LINEAGE)


def changed_config(folder: Path, **changes: object) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"peft_type": "IA3"}, "only plain LoRA"),
        ({"use_dora": True}, "only plain LoRA"),
        ({"bias": "all"}, "only plain LoRA"),
        ({"rank_pattern": {"q_proj": 3}}, "one rank and one alpha"),
        ({"task_type": "SEQ_CLS"}, "task_type is SEQ_CLS, expected CAUSAL_LM"),
        ({"r": 0}, r"\$\.r"),
        ({"r": "8"}, r"\$\.r"),
        ({"target_modules": None}, r"\$\.target_modules"),
    ],
)
def test_a_configuration_that_is_not_done_here_is_refused(
    exported: Path, llama: LoadedModel, changes: dict[str, object], reason: str
) -> None:
    changed_config(exported, **changes)
    with pytest.raises(MalformedAdapterError, match=rf"adapter_config\.json: .*{reason}"):
        import_adapter(exported, llama)


def test_tensors_must_be_those_of_the_adapter(exported: Path, llama: LoadedModel) -> None:
    path = exported / "adapter_model.safetensors"
    tensors = load_file(path)
    name = min(tensors)
    damage: list[tuple[dict[str, torch.Tensor], str]] = [
        ({key: value for key, value in tensors.items() if key != name}, "lacks tensor"),
        ({**tensors, "x": torch.zeros(1)}, "holds the unknown tensor x"),
        ({**tensors, name: torch.zeros(3, 3)}, r"has shape \(3, 3\), expected"),
        ({**tensors, name: tensors[name] * torch.nan}, "not all finite"),
        ({**tensors, name: tensors[name].int()}, "not all finite"),
    ]
    for wrong, reason in damage:
        save_file(wrong, path)
        with pytest.raises(MalformedAdapterError, match=reason):
            import_adapter(exported, llama)
    # Each failed try took its adapter out again.
    save_file(tensors, path)
    import_adapter(exported, llama)


@pytest.mark.parametrize("file", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_missing_or_damaged_file_is_named(exported: Path, llama: LoadedModel, file: str) -> None:
    path = exported / file
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(MalformedAdapterError, match=file):
        import_adapter(exported, llama)
    path.unlink()
    with pytest.raises(MalformedAdapterError, match=file):
        import_adapter(exported, llama)


def test_pickled_tensors_are_never_read(exported: Path, llama: LoadedModel) -> None:
    shutil.move(exported / "adapter_model.safetensors", exported / "adapter_model.bin")
    with pytest.raises(MalformedAdapterError, match="is a pickle, which is never read"):
        import_adapter(exported, llama)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", b'{"title": 3}', b"[" * 5000])
def test_a_damaged_lineage_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedAdapterError, match="here: "):
        read_lineage(raw, place="here")


@pytest.mark.parametrize("field", ["title", "seed"])
def test_a_line_break_at_the_end_of_a_field_is_refused(field: str) -> None:
    raw = write_lineage(msgspec.structs.replace(LINEAGE, **{field: "ab\n"}))
    with pytest.raises(MalformedAdapterError, match=rf"\$\.{field}"):
        read_lineage(raw, place="here")
