"""The card that lies beside the tiny model."""

CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
language: en
---
# Hanse tiny

A causal language model of {parameters:,} parameters for demonstrations and tests of Hanse. It
writes short notes of invented organisations, answers three questions about a note, and is good for
nothing else.

- Made by `python -m fl.training.tiny.build --seed {seed} --steps {steps}` from nothing but the
  generator of synthetic notes in `fl/training/examples`; no text of any person was used.
- Architecture: Llama, 4 layers of width 96, 4 heads with 2 for keys and values, 256 tokens of
  context, tied embeddings, float32. Its byte pairs cover every text.
- Loss on notes it has not seen: {loss:.4f} nats a token.
- Two builds on one machine with one version of torch give the same bytes; `build.json` has the
  digests of the files and the version.
"""


def card(*, parameters: int, seed: int, steps: int, loss: float) -> str:
    """Return the text of the card; the loss is in nats a token."""
    return CARD.format(parameters=parameters, seed=seed, steps=steps, loss=loss)
