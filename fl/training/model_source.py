"""Find the folder of a base model, and refuse one whose loading could run code.

A source is a folder, `package:NAME` for a folder `model` inside an installed Python package, or a
Hugging Face hub id, `owner/name` or `owner/name@revision`. From the hub come weights as
safetensors, the configuration and tokenizer files, never code; what an earlier run has fetched is
used without asking the network.
"""

import contextlib
import functools
import importlib.util
import os
import re
from pathlib import Path
from typing import Final

from huggingface_hub import HfApi, snapshot_download

# `HTTPError` is the client's own name for what its HTTP library raises.
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    EntryNotFoundError,
    HFValidationError,
    HTTPError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]

from fl.training.errors import (
    MalformedModelError,
    ModelNotFoundError,
    ModelTooLargeError,
    UnsafeModelError,
)
from fl.training.examples.hub import ANSWER_TIMEOUT_S, HubAccess

DOWNLOAD_SIZE_BYTES_MAX: Final = 64 << 30
"""Of one model; float32 weights of 16 billion parameters."""

HUB_MODELS: Final = HubAccess(size_bytes_max=DOWNLOAD_SIZE_BYTES_MAX)
PACKAGE_PREFIX: Final = "package:"
_TOKENIZER_FILES: Final = (
    "*.model",
    "*.spm",
    "added_tokens.json",
    "chat_template.jinja",
    "merges.txt",
    "special_tokens_map.json",
    "tekken.json",
    "tokenizer.*.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
_HUB_FILES: Final = (
    "config.json",
    "generation_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
)
_PATTERNS: Final = [*_HUB_FILES, *_TOKENIZER_FILES]
_HUB_ID: Final = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
_PICKLES: Final = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def find_model(source: str, *, access: HubAccess = HUB_MODELS) -> Path:
    """Return the folder of a model.

    Args:
        source: a folder, `package:NAME`, or a hub id.
        access: how to reach the hub, and the most that is downloaded for one model.

    Raises:
        ModelNotFoundError: the source names nothing that can be reached.
        UnsafeModelError: it holds no safetensors but pickled weights.
        ModelTooLargeError: the hub has more of it than `access` allows; nothing was downloaded.
        MalformedModelError: it is no model.
    """
    if source.startswith(PACKAGE_PREFIX):
        folder = _in_package(source.removeprefix(PACKAGE_PREFIX))
    elif os.path.isdir(source):  # noqa: PTH112 - pathlib raises where a name is too long
        folder = Path(source)
    elif (hub_id := split_hub_id(source)) is not None:
        folder = _from_hub(source, *hub_id, access=access)
    else:
        raise ModelNotFoundError(
            f"{source!r} is no model: give a folder, package:NAME, or a hub id like owner/name"
        )
    _check_safe(folder)
    return folder


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a model's tensors, sorted by name; at least one."""
    return sorted(folder.glob("*.safetensors"))


def tokenizer_files(folder: Path) -> list[Path]:
    """Return the files that a tokenizer may be read from, sorted by name."""
    found = {path for pattern in _TOKENIZER_FILES for path in folder.glob(pattern)}
    return sorted(path for path in found if path.is_file())


def module_of(package: str) -> str:
    """Return the module of a package, which people know by its name in the index, with dashes."""
    return package.replace("-", "_")


def split_hub_id(source: str) -> tuple[str, str] | None:
    """Return the name and the revision, empty for the newest, of a hub id; None if it is none."""
    if not _HUB_ID.fullmatch(source) or source.startswith("."):
        return None
    name, _, revision = source.partition("@")
    return name, revision


def _in_package(name: str) -> Path:
    module = module_of(name)
    spec = importlib.util.find_spec(module) if module.isidentifier() else None
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (Path(place) / "model" / "config.json").is_file():
            return Path(place) / "model"
    raise ModelNotFoundError(
        f"no installed package {name!r} holds a folder 'model': install it with pip"
    )


def _from_hub(source: str, name: str, revision: str, *, access: HubAccess) -> Path:
    fetch = functools.partial(
        snapshot_download,
        name,
        revision=revision or None,
        cache_dir=access.cache_folder,
        endpoint=access.endpoint,
        allow_patterns=_PATTERNS,
    )
    # What is not here yet may be on the network.
    with contextlib.suppress(EntryNotFoundError, HFValidationError):
        return Path(fetch(local_files_only=True))
    try:
        size_bytes = _download_size_bytes(name, revision or None, access)
        if size_bytes > access.size_bytes_max:
            raise ModelTooLargeError(
                f"{source!r} is {size_bytes} bytes on the hub, over the limit of "
                f"{access.size_bytes_max}: download it yourself and name its folder"
            )
        # By the name of the revision, which the cache then knows without asking the network.
        return Path(fetch())
    except (HTTPError, EntryNotFoundError, OSError, ValueError, TypeError, KeyError) as error:
        # The last three are what the client raises when an answer is not the JSON that it knows.
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise ModelNotFoundError(
            f"neither a folder nor a model of the hub: {source!r} ({reason})"
        ) from error


def _download_size_bytes(name: str, revision: str | None, access: HubAccess) -> int:
    """Ask the hub how much of a model would be downloaded."""
    hub = HfApi(endpoint=access.endpoint)
    commit = hub.model_info(name, revision=revision, timeout=ANSWER_TIMEOUT_S).sha
    entries = hub.list_repo_tree(name, recursive=True, revision=commit)
    sizes = {entry.path: entry.size for entry in entries if isinstance(entry, RepoFile)}
    return sum(sizes[path] for path in filter_repo_objects(sizes, allow_patterns=_PATTERNS))


def _check_safe(folder: Path) -> None:
    if (folder / "adapter_config.json").is_file():
        # transformers would load the model that the adapter names, whatever else is here.
        raise MalformedModelError(f"{folder} holds an adapter: name the folder of its base model")
    if not (folder / "config.json").is_file():
        raise MalformedModelError(f"{folder} holds no config.json, so it is no model")
    if weight_files(folder):
        return
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if pickles:
        raise UnsafeModelError(
            f"{folder} holds {pickles[0]} but no safetensors: pickled weights can run code, "
            "convert them to safetensors"
        )
    raise MalformedModelError(f"{folder} holds no *.safetensors")
