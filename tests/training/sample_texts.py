"""A few texts to learn from."""

from fl.training.examples.example import LabelledText, PlainText

PLAIN = [PlainText(f"the {word} sat on the {place}") for word in ("cat", "dog", "hen", "cow")
         for place in ("mat", "hay", "hill")]  # fmt: skip
LABELLED = [
    LabelledText(text * times, label)
    for times in (1, 2, 3, 4)
    for label, text in enumerate(("aaa ", "bbb ", "ccc "))
]
