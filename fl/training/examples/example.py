"""The examples that training and scoring read."""

import msgspec


class LabelledText(msgspec.Struct, frozen=True, array_like=True):
    """A text and the number of its class, counted from 0."""

    text: str
    label: int


class PlainText(msgspec.Struct, frozen=True, array_like=True):
    """What a causal language model learns to write, perhaps after a prompt.

    `text` is everything the model reads; the first `prompt_length` characters of it are the prompt,
    which is given to the model and not asked of it.
    """

    text: str
    prompt_length: int = 0

    @property
    def prompt(self) -> str:
        """The part that is given; empty where the whole text is to be learnt."""
        return self.text[: self.prompt_length]

    @property
    def answer(self) -> str:
        """The part that is to be learnt."""
        return self.text[self.prompt_length :]
