"""A causal language model of 2 MB for demonstrations and tests, trained by `build.py`."""

from pathlib import Path


def tiny_model_folder() -> Path:
    """Return the folder of the model, its tokenizer and its card, in the format of transformers."""
    return Path(__file__).parent / "model"
