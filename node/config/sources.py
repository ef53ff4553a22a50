"""Examples and base models as an operator names them: a folder counts from that of the node.

A worker reads them in a working folder of its own, so a path has to be whole before it gets there.
The schemes are those of `fl.training.examples.sources` and `fl.training.model_source`.
"""

import os
from pathlib import Path
from typing import Final

EXAMPLE_SCHEMES: Final = ("hub:", "synthetic:")
MODEL_SCHEMES: Final = ("package:",)
_BEGINNINGS_OF_PATHS: Final = ("/", ".", "~")


def placed_examples(text: str, *, folder: Path) -> str:
    """Return the whole path of a folder of examples; another source as it is."""
    return text if text.startswith(EXAMPLE_SCHEMES) else str(placed_path(text, folder=folder))


def placed_model(text: str, *, folder: Path) -> str:
    """Return the whole path of the folder of a model; another source as it is.

    A hub id, owner/name, looks like a path: it is one where such a folder is there, as for the
    worker, or where it begins as no hub id does.
    """
    if text.startswith(MODEL_SCHEMES):
        return text
    place = str(placed_path(text, folder=folder))
    is_path = text.startswith(_BEGINNINGS_OF_PATHS)
    return place if is_path or os.path.isdir(place) else text  # noqa: PTH112 - as below


def placed_path(text: str, *, folder: Path) -> Path:
    """Return a path that counts from a folder; what stands after ~ may be nobody's home."""
    # pathlib raises where the name after ~ is unknown, and where one is too long.
    return folder / os.path.expanduser(text)  # noqa: PTH111
