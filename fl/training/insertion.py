"""Let peft put low-rank layers into a base model.

Apart from `adapters`, for peft takes two seconds to import.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import ModulesToSaveWrapper
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from fl.training.errors import AdapterError

_LINEAR = (torch.nn.Linear, Conv1D)


def insert_low_rank(model: PreTrainedModel, settings: Mapping[str, Any]) -> PeftModel:
    """Replace linear layers of a model in place, and return the model with its wrapper.

    Args:
        model: without an adapter.
        settings: arguments of `LoraConfig`.

    Raises:
        AdapterError: no layer has such a name, or one that has is not linear.
    """
    # GPT-2 keeps its matrices transposed.
    is_transposed = any(isinstance(module, Conv1D) for module in model.modules())
    config = LoraConfig(**settings, fan_in_fan_out=is_transposed)
    # peft starts its tensors from torch's generator; the caller overwrites them, and the stream of
    # random numbers stays as it was.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # peft asks transformers under a name that transformers has renamed.
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        try:
            adapted = get_peft_model(model, config)
        except ValueError as error:
            raise AdapterError(
                f"target modules {settings['target_modules']} fit no layer; "
                f"the model has {_linear_names(model)}"
            ) from error
    assert isinstance(adapted, PeftModel)
    for name, parameter in adapted.named_parameters():
        if parameter.requires_grad and ".lora_embedding_" in name:
            remove_low_rank(adapted)
            raise AdapterError(f"{name} belongs to no linear layer: choose other target modules")
    return adapted


def remove_low_rank(adapted: PeftModel) -> None:
    """Give a model its own layers and its own head back."""
    # peft would leave the trained copy of the head in the model.
    for parent in list(adapted.modules()):
        for name, child in parent.named_children():
            if isinstance(child, ModulesToSaveWrapper):
                parent.add_module(name, child.original_module)
    adapted.unload()


def _linear_names(model: PreTrainedModel) -> list[str]:
    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in model.named_modules()
            if isinstance(module, _LINEAR)
        }
    )
