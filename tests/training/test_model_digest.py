"""Equal models have equal digests, whatever their files; any other bit gives another digest."""

import hashlib
import json
import shutil
from pathlib import Path

import msgspec
import pytest
from safetensors.torch import load_file, save_file

from fl.training.errors import MalformedModelError
from fl.training.model_digest import model_digest, tokenizer_digest
from primitives.hashing import Domain, tagged_hash


@pytest.fixture(name="copy")
def _copy(tmp_path: Path, llama_folder: Path) -> Path:
    return Path(shutil.copytree(llama_folder, tmp_path / "copy"))


def test_splitting_the_tensors_over_files_changes_nothing(copy: Path, llama_folder: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    names = sorted(tensors)
    save_file({name: tensors[name] for name in names[::2]}, copy / "b.safetensors")
    save_file({name: tensors[name] for name in names[1::2]}, copy / "a.safetensors")
    assert model_digest(copy) == model_digest(llama_folder)


def test_one_bit_of_a_tensor_counts(copy: Path, llama_folder: Path) -> None:
    path = copy / "model.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert model_digest(copy) != model_digest(llama_folder)


def test_configuration_counts_by_value(copy: Path, llama_folder: Path) -> None:
    path = copy / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "transformers_version": "0"}, indent=8, sort_keys=True))
    assert model_digest(copy) == model_digest(llama_folder)
    path.write_text(json.dumps({**config, "rms_norm_eps": 0.5}))
    assert model_digest(copy) != model_digest(llama_folder)


def test_a_tensor_that_is_there_twice_is_refused(copy: Path) -> None:
    shutil.copy(copy / "model.safetensors", copy / "again.safetensors")
    with pytest.raises(MalformedModelError, match="is there twice"):
        model_digest(copy)


@pytest.mark.parametrize("size", [0, 4, 8, 100, 3000])
def test_a_truncated_file_is_named(copy: Path, size: int) -> None:
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(MalformedModelError, match=r"model\.safetensors"):
        model_digest(copy)


@pytest.mark.parametrize("header", [b"[]", b"{", b'{"a":{}}', b'{"a":1}', b"\xff\xff"])
def test_a_file_that_is_no_safetensors_is_named(copy: Path, header: bytes) -> None:
    raw = len(header).to_bytes(8, "little") + header
    (copy / "model.safetensors").write_bytes(raw)
    with pytest.raises(MalformedModelError, match="no safetensors header"):
        model_digest(copy)


def test_tensor_outside_of_the_file_is_named(copy: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}).encode()
    raw = len(header).to_bytes(8, "little") + header + bytes(35)
    (copy / "model.safetensors").write_bytes(raw)
    with pytest.raises(MalformedModelError, match="tensor w is cut off"):
        model_digest(copy)


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_a_damaged_configuration_is_named(copy: Path, text: str) -> None:
    (copy / "config.json").write_text(text)
    with pytest.raises(MalformedModelError, match=r"config\.json"):
        model_digest(copy)


def test_a_tokenizer_is_its_files(copy: Path, llama_folder: Path) -> None:
    path = copy / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=7))
    (copy / "README.md").write_text("about")
    assert tokenizer_digest(copy) == tokenizer_digest(llama_folder)
    (copy / "chat_template.jinja").write_text("{{ messages }}")
    assert tokenizer_digest(copy) != tokenizer_digest(llama_folder)


def test_a_model_without_tokenizer_is_said_so(copy: Path) -> None:
    for path in copy.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(MalformedModelError, match="holds no tokenizer"):
        tokenizer_digest(copy)


@pytest.mark.parametrize("name", ["tokenizer.4.0.json", "spm.model", "source.spm", "tekken.json"])
def test_whatever_a_tokenizer_may_be_read_from_counts(
    copy: Path, llama_folder: Path, name: str
) -> None:
    (copy / name).write_text("{}")
    assert tokenizer_digest(copy) != tokenizer_digest(llama_folder)
    first = tokenizer_digest(copy)
    (copy / name).write_text('{"a": 1}')
    assert tokenizer_digest(copy) != first


def test_files_of_a_tokenizer_count_in_the_order_of_their_names(copy: Path) -> None:
    names = ["merges.txt", "spiece.model", "tokenizer.model", "vocab.json", "vocab.txt"]
    for name in names:
        (copy / name).write_text("{}")
    names = sorted([*names, "tokenizer.json", "tokenizer_config.json"])
    files = [(name, _digest_of(copy / name)) for name in names]
    expected = tagged_hash(Domain.TOKENIZER_CONTENT, msgspec.msgpack.encode(files))
    assert tokenizer_digest(copy) == expected


def _digest_of(path: Path) -> bytes:
    text = path.read_text()
    if path.suffix == ".json":
        text = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def test_a_tokenizer_that_chooses_its_file_by_version_is_refused(copy: Path) -> None:
    path = copy / "tokenizer_config.json"
    plain = json.loads(path.read_text())
    path.write_text(json.dumps({**plain, "fast_tokenizer_files": ["tokenizer.4.0.json"]}))
    with pytest.raises(MalformedModelError, match=r"tokenizer_config\.json.*fast_tokenizer_files"):
        tokenizer_digest(copy)


@pytest.mark.parametrize(
    "header",
    [
        b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": "04"}}',
        b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0.0, 4.0]}}',
        b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 4]}}',
        b"[" * 100_000,
    ],
)
def test_a_header_of_other_types_or_without_bottom_is_named(copy: Path, header: bytes) -> None:
    raw = len(header).to_bytes(8, "little") + header + bytes(4)
    (copy / "model.safetensors").write_bytes(raw)
    with pytest.raises(MalformedModelError, match="no safetensors header"):
        model_digest(copy)


def test_a_configuration_without_bottom_is_named(copy: Path) -> None:
    (copy / "config.json").write_text("[" * 100_000)
    with pytest.raises(MalformedModelError, match=r"config\.json"):
        model_digest(copy)


@pytest.mark.parametrize(
    "index",
    [{}, {"weight_map": {"w": "../other/model.safetensors"}}, {"weight_map": {"w": ["x"]}}],
)
def test_an_index_that_leads_out_of_the_folder_is_refused(copy: Path, index: object) -> None:
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(MalformedModelError, match=r"index\.json"):
        model_digest(copy)
