"""A source leads to a folder of safetensors, or to one line that says why not."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fl.training.errors import (
    MalformedModelError,
    ModelNotFoundError,
    ModelTooLargeError,
    UnsafeModelError,
)
from fl.training.examples.hub import HubAccess
from fl.training.model_source import find_model, weight_files
from tests.training.examples.hub_server import Hub, running


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
    assert find_model("package:small-model-package") == package / "model"


@pytest.mark.parametrize("name", ["no_such_package_here", "not an identifier", "", "json"])
def test_a_package_without_a_model_is_said_so(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="folder 'model': install it"):
        find_model(f"package:{name}")


@pytest.mark.parametrize("source", ["", "nowhere", "./nowhere/at/all", "a/b/c", "../x"])
def test_what_is_neither_folder_nor_hub_id_is_refused(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(ModelNotFoundError, match="give a folder, package:NAME, or a hub id"):
        find_model(source)


def test_a_model_of_the_hub_is_taken_from_the_cache(tmp_path: Path, llama_folder: Path) -> None:
    revision = "0123456789" * 4
    kept = tmp_path / "models--owner--name"
    shutil.copytree(llama_folder, kept / "snapshots" / revision)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(revision)
    for source in ("owner/name", f"owner/name@{revision}"):
        assert (
            find_model(source, access=HubAccess(cache_folder=tmp_path))
            == kept / "snapshots" / revision
        )


def test_an_unknown_model_of_the_hub_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What HF_HUB_OFFLINE sets before the library is imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFoundError, match="'owner/nothing'") as refusal:
        find_model("owner/nothing", access=HubAccess(cache_folder=tmp_path))
    assert "\n" not in str(refusal.value)


def test_a_model_of_the_hub_over_the_limit_is_refused_before_anything_is_fetched(
    tmp_path: Path, llama_folder: Path
) -> None:
    files = {path.name: path.read_bytes() for path in llama_folder.iterdir()}
    size_bytes = sum(map(len, files.values()))
    with running(Hub()) as hub:
        # What would not be downloaded does not count.
        hub.put("owner/name", {**files, "pytorch_model.bin": bytes(size_bytes)})
        reached = HubAccess(
            endpoint=hub.address, cache_folder=tmp_path, size_bytes_max=size_bytes - 1
        )
        with pytest.raises(ModelTooLargeError, match=f"{size_bytes} bytes on the hub, over the"):
            find_model("owner/name", access=reached)
        assert not any("/resolve/" in line for line in hub.asked)
        assert not list(tmp_path.rglob("*.safetensors"))
        found = find_model("owner/name", access=replace(reached, size_bytes_max=size_bytes))
        assert {path.name for path in found.iterdir()} == set(files)
        asked = len(hub.asked)
        assert find_model("owner/name", access=reached) == found
        assert len(hub.asked) == asked


def test_every_file_of_a_tokenizer_comes_from_the_hub(tmp_path: Path, llama_folder: Path) -> None:
    files = {path.name: path.read_bytes() for path in llama_folder.iterdir()}
    files |= {"spm.model": b"1", "tokenizer.4.0.json": b"{}", "target.spm": b"2"}
    with running(Hub()) as hub:
        hub.put("owner/name", files)
        reached = HubAccess(endpoint=hub.address, cache_folder=tmp_path)
        found = find_model("owner/name", access=reached)
    assert {path.name for path in found.iterdir()} == set(files)


def test_a_hub_that_is_gone_or_answers_nonsense_is_one_line(tmp_path: Path) -> None:
    with running(Hub(broken=True)) as hub:
        reached = HubAccess(endpoint=hub.address, cache_folder=tmp_path)
        with pytest.raises(ModelNotFoundError, match="'owner/name'") as refusal:
            find_model("owner/name", access=reached)
    assert "\n" not in str(refusal.value)
    with pytest.raises(ModelNotFoundError, match="'owner/name'") as refusal:
        find_model("owner/name", access=reached)
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
