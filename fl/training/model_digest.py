"""Name a base model and its tokenizer by what they hold, whatever files it is spread over.

The digest of a model covers its configuration and, for each tensor in the order of names, the name,
type, shape and SHA-256 of its bytes; how tensors are split over files, the order inside them and
their metadata do not count. The digest of a tokenizer covers the files that build it. JSON counts
by its value, not its layout.
Source of the file format: safetensors, `docs/source/index.mdx`, section "Format".
"""

import hashlib
import itertools
import json
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from fl.training.errors import MalformedModelError
from fl.training.model_source import tokenizer_files, weight_files
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Digest

_HEADER_SIZE_BYTES_MAX: Final = 100_000_000
_LENGTH_SIZE_BYTES: Final = 8
# Who wrote the file, and where from, is no part of the model.
_VOLATILE_KEYS: Final = frozenset({"transformers_version", "_name_or_path"})


class _Tensor(msgspec.Struct, frozen=True, array_like=True):
    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: bytes


class _Entry(msgspec.Struct, frozen=True):
    """What a header says of a tensor."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def model_digest(folder: Path) -> Digest:
    """Return the digest of the model in a folder; reads each file once.

    Raises:
        MalformedModelError: a file is damaged, or a tensor is there twice.
    """
    tensors = sorted(
        (tensor for path in weight_files(folder) for tensor in _tensors(path)),
        key=lambda tensor: tensor.name.encode(),
    )
    for tensor, following in itertools.pairwise(tensors):
        if tensor.name == following.name:
            raise MalformedModelError(f"{folder}: tensor {tensor.name} is there twice")
    _check_index(folder)
    config = read_config(folder / "config.json")
    kept = {key: value for key, value in config.items() if key not in _VOLATILE_KEYS}
    return tagged_hash(
        Domain.MODEL_CONTENT, msgspec.msgpack.encode((_canonical_json(kept), tensors))
    )


def _check_index(folder: Path) -> None:
    """Refuse an index that leads to weights which the digest does not cover."""
    known = {path.name for path in weight_files(folder)}
    for path in sorted(folder.glob("*.safetensors.index.json")):
        places = read_config(path).get("weight_map")
        if not isinstance(places, dict):
            raise MalformedModelError(f"{path}: there is no weight_map")
        for tensor, file in places.items():
            if not isinstance(file, str) or file not in known:
                raise MalformedModelError(
                    f"{path}: {tensor} is in {file!r}, no file of this folder"
                )


def tokenizer_digest(folder: Path) -> Digest:
    """Return the digest of the tokenizer in a folder.

    Raises:
        MalformedModelError: there is none, a file is damaged, or which file is read depends on
            who reads it.
    """
    files = [(path.name, _file_digest(path)) for path in tokenizer_files(folder)]
    if not files:
        raise MalformedModelError(f"{folder} holds no tokenizer: tokenizer.json is missing")
    settings = folder / "tokenizer_config.json"
    if settings.is_file() and "fast_tokenizer_files" in read_config(settings):
        # Two versions of transformers would make two tokenizers of one digest.
        raise MalformedModelError(
            f"{settings} chooses its file by version (fast_tokenizer_files): "
            "keep tokenizer.json and remove that entry"
        )
    return tagged_hash(Domain.TOKENIZER_CONTENT, msgspec.msgpack.encode(files))


def read_config(path: Path) -> dict[str, Any]:
    """Return what a JSON file says.

    Raises:
        MalformedModelError: it is no JSON object.
    """
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise MalformedModelError(f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise MalformedModelError(f"{path}: expected a JSON object")
    return value


def _file_digest(path: Path) -> bytes:
    raw = path.read_bytes()
    if path.suffix == ".json":
        raw = _canonical_json(read_config(path))
    return hashlib.sha256(raw).digest()


def _canonical_json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _tensors(path: Path) -> Iterator[_Tensor]:
    with path.open("rb") as file:
        size = path.stat().st_size
        length = int.from_bytes(file.read(_LENGTH_SIZE_BYTES), "little")
        start = _LENGTH_SIZE_BYTES + length
        if length > _HEADER_SIZE_BYTES_MAX or start > size:
            raise MalformedModelError(f"{path}: truncated, or no safetensors file")
        header = _header(file.read(length), path)
        with (
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole,
            memoryview(whole) as raw,
        ):
            for name, entry in header.items():
                begin, end = entry["data_offsets"]
                if not 0 <= begin <= end <= size - start:
                    raise MalformedModelError(f"{path}: tensor {name} is cut off")
                with raw[start + begin : start + end] as content:
                    digest = hashlib.sha256(content).digest()
                yield _Tensor(name, entry["dtype"], tuple(entry["shape"]), digest)


def _header(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        header: dict[str, Any] = json.loads(raw)
        header.pop("__metadata__", None)
        for entry in header.values():
            msgspec.convert(entry, _Entry)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedModelError(f"{path}: the header is no safetensors header") from error
    return header
