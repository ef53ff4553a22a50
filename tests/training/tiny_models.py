"""Models of a few thousand numbers, random from a seed, in the files that real ones have."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

VOCABULARY = 258
END = 256
FILL = 257


def write_llama(folder: Path, *, layers: int = 2, vocabulary: int = VOCABULARY) -> Path:
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        pad_token_id=FILL,
        eos_token_id=END,
        bos_token_id=None,
    )
    return _write(folder, LlamaForCausalLM, config)


def write_gpt2(folder: Path) -> Path:
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=64,
        eos_token_id=END,
        bos_token_id=END,
    )
    return _write(folder, GPT2LMHeadModel, config)


def write_bert(folder: Path) -> Path:
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        pad_token_id=FILL,
    )
    return _write(folder, BertModel, config)


def _write(folder: Path, kind: type[PreTrainedModel], config: PretrainedConfig) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = kind(config)
    tensors = {
        name: tensor.clone() for name, tensor in model.state_dict().items() if "lm_head" not in name
    }
    if "lm_head.weight" in model.state_dict() and not config.tie_word_embeddings:
        tensors["lm_head.weight"] = model.state_dict()["lm_head.weight"].clone()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    plain = {**config.to_dict(), "architectures": [kind.__name__]}
    (folder / "config.json").write_text(json.dumps(plain), encoding="utf-8")
    _byte_tokenizer().save_pretrained(folder)
    return folder


def _byte_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token for each byte, one to end and one to fill."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token="<end>",  # noqa: S106 - no password
        pad_token="<fill>",  # noqa: S106
    )
