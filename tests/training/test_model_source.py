"""A source leads to a folder of safetensors, or to one line that says why not."""

import shutil
from pathlib import Path

import pytest

from fl.training.errors import MalformedModelError, ModelNotFoundError, UnsafeModelError
from fl.training.model_source import find_model, weight_files


def test_a_folder_is_its_own_source(llama_folder: Path) -> None:
    assert find_model(str(llama_folder)) == llama_folder
    assert [path.name for path in weight_files(llama_folder)] == ["model.safetensors"]


def test_a_package_holds_its_model_in_a_folder(
    tmp_path: Path, llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "small_model_package"
    shutil.copytree(llama_folder, package / "model")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert find_model("package:small_model_package") == package / "model"


@pytest.mark.parametrize("name", ["no_such_package_here", "not an identifier", "", "json"])
def test_a_package_without_a_model_is_said_so(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="folder 'model': install it"):
        find_model(f"package:{name}")


@pytest.mark.parametrize("source", ["", "nowhere", "./nowhere/at/all", "a/b/c", "../x"])
def test_what_is_neither_folder_nor_hub_id_is_refused(source: str) -> None:
    with pytest.raises(ModelNotFoundError, match="give a folder, package:NAME, or a hub id"):
        find_model(source)


def test_a_model_of_the_hub_is_taken_from_the_cache(tmp_path: Path, llama_folder: Path) -> None:
    revision = "0123456789" * 4
    kept = tmp_path / "models--owner--name"
    shutil.copytree(llama_folder, kept / "snapshots" / revision)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(revision)
    for source in ("owner/name", f"owner/name@{revision}"):
        assert find_model(source, cache=tmp_path) == kept / "snapshots" / revision


def test_an_unknown_model_of_the_hub_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What HF_HUB_OFFLINE sets before the library is imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFoundError, match="'owner/nothing'") as refusal:
        find_model("owner/nothing", cache=tmp_path)
    assert "\n" not in str(refusal.value)


def test_a_folder_without_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(MalformedModelError, match=r"no config\.json"):
        find_model(str(tmp_path))


def test_pickled_weights_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MalformedModelError, match=r"no \*\.safetensors"):
        find_model(str(tmp_path))
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(UnsafeModelError, match=r"pytorch_model\.bin .* convert them"):
        find_model(str(tmp_path))


def test_a_source_that_is_too_long_for_a_name_is_refused() -> None:
    with pytest.raises(ModelNotFoundError):
        find_model("a" * 4_000)


def test_a_folder_that_holds_an_adapter_is_no_base_model(
    tmp_path: Path, llama_folder: Path
) -> None:
    folder = shutil.copytree(llama_folder, tmp_path / "model")
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(MalformedModelError, match="holds an adapter"):
        find_model(str(folder))
