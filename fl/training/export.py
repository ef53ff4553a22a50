"""Write an adapter as a standard PEFT folder, and read one.

    adapter_config.json         what peft needs to put the adapter into its base model
    adapter_model.safetensors   the tensors, under the names that peft gives them
    lineage.json, README.md     where the adapter comes from, for programs and for people

The folder loads with plain transformers and peft, and equal adapters give equal bytes.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.torch import save

from fl.jobs.subject import LoraLayout, Scaling
from fl.training.adapters import (
    ADAPTER_NAME,
    RANK_MAX,
    TASK_TYPES,
    Adapter,
    AdapterSpec,
    attach,
    detach,
)
from fl.training.errors import AdapterError, MalformedAdapterError
from fl.training.lineage import Lineage, model_card, read_lineage, write_lineage
from fl.training.models import LoadedModel

CONFIG_FILE: Final = "adapter_config.json"
TENSORS_FILE: Final = "adapter_model.safetensors"
LINEAGE_FILE: Final = "lineage.json"
CARD_FILE: Final = "README.md"
_PICKLE: Final = "adapter_model.bin"


class _StoredConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of adapter_config.json that decide what the tensors mean."""

    peft_type: str
    task_type: str | None = None
    r: Annotated[int, msgspec.Meta(ge=1, le=RANK_MAX)]
    lora_alpha: Annotated[int, msgspec.Meta(ge=1)]
    target_modules: list[str]
    layers_to_transform: list[int] | int | None = None
    use_rslora: bool = False
    # What changes the arithmetic in a way that is not done here.
    use_dora: bool = False
    lora_bias: bool = False
    bias: str = "none"
    rank_pattern: dict[str, int] = msgspec.field(default_factory=dict)
    alpha_pattern: dict[str, int] = msgspec.field(default_factory=dict)


def export_adapter(folder: Path, adapter: Adapter, lineage: Lineage) -> None:
    """Write an adapter into a folder, which is made where it is missing.

    Earlier files of these names are replaced, each as a whole.

    Raises:
        AdapterError: a number of the adapter is not finite.
        MalformedAdapterError: a field of the lineage does not fit into a table.
    """
    for name, tensor in adapter.tensors.items():
        if not torch.isfinite(tensor).all():
            raise AdapterError(f"tensor {name} is not finite: export an adapter that works")
    origin = write_lineage(lineage)
    read_lineage(origin, place="the lineage")
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in adapter.tensors.items()}
    _write(folder / TENSORS_FILE, save(tensors, metadata={"format": "pt"}))
    _write(folder / CONFIG_FILE, _config_bytes(adapter))
    _write(folder / LINEAGE_FILE, origin)
    _write(folder / CARD_FILE, model_card(lineage, labels=adapter.loaded.labels).encode())


def import_adapter(
    folder: Path, loaded: LoadedModel, *, layout: LoraLayout = LoraLayout.ALT
) -> Adapter:
    """Put the adapter of a folder into a base model.

    Args:
        folder: as `export_adapter` or peft wrote it.
        loaded: a base model without an adapter.
        layout: how a federation that goes on from here shares the factors.

    Raises:
        MalformedAdapterError: a file is missing or damaged, or asks for what is not done here.
        AdapterError: the adapter does not fit the model.
    """
    spec = _read_spec(folder / CONFIG_FILE, loaded, layout)
    tensors = _read_tensors(folder)
    adapter = attach(loaded, spec, seed=0)
    try:
        _fill(adapter, tensors, place=str(folder / TENSORS_FILE))
    except MalformedAdapterError:
        detach(adapter)
        raise
    return adapter


def read_folder_lineage(folder: Path) -> Lineage:
    """Return the lineage of an exported adapter.

    Raises:
        MalformedAdapterError: there is none, or it is damaged.
    """
    path = folder / LINEAGE_FILE
    return read_lineage(_read(path), place=str(path))


def _config_bytes(adapter: Adapter) -> bytes:
    config = adapter.model.peft_config[ADAPTER_NAME]
    plain: dict[str, Any] = config.to_dict()
    for key, value in plain.items():
        if isinstance(value, set):
            plain[key] = sorted(value)
    # A path of this machine means nothing elsewhere; a package or hub id does.
    is_folder = Path(adapter.loaded.source).is_dir()
    plain["base_model_name_or_path"] = (
        adapter.loaded.folder.name if is_folder else adapter.loaded.source
    )
    plain["inference_mode"] = True
    return (json.dumps(plain, indent=2, sort_keys=True) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    """Replace a file as a whole, so that not even a power cut leaves a part of it."""
    draft = path.with_name(f"{path.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)  # noqa: PTH105 - the name says that it replaces


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MalformedAdapterError(f"{path}: {error.strerror}") from error


def _read_spec(path: Path, loaded: LoadedModel, layout: LoraLayout) -> AdapterSpec:
    try:
        stored = msgspec.json.decode(_read(path), type=_StoredConfig)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedAdapterError(f"{path}: {error}") from error
    wanted = TASK_TYPES[loaded.kind]
    if stored.task_type not in (None, wanted):
        raise MalformedAdapterError(f"{path}: task_type is {stored.task_type}, expected {wanted}")
    is_plain = (stored.peft_type, stored.bias) == ("LORA", "none")
    if not is_plain or stored.use_dora or stored.lora_bias:
        raise MalformedAdapterError(f"{path}: only plain LoRA without biases is read")
    if stored.rank_pattern or stored.alpha_pattern:
        raise MalformedAdapterError(f"{path}: every layer must have one rank and one alpha")
    layers = stored.layers_to_transform
    return AdapterSpec(
        rank=stored.r,
        alpha=stored.lora_alpha,
        target_modules=tuple(sorted(stored.target_modules)),
        layout=layout,
        layers=(layers,) if isinstance(layers, int) else None if layers is None else tuple(layers),
        scaling=Scaling.BY_ROOT if stored.use_rslora else Scaling.BY_RANK,
    )


def _read_tensors(folder: Path) -> Mapping[str, NDArray[Any]]:
    path = folder / TENSORS_FILE
    if (folder / _PICKLE).is_file() and not path.is_file():
        raise MalformedAdapterError(f"{folder / _PICKLE} is a pickle, which is never read")
    try:
        return load_file(path)
    except (SafetensorError, OSError, KeyError) as error:
        raise MalformedAdapterError(f"{path}: {error}") from error


def _fill(adapter: Adapter, tensors: Mapping[str, NDArray[Any]], *, place: str) -> None:
    for name in sorted(adapter.tensors.keys() ^ tensors.keys()):
        verb = "lacks" if name in adapter.tensors else "holds the unknown"
        raise MalformedAdapterError(f"{place} {verb} tensor {name}")
    for name, tensor in adapter.tensors.items():
        values = tensors[name]
        if values.shape != tuple(tensor.shape):
            raise MalformedAdapterError(
                f"{place}: tensor {name} has shape {values.shape}, expected {tuple(tensor.shape)}"
            )
        if not np.issubdtype(values.dtype, np.floating) or not np.isfinite(values).all():
            raise MalformedAdapterError(f"{place}: tensor {name} is not all finite numbers")
    with torch.no_grad():
        for name, tensor in adapter.tensors.items():
            tensor.copy_(torch.from_numpy(tensors[name].astype(np.float32)))
